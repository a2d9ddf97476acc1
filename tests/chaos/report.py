"""The page docs/reliability.md, written from the figures that `make chaos` stores.

`python -m tests.chaos.report` writes the page again from the stored figures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "reliability.md"
FIGURES = DOCS / "figures" / "reliability.json"

_COUNTS: Mapping[str, Callable[[Row], object]] = {
    "faults": lambda row: row["faults"],
    "produced": lambda row: row["produced"],
    "acknowledged": lambda row: row["acknowledged"],
    "dropped": lambda row: sum(row["dropped"].values()),
    "in Kafka": lambda row: row["in_log"],
    "analysed": lambda row: row["analysed"],
    "stale": lambda row: row["stale"],
    "failed": lambda row: row["failed"],
    "superseded": lambda row: row["superseded"],
    "dead letters": lambda row: row["dead_letters"],
    "**lost**": lambda row: f"**{row['lost']}**",
    "**doubled**": lambda row: f"**{row['doubled']}**",
    "oracle": lambda row: "passed" if not row["violations"] else f"failed ({len(row['violations'])})",
}
_TIMES: Mapping[str, Callable[[Row], object]] = {
    "recovery, median": lambda row: _seconds(row["resume_p50_s"]),
    "p95": lambda row: _seconds(row["resume_p95_s"]),
    "visits undisturbed": lambda row: row["visits"]["undisturbed"],
    "found": lambda row: row["visits"]["found"],
    "split": lambda row: row["visits"]["split"],
    "missed": lambda row: row["visits"]["missed"],
    "duration of the run": lambda row: _seconds(row["seconds"], 0),
}

_INTRODUCTION = """# Reliability

`make chaos` writes this page; it ran last on {date}, and the runs behind the rows took {minutes:.0f} minutes.
Every figure is measured, none is estimated; [{figures}]({figures}) holds all of them.
A row may come from a run of its own (`python -m tests.chaos --report docs/reliability.md --only WORD`), and
from an earlier state of the program than another row. Other work on the machine makes more frames stale and
recovery longer; no rule of the oracle depends on it.

Four cameras of the simulated shop publish 5 frames per second each, and two `mien work` processes share them.
Frames pass through a real Kafka broker, results go to a real PostgreSQL server, and faults are injected into
these parts. Then the workers end, `mien work --drain` processes what is left, and the oracle compares, camera
by camera, what was published, what a plain consumer finds in Kafka, and what the database counts:

- every frame is counted exactly once: in the database captured = analysed + stale + failed + superseded +
  unchanged + dropped;
- every acknowledged frame is in Kafka, and every frame in Kafka is counted once as analysed, stale, failed or
  superseded;
- Kafka holds no frame that was not published and no frame that was counted as dropped, and the database
  counts no frame that is not in Kafka;
- published = acknowledged + dropped, by reason, and the database holds the same counts of drops;
- every stored position is at the end of its partition, and `mien db check` finds rollups equal to a recount;
- no worker ended by itself.

Where *ingest* is killed or suspended, four cameras of the simulated shop are captured by two `mien ingest`
processes instead. In addition the frames of a camera that different processes captured never overlap in time:
no camera is captured twice.

If a row violates one of these rules, `make chaos` fails.

## Faults

"""

_EXPLANATION = """
*Produced* frames were sampled by a camera; where *ingest* is killed, they are the frames that are counted as
captured, since what the killed process had in its memory is unknown. *Dropped* frames were discarded while
Kafka was unavailable and never reached a worker. *Stale* frames were older than two seconds when a worker
received them. *Failed* frames could not be decoded; poison records count as *failed*, or as *stale* if they
are too old before their JPEG is decoded. *Superseded* frames are of an earlier capture of their camera than
one that was analysed. *Lost* is the number of frames that no row counts, *doubled* the number of counts
beyond the existing frames.
"""

_DUPLICATES = """
A broker that is killed cannot report which frames it stored. Frames in flight are not dropped at that
moment: they are sent again until a broker acknowledges them. Records that Kafka therefore held twice, and
that workers skipped: {duplicates:,}.
"""

_DROPS = "\n| fault | reason for drops | frames |\n|---|---|---:|\n"

_RECOVERY = """
## Time to recover, and visits

