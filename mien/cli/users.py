"""`mien users`: who may sign in at the dashboard with a password."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from common.access import LOCAL, Actor, Role
from mien.cli.options import Config, Database

if TYPE_CHECKING:
    from mien.settings import Settings
    from storage.engine import Database as OpenDatabase
    from storage.users import PasswordFile

app = typer.Typer(
    help="Manage who may sign in at the dashboard with a password. Changes apply within seconds.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="1 to 64 of a-z 0-9 . _ @ + -")]


@app.command()
def add(
    name: Name,
    role: Annotated[
        Role, typer.Option(help="An analyst reads figures; an operator reads and changes everything.")
    ] = Role.ANALYST,
    site: Annotated[
        list[str] | None,
        typer.Option(help="Site whose figures the analyst may read; repeat it. Default: all sites."),
    ] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Add a user. The password is asked for, or read from standard input if that is no terminal."""
    from storage.users import add_user

    with _opened(config, database) as (engine, file):
        new = Actor(name, role, frozenset(site) if site else None)
        add_user(engine, LOCAL, file, new, _read_password(name))
    Console().print(f"added {name}, {role}", highlight=False, markup=False)


@app.command()
def remove(name: Name, config: Config = None, database: Database = None) -> None:
    """Remove a user, whose sessions end within seconds."""
    from storage.users import remove_user

    with _opened(config, database) as (engine, file):
        remove_user(engine, LOCAL, file, name)
    Console().print(f"removed {name}", highlight=False, markup=False)


@app.command()
def password(name: Name, config: Config = None, database: Database = None) -> None:
    """Change a user's password; the user's sessions end within seconds."""
    from storage.users import change_password

    with _opened(config, database) as (engine, file):
        change_password(engine, LOCAL, file, name, _read_password(name))
    Console().print(f"changed the password of {name}", highlight=False, markup=False)


@app.command("list")
def show_users(config: Config = None) -> None:
    """Show all users with their roles and sites."""
    from mien.settings import load
    from storage.users import list_users

    users = list_users(LOCAL, _file(load(config)))
    table = Table("Name", "Role", Column("Sites", overflow="fold"))
    for user in users:
        sites = "all" if user.sites is None else ", ".join(sorted(user.sites))
        table.add_row(*map(escape, (user.name, str(user.role), sites)))
    Console().print(table if users else "no users yet; add one with `mien users add NAME`")


@contextmanager
def _opened(config: Config, database: Database) -> Iterator[tuple[OpenDatabase, PasswordFile]]:
    from mien.settings import load
    from mien.wiring.registry import opened_database

    settings = load(config, database=database)
    file = _file(settings)
    with opened_database(settings) as engine:
        yield engine, file


def _file(settings: Settings) -> PasswordFile:
    from mien.errors import SettingsError
    from storage.users import PasswordFile

    if settings.users_file is None:
        raise SettingsError(
            "users_file: is not set; name the password file, such as MIEN_USERS_FILE=users.json"
        )
    return PasswordFile(settings.users_file)


def _read_password(name: str) -> str:
    """The new password: asked for twice at a terminal, else the first line of standard input."""
    from mien.errors import SettingsError

    if sys.stdin.isatty():
        return str(typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True))
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SettingsError("password: standard input is not UTF-8 text") from None
