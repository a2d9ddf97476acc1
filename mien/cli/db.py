"""`mien db`: version, roles, upkeep, deletion and integrity check of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mien.cli.options import Config, Database

if TYPE_CHECKING:
    from pydantic import SecretStr

    from mien.settings import Settings
    from storage.day_partitions import DayPartition
    from storage.engine import Database as OpenDatabase
    from storage.roles import Role

UNSOUND = 1
"""Exit code of `check`: a check has failed."""

app = typer.Typer(
    help="Upgrade, maintain, purge and check the database.",
    no_args_is_help=True,
)


@app.command()
def upgrade(
    writer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="PostgreSQL: role for `mien work` and `mien ingest`; created if missing, with the password "
            "MIEN_WRITER_PASSWORD.",
        ),
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="PostgreSQL: role for a dashboard that only shows figures, and for `mien db check`; created "
            "if missing, with the password "
            "MIEN_READER_PASSWORD.",
        ),
    ] = None,
    operator: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="PostgreSQL: role for a dashboard at which people sign in or change anything; created if "
            "missing, with the password MIEN_OPERATOR_PASSWORD.",
        ),
    ] = None,
    analyst: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="PostgreSQL: role for business-intelligence tools, which reads the views `analyst_*` alone; "
            "created if missing, with the password MIEN_ANALYST_PASSWORD.",
        ),
    ] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Upgrade the tables to this program's version, as their owner. Safe to repeat."""
    from common.clock import wall_clock_us
    from storage.maintenance import create_day_partitions
    from storage.roles import Roles, grant
    from storage.versions import read_version

    with _opened(config, database) as (engine, settings):
        with engine.connect() as connection:
            _print(f"version {read_version(connection).current}")
        roles = Roles(
            _role(writer, settings.writer_password),
            _role(reader, settings.reader_password),
            _role(analyst, settings.analyst_password),
            _role(operator, settings.operator_password),
        )
        if roles != Roles():
            warnings = grant(engine, roles, settings.suppress_below)
            verbs = (
                (roles.writer, "store"),
                (roles.reader, "read"),
                (roles.operator, "read, and change what people change at the dashboard"),
                (roles.analyst, "read the views"),
            )
            _print(*(f"{role.name} may {verb}" for role, verb in verbs if role))
            _print(*(f"warning: {each}" for each in warnings))
        _print(*_format_days(create_day_partitions(engine, wall_clock_us())))


@app.command("maintain")
def maintain_database(
    every: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="Repeat until SIGTERM, with `/healthz` on MIEN_HEALTH_PORT.",
        ),
    ] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Delete expired rows, create partitions for the next days, close visits whose worker died.

    To be run every few hours as the owner of the tables; `mien run` does it itself where it is the owner.
    """
    from common.clock import wall_clock_us
    from mien import logs
    from mien.health_server import serve_health
    from mien.metrics import Metrics
    from mien.signals import stop_on_signal
    from mien.upkeep import read_retention, repeat
    from storage.maintenance import maintain
    from storage.rollups import roll_up

    with _opened(config, database) as (engine, settings):

        def maintain_once(progress: Callable[[], None] = lambda: None) -> None:
            done = maintain(engine, read_retention(engine, settings), wall_clock_us(), progress)
            hours = roll_up(engine, wall_clock_us(), settings.timezone, lambda _: progress())
            _print(
                _format_rows("deleted", done.deleted),
                *_format_days(done.created),
                f"closed {done.closed} visits whose worker died",
                f"rolled up {hours} hours",
            )

        if every is None:
            maintain_once()
            return
        logs.configure(settings.log_level)
        metrics = Metrics()
        with stop_on_signal() as stop, serve_health(metrics, settings):
            repeat(maintain_once, every, stop, metrics.record_heartbeat)


@app.command()
def purge(
    before: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="Delete all rows of the time before this day (UTC).",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm the deletion of rows before DATE.")] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Delete rows that are older than the settings allow, or older than DATE.

    Exit code 2: DATE was given without --yes; nothing was deleted.
    """
    from common.clock import wall_clock_us
    from mien.errors import SettingsError
    from mien.upkeep import read_retention
    from storage import retention
    from storage.maintenance import create_day_partitions

    with _opened(config, database) as (engine, settings):
        if before is None:
            cutoffs = read_retention(engine, settings).cutoffs(wall_clock_us())
        else:
            cutoffs = retention.cutoffs_before(round(before.replace(tzinfo=UTC).timestamp() * 1e6))
            if not yes:
                expired = _format_rows("", retention.count_expired(engine, cutoffs))
                raise SettingsError(f"--before {before:%Y-%m-%d}: would delete{expired}; add --yes to do it")
        _print(_format_rows("deleted", retention.purge(engine, cutoffs)))
        # DATE may be in the future: then the partition of today was deleted, too.
        create_day_partitions(engine, wall_clock_us())


@app.command()
def check(config: Config = None, database: Database = None) -> None:
    """Check the integrity: partitions, positions, visits, rollup, observations, counts. Changes nothing.

    Exit code 1: a check has failed.
    """
    from common.clock import wall_clock_us
    from storage.check import check_database

    with _opened(config, database, read_only=True) as (engine, _):
        findings = check_database(engine, wall_clock_us())
    console = Console()
    for each in findings:
        mark = "[green]ok[/]" if each.passed else "[red]no[/]"
        line = escape(f"{each.subject}: {each.details}")
        console.print(f"{mark}  {line}", highlight=False, soft_wrap=True)
    if not all(each.passed for each in findings):
        raise typer.Exit(UNSOUND)


@contextmanager
def _opened(
    config: Config, database: Database, read_only: bool = False
) -> Iterator[tuple[OpenDatabase, Settings]]:
    """The database of the settings; its errors within the block become StorageErrors that name its URL."""
    from mien.settings import load
    from storage.engine import open_database, redact_url
    from storage.errors import DatabaseError, StorageError

    settings = load(config, database=database)
    engine = open_database(settings.database, read_only)
    try:
        yield engine, settings
    except DatabaseError as error:
        raise StorageError(f"database {redact_url(settings.database)}: {error}") from error
    finally:
        engine.dispose()


def _role(name: str | None, password: SecretStr | None) -> Role | None:
    from storage.roles import Role

    return Role(name, password.get_secret_value() if password else None) if name else None


def _format_days(created: Mapping[str, list[DayPartition]]) -> list[str]:
    from storage.day_partitions import date_range

    return [f"created day partitions of {table}: {date_range(days)}" for table, days in created.items()]


def _format_rows(verb: str, counts: Mapping[str, int]) -> str:
    parts = ", ".join(f"{count:,} {table}" for table, count in counts.items() if count)
    return f"{verb} {parts or 'nothing'}"


def _print(*lines: str) -> None:
    for line in lines:
        Console().print(line, markup=False, highlight=False, soft_wrap=True)
