"""`mien notice`: the notice for the entrance as PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import Config, Database


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
    import os
    from datetime import UTC, datetime

    from bus.kafka.settings import parse_url
    from bus.kafka.topics import disk_times
    from mien.errors import SettingsError
    from mien.notice import Language, create_notice, render_notice
    from mien.protection import effective_settings
    from mien.settings import EMBEDDED, load
    from storage.engine import open_database
    from storage.registry import CameraRegistry

    if language not in set(Language):
        raise SettingsError(f"--language {language}: expected {' or '.join(Language)}")
    configured = load(config, database=database)
    engine = open_database(configured.database, read_only=True)
    try:
        settings = effective_settings(engine, configured)
        cameras = [each for each in CameraRegistry(engine).cameras() if site is None or each.site == site]
    finally:
        engine.dispose()
    if not cameras:
        where = f"of the site {site}" if site is not None else "registered"
        raise SettingsError(f"notice: there is no camera {where}; `mien cameras list` shows all")
    frames_s: float | None = 0.0
    if settings.bus != EMBEDDED:
        frames_s = disk_times(parse_url(settings.bus, os.environ))[0].total_s
    made = create_notice(settings, cameras, frames_s, datetime.now(UTC).date())
    pdf, missing = render_notice(made, Language(language))
    out.write_bytes(pdf)
    typer.echo(f"wrote {out}")
    if not made.purposes:
        typer.echo("warning: no camera has a purpose; `mien cameras edit` sets it", err=True)
    if missing:
        typer.echo(f"warning: no font of this machine has {missing}; written as ?", err=True)
