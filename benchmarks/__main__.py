"""Command `python -m benchmarks`: measure this machine and write docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import chart, report
from benchmarks.machine import describe_machine, load_average
from benchmarks.servers import ServersUnavailable
from benchmarks.suite import FULL, QUICK, SOAK, benchmarks

FILE = "figures/benchmarks.json"
PAGE = "benchmarks.md"
_MAX_LOAD = 0.5
"""Load average above which a warning is printed."""


def main(
    data: Annotated[
        Path,
        typer.Option(
            envvar="MIEN_DATA", help="Folder with the clips: videos/.", file_okay=False, exists=True
        ),
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=f"Measure only this; may be repeated. [default: all except {SOAK}]"
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Check within a minute whether everything works.")
    ] = False,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Database of `mien simulate --days 365 --cameras 50` for the viewers. [default: it is made]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the page. [default: docs; with --quick the page is printed]"
        ),
    ] = None,
) -> None:
    """Measure throughput, stages, latency, capacity, scaled mode, the dashboard and memory of this machine.

    Figures that are not measured now are kept if they were measured on the same machine.
    """
    folder = out or (None if quick else Path("docs"))
    suite = benchmarks(data, len(os.sched_getaffinity(0)), QUICK if quick else FULL, history)
    if unknown := set(only or ()) - set(suite):
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))}: expected {', '.join(suite)}", param_hint="--only"
        )
    figures = _load_figures(folder)
    if figures["load"] > _MAX_LOAD:
        print(f"Other processes are running (load {figures['load']:.1f}): the figures will be too low.")
    for name in only or [name for name in suite if name != SOAK or quick]:
        began = time.monotonic()
        print(f"{name} ...", end=" ", flush=True)
        try:
            figures[name] = suite[name]()
        except ServersUnavailable as reason:
            print(f"skipped: {reason}")
            continue
        print(f"{time.monotonic() - began:.0f} s")
        if folder:
            write_page(figures, folder)
    if not folder:
        print(report.render_page(figures))


def write_page(figures: dict[str, Any], folder: Path) -> None:
    """Write figures, page and chart to a folder."""
    (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(figures, indent=1) + "\n")
    (folder / PAGE).write_text(report.render_page(figures))
    chart.draw_chart(figures, folder / report.CHART)


def _load_figures(folder: Path | None) -> dict[str, Any]:
    """The figures so far of this machine, with the present date and load."""
    machine = describe_machine().to_json()
    path = folder / FILE if folder else None
    stored = json.loads(path.read_text()) if path and path.exists() else {}
    kept = stored if stored.get("machine") == machine else {}
    return kept | {"machine": machine, "date": datetime.now(UTC).date().isoformat(), "load": load_average()}


if __name__ == "__main__":
    typer.run(main)
