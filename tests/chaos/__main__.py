"""`python -m tests.chaos`: break everything that can break, count, and write the page about it."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
import sqlalchemy as sa
import typer

from benchmarks.machine import describe
from tests.chaos import report
from tests.chaos.ground import Ground
from tests.chaos.scenarios import Impossible, scenarios
from tests.support.brokers import POM, Broker, jars
from tests.support.postgres import private_server


def main(
    page: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Where the page goes, and its figures beside it."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Faults with this word alone; several times.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Break less often and for less long.")] = False,
) -> None:
    """Break workers, brokers and databases while cameras film; exit code 1 where a result is lost or doubled.

    Figures of faults that are left out now are kept where the machine is the same.
    """
    chosen = {
        name: run for name, run in scenarios(quick).items() if not only or any(word in name for word in only)
    }
    figures = _begin(page)
    try:
        with ground() as place:
            figures["postgresql"] = _version(place)
            for name, run in chosen.items():
                figures["scenarios"][name] = row = _measure(name, run, place)
                _say(row)
                if page:
                    _write(figures, page)
    except pytest.skip.Exception as reason:
        typer.echo(str(reason), err=True)
        raise typer.Exit(2) from None
    if any(figures["scenarios"][name].get("violations") for name in chosen):
        raise typer.Exit(1)


@contextmanager
def ground() -> Iterator[Ground]:
    """One broker and one PostgreSQL that run."""
    with tempfile.TemporaryDirectory(prefix="mien-chaos-") as folder, private_server() as server:
        (Path(folder) / "kafka").mkdir()
        broker = Broker(Path(folder) / "kafka", jars())
        server.start()
        broker.start()
        try:
            yield Ground(Path(folder), broker, server, jars())
        finally:
            broker.stop()


def _measure(name: str, run: Any, place: Ground) -> dict[str, Any]:
    typer.echo(f"{datetime.now(UTC):%H:%M:%S} {name} ...")
    began = time.monotonic()
    try:
        row: dict[str, Any] = run(place)
    except Impossible as reason:
        return {"skipped": str(reason)}
    return row | {"seconds": round(time.monotonic() - began)}


def _say(row: dict[str, Any]) -> None:
    if "skipped" in row:
        typer.echo(f"  left out: {row['skipped']}")
        return
    shown = {name: value for name, value in row.items() if name not in {"resumed_s", "notes", "violations"}}
    typer.echo(f"  {shown}")
    for each in row["violations"]:
        typer.echo(f"  VIOLATED: {each}", err=True)


def _begin(page: Path | None) -> dict[str, Any]:
    """What is known of this machine already, and when it is measured now."""
    machine = describe().json()
    path = page.with_suffix(".json") if page else None
    known = json.loads(path.read_text()) if path and path.exists() else {}
    scenes = known["scenarios"] if known.get("machine") == machine else {}
    kafka = re.findall(r"<kafka.version>(.+)</kafka.version>", POM.read_text())[0]
    date = datetime.now(UTC).date().isoformat()
    return {"machine": machine, "date": date, "kafka": kafka, "scenarios": scenes}


def _version(place: Ground) -> str:
    engine = sa.create_engine(place.server.url)
    try:
        with engine.connect() as connection:
            return str(connection.exec_driver_sql("SHOW server_version").scalar()).split()[0]
    finally:
        engine.dispose()


def _write(figures: dict[str, Any], page: Path) -> None:
    names = list(scenarios(quick=False))
    figures["scenarios"] = {
        name: figures["scenarios"][name] for name in names if name in figures["scenarios"]
    }
    page.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    page.write_text(report.markdown(figures))


if __name__ == "__main__":
    typer.run(main)
