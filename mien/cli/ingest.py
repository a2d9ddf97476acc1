"""`mien ingest`: cameras to Kafka, for workers elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from mien.cli.options import Config, Database, Fps, Loop, Sources
from mien.cli.run import UNREADABLE


def ingest(
    source: Sources = None,
    config: Config = None,
    database: Database = None,
    fps: Fps = None,
    loop: Loop = False,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="Read recordings as quickly as they are taken in, every picture, then end."
        ),
    ] = False,
) -> None:
    """Watch cameras and publish their frames to Kafka (MIEN_BUS). Ctrl-C or SIGTERM stops.

    With --fast it ends when every frame has been acknowledged. Exit code 1: a recording could not be read
    to its end; 2: nothing was done.
    """
    from contextlib import ExitStack

    from mien import logs, scaled, wiring
    from mien.cli.summary import totals
    from mien.cli.watched import watched
    from mien.health_server import optionally
    from mien.metrics import Metrics
    from mien.settings import load
    from mien.signals import stopping
    from storage.registry import CameraRegistry
    from storage.standstill import let_go

    settings = load(config, database=database, fps=fps)
    logs.configure(settings.log_level)
    cluster = scaled.kafka(settings)
    cameras, watch = watched(settings, source, fps, fast, loop)
    with ExitStack() as stack:
        stop = stack.enter_context(stopping())
        metrics = Metrics()
        stack.enter_context(optionally(metrics, settings))
        engine = wiring.database(settings)
        stack.callback(engine.dispose)
        stack.enter_context(let_go(engine, stop))
        CameraRegistry(engine).sync(cameras)
        partitions = scaled.wait_for_partitions(cluster, stop)
        if partitions is None:
            return
        ingestion, tally = scaled.ingestion(settings, engine, watch, partitions, metrics)
        failures = ingestion.run(stop)
    Console().print(totals(tally.cameras(), failures))
    if failures:
        raise typer.Exit(UNREADABLE)
