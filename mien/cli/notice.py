"""`mien notice`: the notice for the entrance as PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.options import Config, Database

if TYPE_CHECKING:
    from mien.settings import Settings


def notice(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The PDF that is written.")],
    language: Annotated[str, typer.Option(help="en or de.")] = "en",
    site: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the cameras of this site; default: all.")
    ] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Write the notice for the entrance: who, purpose, what is stored, how long, contact.

    From the settings operator_name and contact, and the purposes of the cameras.
    """
    from datetime import UTC, datetime

    from common.file_names import printable_name
    from mien.cli.output_file import write_output
    from mien.errors import SettingsError
    from mien.notice import Language, create_notice, render_notice
    from mien.protection import effective_settings
    from mien.settings import load
    from storage.content_scan import uses_broker
    from storage.engine import open_database
    from storage.registry import CameraRegistry

    if language not in set(Language):
        raise SettingsError(f"--language {language}: expected {' or '.join(Language)}")
    configured = load(config, database=database)
    engine = open_database(configured.database, read_only=True)
    try:
        settings = effective_settings(engine, configured)
        on_disks = uses_broker(engine)
        cameras = [each for each in CameraRegistry(engine).cameras() if site is None or each.site == site]
    finally:
        engine.dispose()
    if not cameras:
        where = f"of the site {site}" if site is not None else "registered"
        raise SettingsError(f"notice: there is no camera {where}; `mien cameras list` shows all")
    made = create_notice(settings, cameras, _pictures_s(settings, on_disks), datetime.now(UTC).date())
    pdf, missing = render_notice(made, Language(language))
    write_output(out, pdf)
    typer.echo(f"wrote {printable_name(str(out))}")
    if not made.purposes:
        typer.echo("warning: no camera has a purpose; `mien cameras edit` sets it", err=True)
    if missing:
        typer.echo(f"warning: no font of this machine has {missing}; written as ?", err=True)


def _pictures_s(settings: Settings, on_disks: bool) -> float | None:
    """For how long pictures lie on disks at most, in seconds; None where this is not known.

    `on_disks`: whether frames of the database came through Kafka, which the settings of this process need
    not name.
    """
    import os

    from bus.kafka.settings import parse_url
    from bus.kafka.topics import disk_times
    from mien.settings import EMBEDDED

    if settings.bus == EMBEDDED:
        return None if on_disks else 0.0
    frames, letters = (each.total_s for each in disk_times(parse_url(settings.bus, os.environ)))
    if not settings.dead_letter_originals:
        return frames
    return None if frames is None or letters is None else max(frames, letters)
