"""`mien cameras`: the camera registry, whose changes a running Mien applies."""

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
"""Exit code of `test`: the camera delivers no picture, or none that can be analysed."""

app = typer.Typer(
    help="Manage the cameras. A running Mien applies every change within seconds.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The camera's id.")]


@app.command("list")
def list_cameras(config: Config = None, database: Database = None) -> None:
    """Show every camera with its last reported state."""
    from common.clock import wall_clock_us
    from ingest.cameras import redact
    from mien.settings import load
    from mien.wiring.parts import open_settings_database
    from storage.camera_status import read_camera_status
    from storage.registry import CameraRegistry

    engine = open_settings_database(load(config, database=database))
    sources = {camera.id: camera.source for camera in CameraRegistry(engine).cameras()}
    folded = [Column(name, overflow="fold") for name in ("Id", "Name", "Site", "Zone", "Source")]
    table = Table(*folded, "State", "fps", "Reason")
    for status in read_camera_status(engine, wall_clock_us()):
        row = (status.camera_id, status.name, status.site, status.zone, redact(sources[status.camera_id]))
        table.add_row(*map(escape, row), status.condition.value, f"{status.fps:.1f}", escape(status.reason))
    Console().print(table if table.row_count else "no cameras yet; add one with `mien cameras add ID SOURCE`")


@app.command()
def add(
    camera_id: Annotated[str, typer.Argument(metavar="ID", help="1 to 64 of a-z 0-9 . _ -")],
    source: Annotated[
        str, typer.Argument(help="As for `mien run`. Write a password as ${NAME}, an environment variable.")
    ],
    name: Annotated[str, typer.Option(help="Name on the dashboard.")] = "",
    site: Annotated[str, typer.Option(help="Shop.")] = "",
    zone: Annotated[str, typer.Option(help="Area of the shop that it shows.")] = "",
    fps: Annotated[
        float | None, typer.Option(min=0.1, max=120, help="Frames per second (default: the setting fps).")
    ] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Register a camera; a running Mien starts to capture it within seconds."""
    from ingest.sources import check_source
    from storage.registry import CameraRow

    row = CameraRow(camera_id, source, name or camera_id, site, zone, fps)
    check_source(source, os.environ)
    _registry(config, database).add(row)
    Console().print(f"added {camera_id}; `mien cameras test {camera_id}` checks it", highlight=False)


@app.command()
def sync(config: Config = None, database: Database = None) -> None:
    """Register or update the cameras of mien.yaml; all other cameras stay unchanged.

    `mien run` and `mien ingest` do this when they start.
    """
    from mien.settings import load
    from mien.wiring.parts import configured_cameras, open_registry

    settings = load(config, database=database)
    cameras = configured_cameras(settings)
    open_registry(settings).sync(cameras)
    ids = ", ".join(camera.id for camera in cameras) or "none: the configuration names no cameras"
    Console().print(f"registered {ids}", highlight=False, soft_wrap=True)


@app.command("test")
def check_camera(
    camera: Annotated[str, typer.Argument(metavar="ID|SOURCE", help="A registered camera, or any source.")],
    seconds: Annotated[float, typer.Option(min=1, max=60, help="How long to read it.")] = 3.0,
    config: Config = None,
    database: Database = None,
) -> None:
    """Read a camera for some seconds and check its frame rate, brightness and face sizes. Stores nothing.

    Exit code 1: it delivers no picture, or none that can be analysed.
    """
    from mien.cli.probe import judge, probe
    from storage.errors import DatabaseError, StorageError

    try:
        source = _registry(config, database).get(camera).source
    except DatabaseError:
        raise
    except StorageError:  # No camera has this id.
        source = camera
    report = probe(source, seconds)
    console = Console()
    verdicts = judge(report)
    for fine, line in verdicts:
        console.print(f"[{'green' if fine else 'red'}]{'ok' if fine else 'no'}[/]  {line}", highlight=False)
    if not all(fine for fine, _ in verdicts):
        raise typer.Exit(UNUSABLE)


@app.command()
def remove(camera_id: Id, config: Config = None, database: Database = None) -> None:
    """Remove a camera from the registry; its visits stay."""
    _registry(config, database).remove(camera_id)
    Console().print(f"removed {camera_id}; its visits stay", highlight=False)


@app.command()
def pause(
    camera_id: Id,
    reason: Annotated[str, typer.Option(help="Shown on the dashboard.")] = "by an operator",
    config: Config = None,
    database: Database = None,
) -> None:
    """Stop capturing a camera until it is resumed."""
    _registry(config, database).pause(camera_id, reason)
    Console().print(f"paused {camera_id}", highlight=False)


@app.command()
def resume(camera_id: Id, config: Config = None, database: Database = None) -> None:
    """Capture a paused camera again."""
    _registry(config, database).resume(camera_id)
    Console().print(f"resumed {camera_id}", highlight=False)


def _registry(config: Config, database: Database) -> CameraRegistry:
    from mien.settings import load
    from mien.wiring.parts import open_registry

    return open_registry(load(config, database=database))
