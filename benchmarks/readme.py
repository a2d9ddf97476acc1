"""Tables of figures in the README and in docs/operations.md, from what the measurements wrote.

`python -m benchmarks.readme` makes them anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import sizing_table
from benchmarks.fleet import Fleet
from benchmarks.latency import FPS, LIMIT_MS, WORKLOAD, most_held
from benchmarks.live import Live
from benchmarks.many import Many
from benchmarks.markdown import refilled, table
from benchmarks.memory import Memory
from benchmarks.throughput import Throughput

ROOT = Path(__file__).parents[1]
CLASSIFIER, DETECTOR, SPEED = (
    "inference/models/faces.json",
    "inference/models/detector.json",
    "docs/benchmarks.json",
)

Rows = list[tuple[str, str]]


def documents(root: Path) -> dict[Path, str]:
    """What the documents below `root` should say, by path."""
    readme, operations = root / "README.md", root / "docs" / "operations.md"
    measured = json.loads((root / SPEED).read_text())
    return {
        readme: refilled(readme.read_text(), "figures", table(("", "", "from"), rows(root))),
        operations: refilled(operations.read_text(), "sizing", sizing_table.markdown(measured)),
    }


def rows(root: Path) -> list[tuple[str, str, str]]:
    """What was measured, the figures, and the file that they are from."""
    read = {name: json.loads((root / name).read_text()) for name in (CLASSIFIER, DETECTOR, SPEED)}
    found = {
        CLASSIFIER: _classifier(_running(read[CLASSIFIER])),
        DETECTOR: _detector(_running(read[DETECTOR])),
        SPEED: _speed(read[SPEED]),
    }
    return [
        (what, figure, f"[{Path(name).name}]({name})")
        for name, each in found.items()
        for what, figure in each
    ]


def _running(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures of the file that most processors run, on pictures that decided nothing."""
    figures: Mapping[str, Any] = metrics.get("int8", metrics["float32"])["test"]
    return figures


def _classifier(test: Mapping[str, Any]) -> Rows:
    heads, groups = test["headline"], test["gender"]["groups"]
    worst = test["gender"]["worst_group"]
    return [
        ("expression, FER+ votes with a majority, right", _share(heads["ferplus_strict"])),
        ("expression, FER2013 PrivateTest by its own labels, right", _share(heads["fer2013"])),
        ("perceived gender, FairFace's validation part, right", _share(heads["gender"])),
        (f"the same in the group served worst ({worst})", _share(groups[worst])),
    ]


def _detector(test: Mapping[str, Any]) -> Rows:
    compared = test["compared"]
    recalls = compared["recall_at_false_per_1000_goods"]
    found = " and ".join(f"{recalls[count]['value']:.0%}" for count in ("1", "10"))
    precision = compared["average_precision"]
    between = f"{precision['low']:.2f} to {precision['high']:.2f}"
    return [
        (
            f"faces from 24 pixels on, average precision at {compared['longest_side']} pixels",
            f"{precision['value']:.2f} ({between})",
        ),
        ("faces found at 1 and at 10 false ones per 1000 photographs of goods", found),
    ]


def _speed(figures: Mapping[str, Any]) -> Rows:
    """What of it was measured on this machine."""
    sections: dict[str, Callable[[Mapping[str, Any]], Rows]] = {
        "throughput": _throughput,
        "latency": _live,
        "capacity": _capacity,
        "memory": _memory,
        "scaled": _scaled,
    }
    return [row for name, tell in sections.items() if name in figures for row in tell(figures)]


def _throughput(figures: Mapping[str, Any]) -> Rows:
    single = next(
        each
        for each in (Throughput(**result) for result in figures["throughput"])
        if each.workload == WORKLOAD and each.cores == 1
    )
    return [(f"frames per second and core, bus to rows ({WORKLOAD})", f"{single.chain:.0f}")]


def _live(figures: Mapping[str, Any]) -> Rows:
    live = [Live(**result) for result in figures["latency"]][-1]
    what = f"capture to row, {live.cameras} cameras at {FPS:g} frames/s, median and 95 %"
    return [(what, _latency(live))]


def _capacity(figures: Mapping[str, Any]) -> Rows:
    held = most_held([Live(**result) for result in figures["capacity"]])
    cores = figures["machine"]["cores"]
    return [(f"cameras at {FPS:g} frames/s held within {LIMIT_MS:g} ms on {cores} cores", str(held))]


def _memory(figures: Mapping[str, Any]) -> Rows:
    memory = Memory(**figures["memory"])
    minutes = memory.seconds[-1] / 60
    return [(f"memory after {minutes:.0f} minutes of {memory.cameras} cameras", f"{memory.last_mb:.0f} MB")]


def _scaled(figures: Mapping[str, Any]) -> Rows:
    many = Many.of(figures["scaled"])
    one, *more = many.throughput
    live = many.latency
    return [
        ("one worker with Kafka and PostgreSQL, of embedded mode's rate", f"{one.rate / one.embedded:.0%}"),
        *((f"{each.workers} workers, times the rate of one", f"{each.rate / one.rate:.2f}") for each in more),
        (f"capture to row there, {live.cameras} cameras, median and 95 %", _latency(live)),
    ]


def _latency(live: Live | Fleet) -> str:
    return f"{live.p50_ms:.0f} and {live.p95_ms:.0f} ms"


def _share(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.1%} ({figure['low']:.1%} to {figure['high']:.1%}, n = {figure['n']})"


if __name__ == "__main__":
    for path, text in documents(ROOT).items():
        path.write_text(text)
