"""`python -m tests.chaos`: inject every fault, count the frames, and write docs/reliability.md."""

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

from benchmarks.machine import describe_machine
from tests.chaos import report
from tests.chaos.environment import Environment
from tests.chaos.scenarios import Unsupported, scenarios
from tests.support.brokers import POM, Broker, jars
from tests.support.postgres import private_server


def main(
    page: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write the page to FILE, and its figures."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="Run only faults whose name contains WORD; repeatable."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Inject fewer and shorter faults.")] = False,
) -> None:
    """Break workers, brokers and databases while cameras publish; exit code 1 if the oracle fails.

    Stored figures of faults that do not run now are kept if they were measured on the same machine.
    """
    chosen = {
        name: run for name, run in scenarios(quick).items() if not only or any(word in name for word in only)
    }
    figures = _stored_figures(page)
    try:
        with environment() as shared:
            figures["postgresql"] = _postgresql_version(shared)
            for name, run in chosen.items():
                figures["scenarios"][name] = row = _measure(name, run, shared)
                _print(row)
                if page:
                    _write(figures, page)
    except pytest.skip.Exception as reason:
        typer.echo(str(reason), err=True)
        raise typer.Exit(2) from None
    if any(figures["scenarios"][name].get("violations") for name in chosen):
        raise typer.Exit(1)


@contextmanager
def environment() -> Iterator[Environment]:
    """A running broker and a running PostgreSQL server."""
    with tempfile.TemporaryDirectory(prefix="mien-chaos-") as folder, private_server() as server:
        (Path(folder) / "kafka").mkdir()
        broker = Broker(Path(folder) / "kafka", jars())
        server.start()
        broker.start()
        try:
            yield Environment(Path(folder), broker, server, jars())
        finally:
            broker.stop()


def _measure(name: str, run: Any, shared: Environment) -> dict[str, Any]:
    typer.echo(f"{datetime.now(UTC):%H:%M:%S} {name} ...")
    began = time.monotonic()
    try:
        row: dict[str, Any] = run(shared)
    except Unsupported as reason:
        return {"skipped": str(reason)}
    return row | {"seconds": round(time.monotonic() - began)}


def _print(row: dict[str, Any]) -> None:
    if "skipped" in row:
        typer.echo(f"  not run: {row['skipped']}")
        return
    shown = {name: value for name, value in row.items() if name not in {"resumed_s", "notes", "violations"}}
    typer.echo(f"  {shown}")
    for each in row["violations"]:
        typer.echo(f"  VIOLATION: {each}", err=True)


def _stored_figures(page: Path | None) -> dict[str, Any]:
    """New figures with the stored rows of this machine."""
    machine = describe_machine().to_json()
    stored = json.loads(report.FIGURES.read_text()) if page and report.FIGURES.exists() else {}
    rows = stored["scenarios"] if stored.get("machine") == machine else {}
    kafka = re.findall(r"<kafka.version>(.+)</kafka.version>", POM.read_text())[0]
    date = datetime.now(UTC).date().isoformat()
    return {"machine": machine, "date": date, "kafka": kafka, "scenarios": rows}


def _postgresql_version(shared: Environment) -> str:
    engine = sa.create_engine(shared.server.url)
    try:
        with engine.connect() as connection:
            return str(connection.exec_driver_sql("SHOW server_version").scalar()).split()[0]
    finally:
        engine.dispose()


def _write(figures: dict[str, Any], page: Path) -> None:
    rows = figures["scenarios"]
    figures["scenarios"] = {name: rows[name] for name in scenarios(quick=False) if name in rows}
    report.write(figures, page, report.FIGURES)


if __name__ == "__main__":
    typer.run(main)
