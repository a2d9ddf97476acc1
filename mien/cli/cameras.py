"""`mien cameras`: the camera registry, whose changes a running Mien applies."""

from __future__ import annotations

from contextlib import AbstractContextManager
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
    from common.redaction import redact_source
    from mien.settings import load
    from mien.wiring.parts import open_settings_database
    from storage.camera_status import read_camera_status
    from storage.registry import CameraRegistry

    engine = open_settings_database(load(config, database=database))
    sources = {camera.id: camera.source for camera in CameraRegistry(engine).cameras()}
    folded = [Column(name, overflow="fold") for name in ("Id", "Name", "Site", "Zone", "Source")]
    table = Table(*folded, "State", "fps", "Reason", Column("Captured by", overflow="fold"))
    for status in read_camera_status(engine, wall_clock_us()):
        row = (
            status.camera_id,
            status.name,
            status.site,
            status.zone,
            redact_source(sources[status.camera_id]),
        )
        state = (
            status.condition.value,
            f"{status.fps:.1f}",
            escape(status.reason),
            escape(status.captured_by),
        )
        table.add_row(*map(escape, row), *state)
    Console().print(table if table.row_count else "no cameras yet; add one with `mien cameras add ID SOURCE`")


@app.command()
def add(
    camera_id: Annotated[str, typer.Argument(metavar="ID", help="1 to 64 of a-z 0-9 . _ -")],
    source: Annotated[
        str,
        typer.Argument(
            help="As for `mien run`. Write user and password as ${MIEN_CAMERA_...}, environment variables."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name on the dashboard.")] = "",
    site: Annotated[str, typer.Option(help="Shop.")] = "",
    zone: Annotated[str, typer.Option(help="Area of the shop that it shows.")] = "",
    fps: Annotated[
        float | None, typer.Option(min=0.1, max=120, help="Frames per second (default: the setting fps).")
    ] = None,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough", help="Find small faces in large pictures; many times slower, so lower --fps."
        ),
    ] = False,
    continue_history: Annotated[
        bool,
        typer.Option(
            "--continue-history",
            help="The id belonged to another source before, whose place this camera takes.",
        ),
    ] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Register a camera; a running Mien starts to capture it within seconds."""
    from common.source_identity import whole_source
    from ingest.sources import check_source
    from mien.settings import load
    from mien.wiring.parts import open_registry
    from mien.wiring.source_rules import create_source_rules
    from storage.registry import CameraRow

    settings = load(config, database=database)
    row = CameraRow(camera_id, whole_source(source), name or camera_id, site, zone, fps, thorough=thorough)
    check_source(row.source, create_source_rules(settings))
    with open_registry(settings) as registry:
        registry.add(row, continue_history=continue_history)
    Console().print(f"added {camera_id}; `mien cameras test {camera_id}` checks it", highlight=False)


@app.command()
def sync(config: Config = None, database: Database = None) -> None:
    """Register or update the cameras of mien.yaml; all other cameras stay unchanged.

    `mien run` and `mien ingest` do this when they start.
    """
    from mien import logs
    from mien.settings import load
    from mien.wiring.parts import configured_cameras, open_registry
    from mien.wiring.source_rules import camera_secrets

    settings = load(config, database=database)
    logs.configure(settings.log_level, camera_secrets(settings))
    cameras = configured_cameras(settings)
    with open_registry(settings) as registry:
        registry.sync(cameras)
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
    from mien.settings import load
    from mien.wiring.parts import open_registry
    from mien.wiring.source_rules import create_source_rules

    settings = load(config, database=database)
    with open_registry(settings) as registry:
        sources = {row.id: row.source for row in registry.cameras()}
    report = probe(sources.get(camera, camera), seconds, create_source_rules(settings))
    console = Console()
    verdicts = judge(report)
    for fine, line in verdicts:
        console.print(f"[{'green' if fine else 'red'}]{'ok' if fine else 'no'}[/]  {line}", highlight=False)
    if not all(fine for fine, _ in verdicts):
        raise typer.Exit(UNUSABLE)


@app.command()
def remove(camera_id: Id, config: Config = None, database: Database = None) -> None:
    """Remove a camera from the registry; its visits stay."""
    with _registry(config, database) as registry:
        registry.remove(camera_id)
    Console().print(f"removed {camera_id}; its visits stay", highlight=False)


@app.command()
def pause(
    camera_id: Id,
    reason: Annotated[str, typer.Option(help="Shown on the dashboard.")] = "by an operator",
    config: Config = None,
    database: Database = None,
) -> None:
    """Stop capturing a camera until it is resumed."""
    with _registry(config, database) as registry:
        registry.pause(camera_id, reason)
    Console().print(f"paused {camera_id}", highlight=False)


@app.command()
def resume(camera_id: Id, config: Config = None, database: Database = None) -> None:
    """Capture a paused camera again."""
    with _registry(config, database) as registry:
        registry.resume(camera_id)
    Console().print(f"resumed {camera_id}", highlight=False)


def _registry(config: Config, database: Database) -> AbstractContextManager[CameraRegistry]:
    from mien.settings import load
    from mien.wiring.parts import open_registry

    return open_registry(load(config, database=database))
