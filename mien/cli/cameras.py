"""`mien cameras`: the registry that a running Mien follows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from mien.cli.options import Config, Database

if TYPE_CHECKING:
    from storage.registry import CameraRegistry

UNUSABLE = 1
"""Exit code of `test`: the camera delivers nothing, or nothing that can be analysed."""

app = typer.Typer(
    help="The cameras that are watched: a running Mien follows every change.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The camera's id.")]


@app.command("list")
def list_cameras(config: Config = None, database: Database = None) -> None:
    """Show every camera with its state, as last reported."""
    from ingest.cameras import redact
    from mien import wiring
    from mien.settings import load
    from mien.upkeep import now_us
    from storage.health import cameras
    from storage.registry import CameraRegistry

    engine = wiring.database(load(config, database=database))
    sources = {camera.id: camera.source for camera in CameraRegistry(engine).cameras()}
    folded = [Column(name, overflow="fold") for name in ("Id", "Name", "Site", "Zone", "Source")]
    table = Table(*folded, "State", "fps", "Reason")
    for status in cameras(engine, now_us()):
        row = (status.camera_id, status.name, status.site, status.zone, redact(sources[status.camera_id]))
        table.add_row(*map(escape, row), status.condition.value, f"{status.fps:.1f}", escape(status.reason))
    Console().print(table if table.row_count else "no cameras yet; add one with `mien cameras add ID SOURCE`")


@app.command()
def add(
    camera_id: Annotated[str, typer.Argument(metavar="ID", help="1 to 64 of a-z 0-9 . _ -")],
    source: Annotated[
        str, typer.Argument(help="As for `mien run`; write passwords as ${NAME}, never in the open.")
    ],
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    site: Annotated[str, typer.Option(help="The shop.")] = "",
    zone: Annotated[str, typer.Option(help="What it looks at.")] = "",
    fps: Annotated[float | None, typer.Option(min=0.1, max=120, help="Pictures per second.")] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Register a camera; a running Mien begins to watch it within seconds."""
    from ingest.sources import check_source
    from storage.registry import CameraRow

    row = CameraRow(camera_id, source, name or camera_id, site, zone, fps)
    check_source(source, os.environ)
    _registry(config, database).add(row)
    Console().print(f"added {camera_id}; `mien cameras test {camera_id}` looks through it", highlight=False)


@app.command()
def sync(config: Config = None, database: Database = None) -> None:
    """Register the cameras of mien.yaml, or bring them up to date; all others stay as they are.

    `mien run` and `mien ingest` do this at their start.
    """
    from mien import wiring
    from mien.settings import load

    settings = load(config, database=database)
    cameras = wiring.configured_cameras(settings)
    wiring.registry(settings).sync(cameras)
    words = ", ".join(camera.id for camera in cameras) or "none: the configuration names no cameras"
    Console().print(f"registered {words}", highlight=False, soft_wrap=True)


@app.command("test")
def look(
    camera: Annotated[str, typer.Argument(metavar="ID|SOURCE", help="A registered camera, or any source.")],
    seconds: Annotated[float, typer.Option(min=1, max=60, help="How long to look.")] = 3.0,
    config: Config = None,
    database: Database = None,
) -> None:
    """Look through a camera: what comes, how often, are faces large and bright enough. Saves nothing.

    Exit code 1: nothing that can be analysed comes.
    """
    from mien.cli.probe import probe, verdicts
    from storage.errors import StorageError

    try:
        source = _registry(config, database).get(camera).source
    except StorageError:
        source = camera
    report = probe(source, seconds)
    console = Console()
    for fine, line in verdicts(report):
        console.print(f"[{'green' if fine else 'red'}]{'ok' if fine else 'no'}[/]  {line}", highlight=False)
    if not all(fine for fine, _ in verdicts(report)):
        raise typer.Exit(UNUSABLE)


@app.command()
def remove(camera_id: Id, config: Config = None, database: Database = None) -> None:
    """Forget a camera; what it saw stays."""
    _registry(config, database).remove(camera_id)
    Console().print(f"removed {camera_id}; what it saw stays", highlight=False)


@app.command()
def pause(
    camera_id: Id,
    reason: Annotated[str, typer.Option(help="Shown on the dashboard.")] = "by an operator",
    config: Config = None,
    database: Database = None,
) -> None:
    """Stop watching a camera until it is resumed."""
    _registry(config, database).pause(camera_id, reason)
    Console().print(f"paused {camera_id}", highlight=False)


@app.command()
def resume(camera_id: Id, config: Config = None, database: Database = None) -> None:
    """Watch a paused camera again."""
    _registry(config, database).resume(camera_id)
    Console().print(f"resumed {camera_id}", highlight=False)


def _registry(config: Config, database: Database) -> CameraRegistry:
    from mien import wiring
    from mien.settings import load

    return wiring.registry(load(config, database=database))
