"""`python -m benchmarks`: measure this machine and write the page about it."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import chart, report
from benchmarks.machine import describe, load_average
from benchmarks.servers import Unavailable
from benchmarks.suite import FULL, QUICK, SOAK, benchmarks

FILE = "benchmarks.json"
PAGE = "benchmarks.md"
_QUIET = 0.5


def main(
    data: Annotated[
        Path,
        typer.Option(
            envvar="MIEN_DATA", help="Folder with the clips: videos/.", file_okay=False, exists=True
        ),
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Measure this alone; several times. [default: all but {SOAK}]"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="See in a minute whether everything works.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the page goes. [default: docs; nowhere with --quick]"),
    ] = None,
) -> None:
    """Measure throughput, stages, latency, capacity, scaled mode and memory of this machine.

    Figures of benchmarks that are not measured now are kept where the machine is the same.
    """
    folder = out or (None if quick else Path("docs"))
    suite = benchmarks(data, len(os.sched_getaffinity(0)), QUICK if quick else FULL)
    if unknown := set(only or ()) - set(suite):
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))}: there are {', '.join(suite)}", param_hint="--only"
        )
    figures = _begin(folder)
    if figures["load"] > _QUIET:
        print(f"Something else is running here (load {figures['load']:.1f}): the figures will be too low.")
    for name in only or [name for name in suite if name != SOAK or quick]:
        began = time.monotonic()
        print(f"{name} ...", end=" ", flush=True)
        try:
            figures[name] = suite[name]()
        except Unavailable as reason:
            print(f"left out: {reason}")
            continue
        print(f"{time.monotonic() - began:.0f} s")
        if folder:
            write(figures, folder)
    if not folder:
        print(report.markdown(figures))


def write(figures: dict[str, Any], folder: Path) -> None:
    """Write figures, page and picture into a folder."""
    (folder / FILE).write_text(json.dumps(figures, indent=1) + "\n")
    (folder / PAGE).write_text(report.markdown(figures))
    chart.draw(figures, folder / report.CHART)


def _begin(folder: Path | None) -> dict[str, Any]:
    """What is known of this machine already, and when and in which state it is measured now."""
    machine = describe().json()
    path = folder / FILE if folder else None
    known = json.loads(path.read_text()) if path and path.exists() else {}
    kept = known if known.get("machine") == machine else {}
    return kept | {"machine": machine, "date": datetime.now(UTC).date().isoformat(), "load": load_average()}


if __name__ == "__main__":
    typer.run(main)
