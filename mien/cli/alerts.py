"""`mien alerts`: the rules by which alerts are sent, and a test of the receivers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from common.access import LOCAL
from mien.cli.options import Config, Database

if TYPE_CHECKING:
    from mien.settings import Settings
    from storage.alert_rules import AlertKind, AlertRule
    from storage.engine import Database as OpenDatabase

UNDELIVERED = 1
"""Exit code of `test`: a receiver did not take the message."""

app = typer.Typer(
    help="Manage the alert rules, and test where alerts are sent. Changes apply within seconds.",
    no_args_is_help=True,
)


@app.command("list")
def list_rules(config: Config = None, database: Database = None) -> None:
    """Show all rules with what they report now, and the process that sends."""
    from common.log_lines import one_line
    from storage.alert_outbox import read_sender, receivers_of
    from storage.alert_rules import read_rules
    from storage.alert_states import count_firing

    with _opened(config, database) as (engine, _):
        rules, firing, sender = read_rules(engine), count_firing(engine), read_sender(engine)
    table = Table(*(Column(name, overflow="fold") for name in ("Id", "Name", "Rule", "Cameras", "State")))
    for rule in rules:
        state = "off" if not rule.enabled else f"{firing.get(rule.id, 0)} firing"
        cameras = ", ".join(sorted(rule.cameras)) or "all"
        table.add_row(
            rule.id[:_SHOWN_ID], escape(one_line(rule.name)), _describe(rule), escape(cameras), state
        )
    console = Console()
    console.print(table if rules else "no rules yet; add one with `mien alerts add NAME KIND`")
    if sender:
        where = ", ".join(f"{channel} {address}" for channel, address in receivers_of(sender).items())
        console.print(f"sent by {sender.process} to {where}", markup=False, highlight=False, soft_wrap=True)
    else:
        console.print("nothing is sent: no running process has a receiver", highlight=False)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What messages call it.")],
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="camera-down, coverage-low, visits-shifted or mood-shifted.")
    ],
    minutes: Annotated[
        int | None,
        typer.Option(help="How long a camera is down, or the period of coverage. Default: 5 and 60."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="The period of visits-shifted and mood-shifted. Default: 7.")
    ] = None,
    coverage: Annotated[
        float, typer.Option(help="coverage-low: a camera with a lower coverage, 0 to 1, is reported.")
    ] = 0.9,
    cooldown: Annotated[
        int, typer.Option(metavar="MINUTES", help="Between two messages about one camera or site.")
    ] = 60,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Repeat it for several; default: all cameras.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Store the rule without using it yet.")] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Add a rule; the process that sends alerts judges it within seconds."""
    from mien.errors import SettingsError
    from storage.alert_rules import AlertRule, add_rule
    from storage.registry import CameraRegistry

    found = _kind(kind)
    with _opened(config, database) as (engine, _):
        unknown = sorted(set(camera or ()) - {each.id for each in CameraRegistry(engine).cameras()})
        if unknown:
            raise SettingsError(f"--camera {unknown[0]}: is not registered; `mien cameras list` shows all")
        period = _period(found, minutes, days)
        rule = AlertRule(name, found, period, coverage, cooldown, frozenset(camera or ()), not off)
        added = add_rule(engine, LOCAL, rule)
    _print(f"added {added.name}: {_describe(added)}")


@app.command()
def remove(
    rule: Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="As `mien alerts list` shows it.")],
    config: Config = None,
    database: Database = None,
) -> None:
    """Remove a rule; what it reported is forgotten."""
    from mien.errors import SettingsError
    from storage.alert_rules import read_rules, remove_rule

    with _opened(config, database) as (engine, _):
        rules = read_rules(engine)
        found = [each for each in rules if rule in {each.name, each.id, each.id[:_SHOWN_ID]}]
        if not found:
            raise SettingsError(f"alert rule {rule[:200]}: does not exist; `mien alerts list` shows all")
        if len(found) > 1:
            ids = ", ".join(each.id[:_SHOWN_ID] for each in found)
            raise SettingsError(
                f"alert rule {rule[:200]}: {len(found)} rules have this name; name one of {ids}"
            )
        remove_rule(engine, LOCAL, found[0].id)
    _print(f"removed {found[0].name}")


@app.command("test")
def send_test(config: Config = None, database: Database = None) -> None:
    """Send a test message from here to each receiver of the settings, and print the outcome.

    Exit code 1: a receiver did not take the message.
    """
    from mien.alerts.loop import create_receivers
    from mien.alerts.receivers import DeliveryError
    from mien.errors import SettingsError
    from storage.alert_outbox import create_test, record_test

    with _opened(config, database) as (engine, settings):
        receivers = create_receivers(settings)
        if not receivers:
            raise SettingsError("alerts: there is no receiver; set MIEN_ALERT_WEBHOOK or MIEN_ALERT_MQTT")
        message_id, body = create_test(engine, LOCAL)
        outcomes: dict[str, str] = {}
        for receiver in receivers:
            try:
                receiver.send(message_id, body)
                outcomes[receiver.channel] = _DELIVERED
            except DeliveryError as error:
                outcomes[receiver.channel] = str(error)
            mark = "ok" if outcomes[receiver.channel] == _DELIVERED else "no"
            _print(f"{mark}  {receiver.channel} {receiver.shown}: {outcomes[receiver.channel]}")
        record_test(engine, LOCAL, outcomes)
    if set(outcomes.values()) != {_DELIVERED}:
        raise typer.Exit(UNDELIVERED)


_DELIVERED = "delivered"
_SHOWN_ID = 8
"""The characters of an id that are shown and understood."""


def _kind(text: str) -> AlertKind:
    from mien.errors import SettingsError
    from storage.alert_rules import AlertKind

    kinds = {each.value.replace(" ", "-"): each for each in AlertKind}
    if text not in kinds:
        raise SettingsError(f"KIND {text[:50]}: expected one of {', '.join(kinds)}")
    return kinds[text]


def _period(kind: AlertKind, minutes: int | None, days: int | None) -> int:
    """The period in minutes; raises SettingsError where it is given in the wrong unit."""
    from mien.errors import SettingsError
    from storage.alert_rules import DAY_MINUTES

    wrong, unit = (minutes, "--days") if kind.compares_days else (days, "--minutes")
    if wrong is not None:
        raise SettingsError(f"{kind}: the period {wrong} is given in another unit; use {unit}")
    if kind.compares_days and days is not None:
        return days * DAY_MINUTES
    return kind.usual_minutes if minutes is None else minutes


def _describe(rule: AlertRule) -> str:
    from storage.alert_rules import DAY_MINUTES, AlertKind

    days = rule.minutes // DAY_MINUTES
    period = f"{days} days" if rule.kind.compares_days else f"{rule.minutes} min"
    limit = f" under {rule.threshold:g}" if rule.kind is AlertKind.LOW_COVERAGE else ""
    return f"{rule.kind}{limit}, {period}, cool-down {rule.cooldown_minutes} min"


@contextmanager
def _opened(config: Config, database: Database) -> Iterator[tuple[OpenDatabase, Settings]]:
    from mien.settings import load
    from mien.wiring.registry import opened_database

    settings = load(config, database=database)
    with opened_database(settings) as engine:
        yield engine, settings


def _print(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)
