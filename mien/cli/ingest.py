"""`mien ingest`: cameras to Kafka, for workers in other processes."""

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
        typer.Option("--fast", help="Read recordings as fast as Kafka takes every frame, then end."),
    ] = False,
) -> None:
    """Capture cameras and publish their frames to Kafka (MIEN_BUS). Ctrl-C or SIGTERM stops.

    With --fast it ends when every frame is acknowledged. Exit code 1: a recording could not be read to its
    end; 2: nothing was done.
    """
    from mien import logs
    from mien.cli.run_table import build_table
    from mien.cli.sources import choose_cameras
    from mien.loops.ingest import run_ingestion
    from mien.settings import load
    from mien.wiring.scaled import kafka_settings
    from mien.wiring.source_rules import camera_secrets

    settings = load(config, database=database, fps=fps)
    logs.configure(settings.log_level, camera_secrets(settings))
    kafka_settings(settings)  # An unusable bus is reported before an unusable source.
    cameras, options = choose_cameras(settings, source, fps, fast, loop)
    result = run_ingestion(settings, cameras, options)
    if result is None:
        return
    Console().print(build_table(result))
    if result.failures:
        raise typer.Exit(UNREADABLE)
