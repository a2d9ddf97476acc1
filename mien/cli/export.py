"""`mien export`: the figures of a period as a file, exactly as the page Trends draws them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mien.cli.options import Config, Database

if TYPE_CHECKING:
    from storage.figures.timeline import Timeline

_DATE = ["%Y-%m-%d"]


def export(
    out: Annotated[Path, typer.Argument(help="File to write: .csv or .parquet.", dir_okay=False)],
    first: Annotated[datetime, typer.Option("--from", formats=_DATE, help="First day, in the time zone.")],
    last: Annotated[datetime, typer.Option("--to", formats=_DATE, help="Last day, included.")],
    by: Annotated[str, typer.Option(metavar="SLOT", help="minute, '5 minutes', hour, day or week.")] = "day",
    camera: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Repeat it for several; default: all cameras.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="All cameras of a site.")] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Write the figures of a period, with definitions, filters, n, coverage and time zone inside."""
    from common.file_names import printable_name
    from mien.cli.output_file import write_output
    from mien.errors import SettingsError
    from mien.protection import effective_settings
    from mien.settings import load
    from storage.camera_status import read_camera_status
    from storage.engine import open_database
    from storage.figures.deleted import describe_deleted
    from storage.figures.selection import Choice
    from storage.figures.simulated import has_simulated_data
    from storage.figures.table import export_of, to_csv, to_parquet
    from storage.figures.trend import read_trend

    writers = {".csv": to_csv, ".parquet": to_parquet}
    if out.suffix not in writers:
        raise SettingsError(f"{out}: write a name that ends with .csv or .parquet")
    configured = load(config, database=database)
    timeline = _timeline(first.date(), last.date(), by, configured.timezone)
    engine = open_database(configured.database, read_only=True)
    try:
        settings = effective_settings(engine, configured)
        known = {each.camera_id: each.site for each in read_camera_status(engine, timeline.now)}
        unknown = sorted(set(camera or ()) - known.keys())
        if unknown:
            raise SettingsError(f"--camera {unknown[0]}: is not registered; `mien cameras list` shows all")
        if site is not None and site not in known.values():
            raise SettingsError(f"--site {site}: no camera is at this site")
        chosen = frozenset(
            each
            for each, its_site in known.items()
            if (not camera or each in camera) and (site is None or its_site == site)
        )
        if camera and not chosen:
            raise SettingsError(f"--camera, --site {site}: none of these cameras is at this site")
        cameras = chosen if camera or site else None
        trend = read_trend(engine, timeline, Choice(settings.suppress_below, cameras))
        filters = {
            "period": f"{first:%Y-%m-%d} to {last:%Y-%m-%d}",
            "cameras": "all" if cameras is None else ", ".join(sorted(cameras)),
        }
        if deleted := describe_deleted(timeline, settings.keep_visits_days):
            filters["deleted"] = deleted
        simulated = has_simulated_data(engine)
        found = export_of(timeline, trend, filters, settings.suppress_below, simulated)
    finally:
        engine.dispose()
    write_output(out, writers[out.suffix](found))
    note = " (simulated data)" if simulated else ""
    name = printable_name(str(out))
    Console().print(f"{name}: {len(found.rows)} rows{note}", highlight=False, soft_wrap=True, markup=False)


def _timeline(first: date, last: date, by: str, timezone: str) -> Timeline:
    from common.clock import wall_clock_us
    from common.timezones import open_timezone
    from mien.errors import SettingsError
    from storage.figures.timeline import Unit, WrongPeriod, day_timeline

    units = {unit.value: unit for unit in Unit}
    if by not in units:
        raise SettingsError(f"--by {by}: expected one of {', '.join(units)}")
    try:
        return day_timeline(first, last, units[by], wall_clock_us(), open_timezone(timezone))
    except WrongPeriod as error:
        raise SettingsError(f"--from, --to: {error}") from error
