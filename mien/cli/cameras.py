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
    from storage.camera_status import CameraStatus
    from storage.registry import CameraRegistry

UNUSABLE = 1
"""Exit code of `test`: the camera delivers no picture, or none that can be analysed."""

app = typer.Typer(
    help="Manage the cameras. A running Mien applies every change within seconds.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The camera's id.")]
Name = Annotated[str | None, typer.Option(help="Name on the dashboard.")]
Site = Annotated[str | None, typer.Option(help="Shop.")]
Zone = Annotated[str | None, typer.Option(help="Area of the shop that it shows.")]
Fps = Annotated[
    float | None, typer.Option(min=0.1, max=120, help="Frames per second (default: the setting fps).")
]
Purpose = Annotated[str | None, typer.Option(help="What the camera is for, in a sentence.")]
NoticeAt = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Since when visitors are informed.")]


@app.command("list")
def list_cameras(config: Config = None, database: Database = None) -> None:
    """Show every camera with its last reported state."""
    from common.clock import wall_clock_us
    from common.log_lines import one_line
    from common.redaction import redact_source
    from common.timezones import open_timezone
    from mien.settings import load
    from mien.wiring.registry import opened_database
    from storage.camera_status import read_camera_status
    from storage.registry import CameraRegistry

    settings = load(config, database=database)
    with opened_database(settings) as engine:
        shown = read_camera_status(engine, wall_clock_us(), open_timezone(settings.timezone))
        sources = {camera.id: camera.source for camera in CameraRegistry(engine).cameras()}
    folded = [Column(name, overflow="fold") for name in ("Id", "Name", "Site", "Zone", "Source")]
    captured_by = Column("Captured by", overflow="fold")
    table = Table(*folded, "State", "fps", "Reason", "Policy", captured_by)
    for status in shown:
        row = (
            status.camera_id,
            status.name,
            status.site,
            status.zone,
            redact_source(sources.get(status.camera_id, "")),
        )
        state = (
            status.condition.value,
            f"{status.fps:.1f}",
            status.reason,
            _describe_policy(status),
            status.captured_by,
        )
        table.add_row(*(escape(one_line(text)) for text in (*row, *state)))
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
    name: Name = None,
    site: Site = None,
    zone: Zone = None,
    fps: Fps = None,
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
    purpose: Purpose = None,
    notice_at: NoticeAt = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Register a camera; a running Mien starts to capture it within seconds."""
    from common.access import LOCAL
    from common.source_identity import whole_source
    from ingest.sources import check_source
    from mien.settings import load
    from mien.wiring.registry import open_registry
    from mien.wiring.source_rules import create_source_rules
    from storage.registry import CameraRow

    settings = load(config, database=database)
    row = CameraRow(
        camera_id,
        whole_source(source),
        name or camera_id,
        site or "",
        zone or "",
        fps,
        thorough=thorough,
        purpose=purpose or "",
        notice_at=notice_at or "",
    )
    check_source(row.source, create_source_rules(settings))
    with open_registry(settings) as registry:
        registry.add(LOCAL, row, continue_history=continue_history)
    Console().print(f"added {camera_id}; `mien cameras test {camera_id}` checks it", highlight=False)


@app.command()
def sync(config: Config = None, database: Database = None) -> None:
    """Register or update the cameras of mien.yaml; all other cameras stay unchanged.

    `mien run` and `mien ingest` do this when they start.
    """
    from common.access import LOCAL
    from mien import logs
    from mien.settings import load
    from mien.wiring.registry import configured_cameras, configured_policies, open_registry
    from mien.wiring.source_rules import camera_secrets

    settings = load(config, database=database)
    logs.configure(settings.log_level, camera_secrets(settings))
    cameras = configured_cameras(settings)
    with open_registry(settings) as registry:
        registry.sync(LOCAL, cameras, configured_policies(settings))
    ids = ", ".join(camera.id for camera in cameras) or "none: the configuration names no cameras"
    Console().print(f"registered {ids}", highlight=False, soft_wrap=True)


@app.command("test")
def check_camera(
    camera: Annotated[str, typer.Argument(metavar="ID|SOURCE", help="A registered camera, or any source.")],
    seconds: Annotated[float, typer.Option(min=1, max=60, help="How long to read it.")] = 3.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with a picture in which faces are blurred.")
    ] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Read a camera for some seconds and check its frame rate, brightness and face sizes. Stores nothing.

    The regions that are masked are left out, and faces are searched as they are for this camera: thoroughly
    or not. Exit code 1: it delivers no picture, or a line begins with `no`.
    """
    import json

    from mien.cli.probe import judge, probe, to_json
    from mien.settings import load
    from mien.wiring.registry import open_registry
    from mien.wiring.source_rules import create_source_rules

    settings = load(config, database=database)
    with open_registry(settings) as registry:
        known = {row.id: row for row in registry.cameras()}.get(camera)
    source, masks = (known.source, known.masks) if known else (camera, ())
    thorough = known is not None and known.thorough
    report = probe(source, seconds, create_source_rules(settings), masks, thorough=thorough)
    console = Console()
    verdicts = judge(report)
    if as_json:
        print(json.dumps(to_json(report)))  # noqa: T201 - for programs
    for fine, line in () if as_json else verdicts:
        mark = "[green]ok[/]" if fine else "[red]no[/]"
        console.print(f"{mark}  {escape(line)}", highlight=False)
    if not all(fine for fine, _ in verdicts):
        raise typer.Exit(UNUSABLE)


@app.command()
def remove(camera_id: Id, config: Config = None, database: Database = None) -> None:
    """Remove a camera from the registry; its visits stay."""
    from common.access import LOCAL

    with _registry(config, database) as registry:
        registry.remove(LOCAL, camera_id)
    Console().print(f"removed {camera_id}; its visits stay", highlight=False)


