"""`mien db`: the database's version, roles, upkeep and soundness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mien.cli.options import Config, Database

if TYPE_CHECKING:
    import sqlalchemy as sa
    from pydantic import SecretStr

    from mien.settings import Settings
    from storage.partitions import Day
    from storage.roles import Role

UNSOUND = 1
"""Exit code of `check`: something does not hold."""

app = typer.Typer(
    help="The database: bring it up to date, keep it in order, delete what is old, check it.",
    no_args_is_help=True,
)


@app.command()
def upgrade(
    writer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="PostgreSQL: the role that workers store as; made where it is missing, with "
            "MIEN_WRITER_PASSWORD.",
        ),
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="PostgreSQL: the role that dashboards read as; made where it is missing, with "
            "MIEN_READER_PASSWORD.",
        ),
    ] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Bring the database to this program's version, as its owner. Safe to repeat."""
    from mien.upkeep import now_us
    from storage.maintenance import make_days
    from storage.roles import grant
    from storage.versions import version

    with _opened(config, database) as (engine, settings):
        with engine.connect() as connection:
            _say(f"version {version(connection).current}")
        storing, reading = _role(writer, settings.writer_password), _role(reader, settings.reader_password)
        if storing or reading:
            grant(engine, storing, reading)
            _say(
                *(f"{role.name} may {verb}" for role, verb in ((storing, "store"), (reading, "read")) if role)
            )
        _say(*_days(make_days(engine, now_us())))


@app.command("maintain")
def keep_up(
    every: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="Do it again and again until SIGTERM; `/healthz` answers on MIEN_HEALTH_PORT.",
        ),
    ] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """What a database needs every few hours, as its owner: delete what is old, make days ahead, close
    visits that lost their worker. `mien run` does it by itself where it may.
    """
    from mien import logs
    from mien.health_server import optionally
    from mien.metrics import Metrics
    from mien.signals import stopping
    from mien.upkeep import now_us, repeat, retention
    from storage.maintenance import maintain

    with _opened(config, database) as (engine, settings):

        def once() -> None:
            done = maintain(engine, retention(settings), now_us())
            _say(
                _rows("deleted", done.deleted),
                *_days(done.made),
                f"closed {done.closed} visits that lost their worker",
            )

        if every is None:
            once()
            return
        logs.configure(settings.log_level)
        metrics = Metrics()
        with stopping() as stop, optionally(metrics, settings):
            repeat(once, every, stop, metrics.beat)


@app.command()
def purge(
    before: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="Delete everything that was seen before this day (UTC).",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really delete what lies before DATE.")] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Delete what is older than the settings say, or than DATE, now.

    Exit code 2: DATE was given without --yes; nothing was deleted.
    """
    from mien.errors import SettingsError
    from mien.upkeep import now_us, retention
    from storage import retention as rows
    from storage.maintenance import make_days

    with _opened(config, database) as (engine, settings):
        if before is None:
            cutoffs = retention(settings).cutoffs(now_us())
        else:
            cutoffs = rows.cutoffs_before(round(before.replace(tzinfo=UTC).timestamp() * 1e6))
            if not yes:
                doomed = _rows("", rows.count(engine, cutoffs))
                raise SettingsError(f"--before {before:%Y-%m-%d}: would delete{doomed}; add --yes to do it")
        _say(_rows("deleted", rows.purge(engine, cutoffs)))
        make_days(engine, now_us())  # DATE may lie in the future: today went with the rest.


@app.command()
def check(config: Config = None, database: Database = None) -> None:
    """Count anew what should always hold: days, positions, visits, rollup, observations. Changes nothing.

    Exit code 1: something does not hold.
    """
    from mien.upkeep import now_us
    from storage.check import check as look

    with _opened(config, database, read_only=True) as (engine, _):
        findings = look(engine, now_us())
    console = Console()
    for each in findings:
        mark = "[green]ok[/]" if each.fine else "[red]no[/]"
        console.print(f"{mark}  {each.what}: {each.found}", highlight=False, soft_wrap=True)
    if not all(each.fine for each in findings):
        raise typer.Exit(UNSOUND)


@contextmanager
def _opened(
    config: Config, database: Database, read_only: bool = False
) -> Iterator[tuple[sa.Engine, Settings]]:
    """The database; what it does not do in between is a StorageError."""
    import sqlalchemy as sa

    from mien.settings import load
    from storage.engine import cause, open_database, shown
    from storage.errors import StorageError

    settings = load(config, database=database)
    engine = open_database(settings.database, read_only)
    try:
        yield engine, settings
    except sa.exc.DBAPIError as error:
        raise StorageError(f"database {shown(settings.database)}: {cause(error)}") from error
    finally:
        engine.dispose()


def _role(name: str | None, password: SecretStr | None) -> Role | None:
    from storage.roles import Role

    return Role(name, password.get_secret_value() if password else None) if name else None


def _days(made: Mapping[str, list[Day]]) -> list[str]:
    from storage.partitions import dates

    return [f"made days of {table}: {dates(days)}" for table, days in made.items()]


def _rows(verb: str, counts: Mapping[str, int]) -> str:
    some = ", ".join(f"{count:,} {table}" for table, count in counts.items() if count)
    return f"{verb} {some or 'nothing'}"


def _say(*lines: str) -> None:
    for line in lines:
        Console().print(line, markup=False, highlight=False, soft_wrap=True)
