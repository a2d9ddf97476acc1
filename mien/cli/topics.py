"""`mien topics`: the Kafka topics."""

from __future__ import annotations

import typer
from rich.console import Console

from mien.cli.options import Config

PATIENCE_S = 30.0
"""Seconds within which every broker has heard of a topic that was just created."""

app = typer.Typer(help="Create and update the Kafka topics.", no_args_is_help=True)


@app.callback()
def topics() -> None:
    """Create and update the Kafka topics."""


@app.command()
def create(config: Config = None) -> None:
    """Create missing topics, and set how long Kafka keeps frames. Safe to repeat."""
    from bus.kafka.topics import create_topics, disk_times
    from mien.settings import load
    from mien.wiring.scaled import kafka_settings

    settings = load(config)
    cluster = kafka_settings(settings)
    made = create_topics(
        cluster,
        settings.partitions,
        retention_minutes=settings.topic_minutes,
        replication=settings.topic_copies,
    )
    existing = f"{cluster.topic} and {cluster.dead_letters} exist"
    frames, letters = disk_times(cluster, patience_s=PATIENCE_S)
    _print(f"created {', '.join(made)}" if made else existing)
    _print(f"frames lie on the brokers' disks for {frames}")
    if settings.dead_letter_originals:
        _print(f"rejected frames (dead_letter_originals) for {letters}")


def _print(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)
