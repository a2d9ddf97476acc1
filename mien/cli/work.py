"""`mien work`: frames from Kafka to rows."""

from __future__ import annotations

from typing import Annotated

import typer

from mien.cli.options import Config, Database


def work(
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="Workers in this process, each in a thread. One process each is faster."
        ),
    ] = 1,
    drain: Annotated[
        bool,
        typer.Option("--drain", help="Analyse everything that was published before now, then end."),
    ] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Analyse the frames that `mien ingest` publishes (MIEN_BUS), and store visits (MIEN_DATABASE).

    Start one for each core, on any number of machines: they share the cameras. The results of a frame are
    stored exactly once, whatever fails. SIGTERM stores what is analysed, then stops.
    """
    from mien import logs
    from mien.loops.work import run_workers
    from mien.settings import load

    settings = load(config, database=database)
    logs.configure(settings.log_level)
    run_workers(settings, workers, drain)