A worker that is killed keeps its partitions until the group has missed its heartbeats for 10 seconds; then
another worker continues with its cameras. *Recovery* is the time from the kill until a newly analysed frame
of every camera was in the database; where a server was unavailable, from the moment at which it answered
again. With three brokers no frame is acknowledged until the cluster has declared the killed broker dead,
9 seconds by Kafka's default.

A worker keeps its tracks in memory, so a fault cuts a visit short, and the rest of it becomes another visit.
*Split* visits are those of the undisturbed run of the same recording that became several visits with the
faults. *Missed* visits are those of which nothing is left: all of their frames were dropped or stale. While
the database is unavailable, frames wait in Kafka; those that are too old afterwards are skipped, so that
workers return to live frames at once.
"""


def markdown(figures: Mapping[str, Any], figures_path: str) -> str:
    """The page; `figures_path` is the link from it to the figures."""
    rows: Mapping[str, Row] = figures["scenarios"]
    done = {name: row for name, row in rows.items() if "skipped" not in row}
    minutes = sum(row["seconds"] for row in done.values()) / 60
    parts = [
        _INTRODUCTION.format(date=figures["date"], minutes=minutes, figures=figures_path),
        *(f"- **{name}**: {row['what']}\n" for name, row in done.items()),
        _table(done, _COUNTS),
        _EXPLANATION,
        _drops(done),
        _RECOVERY,
        _table({name: row for name, row in done.items() if "visits" in row}, _TIMES),
        _notes(done),
        *(f"\nNot run: {name}: {row['skipped']}.\n" for name, row in rows.items() if "skipped" in row),
        _violations(done),
        _machine(figures),
    ]
    return "".join(parts)


def write(figures: Mapping[str, Any], page: Path, path: Path) -> None:
    """Write the figures to `path` and the page about them to `page`."""
    path.write_text(json.dumps(figures, indent=1) + "\n")
    page.write_text(markdown(figures, os.path.relpath(path, page.parent)))


def _table(rows: Mapping[str, Row], columns: Mapping[str, Callable[[Row], object]]) -> str:
    head = f"\n| fault | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}\n"
    return head + "".join(
        f"| {name} | {' | '.join(_text(column(row)) for column in columns.values())} |\n"
        for name, row in rows.items()
    )


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _seconds(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f} s"


def _drops(rows: Mapping[str, Row]) -> str:
    lines = [
        f"| {name} | {reason} | {count:,} |\n"
        for name, row in rows.items()
        for reason, count in row["dropped"].items()
    ]
    duplicates = _DUPLICATES.format(duplicates=sum(row["log_doubles"] for row in rows.values()))
    return _DROPS + "".join(lines) + duplicates if lines else duplicates


def _notes(rows: Mapping[str, Row]) -> str:
    lines = [f"- {name}: {note}\n" for name, row in rows.items() for note in row["notes"]]
    return "\n## Other observations\n\n" + "".join(lines) if lines else ""


def _violations(rows: Mapping[str, Row]) -> str:
    lines = [f"- {name}: {each}\n" for name, row in rows.items() for each in row["violations"]]
    return "\n## Violations\n\n" + "".join(lines) if lines else ""


def _machine(figures: Mapping[str, Any]) -> str:
    machine = figures["machine"]
    return (
        f"\n## Machine\n\n{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:g} GB, "
        f"{machine['system']}, Python {machine['python']}, Apache Kafka {figures['kafka']}, "
        f"PostgreSQL {figures['postgresql']}. Servers, workers and cameras shared it.\n\n    make chaos\n"
    )


if __name__ == "__main__":
    write(json.loads(FIGURES.read_text()), PAGE, FIGURES)
