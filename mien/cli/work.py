"""`mien work`: frames from Kafka to rows."""

from __future__ import annotations

from typing import Annotated

import typer

from mien.cli.options import Config, Database


def work(
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="Members of the group in this process; a process each scales better."
        ),
    ] = 1,
    drain: Annotated[
        bool,
        typer.Option("--drain", help="Take everything that was published before now, however old, then end."),
    ] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Analyse the frames that `mien ingest` publishes (MIEN_BUS), and store visits (MIEN_DATABASE).

    Start as many as there are cores, on as many machines as you like: they share the cameras, and a camera's
    results are stored exactly once whatever fails. SIGTERM finishes what was begun.
    """
    from contextlib import ExitStack

    from mien import logs, scaled, wiring
    from mien.health_server import optionally
    from mien.metrics import Metrics
    from mien.settings import load
    from mien.signals import stopping
    from storage.standstill import let_go

    settings = load(config, database=database)
    logs.configure(settings.log_level)
    scaled.kafka(settings)
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        metrics = Metrics()
        stack.enter_context(optionally(metrics, settings))
        engine = wiring.database(settings)
        stack.callback(engine.dispose)
        stack.enter_context(let_go(engine, stop))
        crew = scaled.workforce(settings, engine, workers, drain, metrics)
        crew.start()
        try:
            while not (stop.is_set() or crew.leaving):
                stop.wait(0.1)
            crew.drain(stop)
        finally:
            crew.stop()
