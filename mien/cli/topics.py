"""`mien topics`: what Mien needs in Kafka."""

from __future__ import annotations

import typer
from rich.console import Console

from mien.cli.options import Config

app = typer.Typer(help="The topics in Kafka.", no_args_is_help=True)


@app.callback()
def topics() -> None:
    """The topics in Kafka."""


@app.command()
def create(config: Config = None) -> None:
    """Make the topics that are missing, and set how long frames may lie there. Safe to repeat."""
    from bus.kafka.topics import create_topics
    from mien import scaled
    from mien.settings import load

    settings = load(config)
    cluster = scaled.kafka(settings)
    made = create_topics(
        cluster,
        settings.partitions,
        retention_minutes=settings.topic_minutes,
        replication=settings.topic_copies,
    )
    words = f"made {', '.join(made)}" if made else f"{cluster.topic} and {cluster.dead_letters} are there"
    Console().print(words, markup=False, highlight=False)