@app.command()
def pause(
    camera_id: Id,
    reason: Annotated[str, typer.Option(help="Shown on the dashboard.")] = "by an operator",
    config: Config = None,
    database: Database = None,
) -> None:
    """Stop capturing a camera until it is resumed."""
    from common.access import LOCAL

    with _registry(config, database) as registry:
        registry.pause(LOCAL, camera_id, reason)
    Console().print(f"paused {camera_id}", highlight=False)


@app.command()
def resume(camera_id: Id, config: Config = None, database: Database = None) -> None:
    """Capture a paused camera again."""
    from common.access import LOCAL

    with _registry(config, database) as registry:
        registry.resume(LOCAL, camera_id)
    Console().print(f"resumed {camera_id}", highlight=False)


@app.command()
def edit(
    camera_id: Id,
    name: Name = None,
    site: Site = None,
    zone: Zone = None,
    source: Annotated[str | None, typer.Option(help="Its new address, as for `mien cameras add`.")] = None,
    fps: Fps = None,
    default_fps: Annotated[bool, typer.Option("--default-fps", help="The setting fps again.")] = False,
    thorough: Annotated[
        bool | None, typer.Option("--thorough/--no-thorough", help="Whether small faces are searched.")
    ] = None,
    purpose: Purpose = None,
    notice_at: NoticeAt = None,
    continue_history: Annotated[
        bool, typer.Option("--continue-history", help="The new source takes the place of the former one.")
    ] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Change what is given of a camera; a running Mien applies it within seconds."""
    from common.access import LOCAL
    from common.source_identity import whole_source
    from ingest.sources import check_source
    from mien.errors import SettingsError
    from mien.settings import load
    from mien.wiring.registry import open_registry
    from mien.wiring.source_rules import create_source_rules

    settings = load(config, database=database)
    texts = {"name": name, "site": site, "zone": zone, "purpose": purpose, "notice_at": notice_at}
    given: dict[str, object] = {**texts, "fps": fps, "thorough": thorough}
    changes = {key: value for key, value in given.items() if value is not None}
    if default_fps:
        changes["fps"] = None
    if source is not None:
        changes["source"] = whole_source(source)
        check_source(whole_source(source), create_source_rules(settings))
    if not changes:
        raise SettingsError("nothing to change: give at least one option; `mien cameras edit --help`")
    with open_registry(settings) as registry:
        registry.edit(LOCAL, camera_id, changes, continue_history=continue_history)
    Console().print(f"changed {', '.join(changes)} of {camera_id}", highlight=False)


@app.command()
def schedule(
    camera_id: Id,
    open_hours: Annotated[
        str,
        typer.Argument(metavar="HOURS", help='Such as "Mo-Sa 09:00-20:00, Fr 22:00-02:00", or "always".'),
    ],
    config: Config = None,
    database: Database = None,
) -> None:
    """Capture a camera in its opening hours alone, in the time zone of the setting timezone."""
    from common.access import LOCAL

    with _registry(config, database) as registry:
        registry.set_schedule(LOCAL, camera_id, "" if open_hours.strip() == "always" else open_hours)
    Console().print(f"{camera_id}: {escape(open_hours)}", highlight=False)


@app.command()
def mask(
    camera_id: Id,
    regions: Annotated[
        str,
        typer.Argument(
            metavar="REGIONS",
            help="JSON list of rectangles [x, y, width, height] or polygons [[x, y], ...] in fractions of "
            'the picture, such as "[[0, 0.5, 0.3, 0.5]]"; "none" removes all.',
        ),
    ],
    config: Config = None,
    database: Database = None,
) -> None:
    """Blank regions of a camera's pictures at capture, in place of its former masks."""
    from common.access import LOCAL
    from common.masks import MaskError, covered_share, parse_masks
    from mien.errors import SettingsError

    try:
        masks = parse_masks("" if regions.strip() == "none" else regions)
    except MaskError as error:
        raise SettingsError(str(error)) from error
    with _registry(config, database) as registry:
        registry.set_masks(LOCAL, camera_id, masks)
    share = f"{len(masks)} masks, {covered_share(masks):.0%} of the picture" if masks else "no masks"
    Console().print(f"{camera_id}: {share}", highlight=False)


@app.command()
def switch(
    camera_id: Id,
    expression: Annotated[bool | None, typer.Option("--expression/--no-expression")] = None,
    gender: Annotated[bool | None, typer.Option("--gender/--no-gender")] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Switch the estimates of expression and gender on or off; what is off is not computed."""
    from common.access import LOCAL
    from mien.errors import SettingsError

    if expression is None and gender is None:
        raise SettingsError("nothing to switch: give --no-expression, --expression, --no-gender or --gender")
    with _registry(config, database) as registry:
        before = registry.get(camera_id)
        on = before.read_expression if expression is None else expression
        gender_on = before.read_gender if gender is None else gender
        registry.set_switches(LOCAL, camera_id, expression=on, gender=gender_on)
    words = {True: "on", False: "off"}
    Console().print(f"{camera_id}: expression {words[on]}, gender {words[gender_on]}", highlight=False)


def _describe_policy(status: CameraStatus) -> str:
    """What limits a camera, in a few words; empty where nothing does."""
    parts = [status.open_hours]
    if status.masks:
        parts.append(f"{status.masks} masks")
    parts += ["no expression"] * (not status.read_expression) + ["no gender"] * (not status.read_gender)
    return "; ".join(part for part in parts if part)


def _registry(config: Config, database: Database) -> AbstractContextManager[CameraRegistry]:
    from mien.settings import load
    from mien.wiring.registry import open_registry

    return open_registry(load(config, database=database))
