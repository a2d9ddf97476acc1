"""Protection: operators make k and retention stricter than configured, and nobody makes them weaker."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from common.access import LOCAL, AccessDenied, Actor, Role
from storage import tables
from storage.audit import read_audit
from storage.errors import StorageError
from storage.protection import Protection, change_protection, read_protection
from tests.support.databases import rows

CONFIGURED = Protection(10, 400, 30, 200)
OPERATOR = Actor("olga", Role.OPERATOR)


def changes(engine: sa.Engine) -> list[tuple[str, str, str]]:
    """The rows of the audit log, the oldest first."""
    return [(each.actor, each.subject, each.details) for each in reversed(read_audit(engine, LOCAL))]


def test_the_configuration_applies_until_an_operator_chooses_stricter_values(engine: sa.Engine) -> None:
    assert read_protection(engine, CONFIGURED) == CONFIGURED
    stricter = Protection(25, 100, 30, 200)
    chosen = {"suppress_below": 25, "keep_visits_days": 100}
    assert change_protection(engine, OPERATOR, CONFIGURED, chosen) == stricter
    assert read_protection(engine, CONFIGURED) == stricter
    assert sorted(changes(engine)) == [
        ("olga", "keep_visits_days", "from: 400, to: 100, configured: 400"),
        ("olga", "suppress_below", "from: 10, to: 25, configured: 10"),
    ]


def test_a_choice_can_be_lowered_again_down_to_the_configured_value_and_no_further(engine: sa.Engine) -> None:
    change_protection(engine, OPERATOR, CONFIGURED, {"suppress_below": 25})
    assert change_protection(engine, OPERATOR, CONFIGURED, {"suppress_below": 15}).suppress_below == 15
    assert change_protection(engine, OPERATOR, CONFIGURED, {"suppress_below": 10}) == CONFIGURED
    assert rows(engine, tables.protection_choices) == [], "a later change of the configuration applies"
    assert [details for _, _, details in changes(engine)] == [
        "from: 10, to: 25, configured: 10",
        "from: 25, to: 15, configured: 10",
        "from: 15, to: 10, configured: 10",
    ]


def test_a_change_of_one_value_leaves_those_of_others(engine: sa.Engine) -> None:
    change_protection(engine, OPERATOR, CONFIGURED, {"keep_coverage_days": 50})
    assert change_protection(engine, OPERATOR, CONFIGURED, {"suppress_below": 11}).keep_coverage_days == 50


def test_observations_are_kept_no_longer_than_visits(engine: sa.Engine) -> None:
    applied = change_protection(engine, OPERATOR, CONFIGURED, {"keep_visits_days": 7})
    assert (applied.keep_visits_days, applied.keep_observations_days) == (7, 7)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("suppress_below", 9, "10 to 1000"),
        ("suppress_below", 1, "10 to 1000"),
        ("suppress_below", -10, "10 to 1000"),
        ("suppress_below", 1001, "10 to 1000"),
        ("keep_visits_days", 401, "1 to 400"),
        ("keep_visits_days", 0, "1 to 400"),
        ("keep_observations_days", 31, "1 to 30"),
        ("keep_coverage_days", 201, "1 to 200"),
        ("keep_coverage_days", -1, "1 to 200"),
    ],
)
def test_a_weaker_value_is_refused_and_nothing_of_the_call_is_stored(
    engine: sa.Engine, name: str, value: int, allowed: str
) -> None:
    wanted = {"suppress_below": 50, name: value}
    with pytest.raises(StorageError, match=f"^{name} {value}: expected {allowed}; the configured value is"):
        change_protection(engine, OPERATOR, CONFIGURED, wanted)
    assert read_protection(engine, CONFIGURED) == CONFIGURED
    assert changes(engine) == []


@pytest.mark.parametrize("name", ["keep_audit_days", "users_file", "suppress_below; DROP TABLE visits"])
def test_nothing_else_can_be_chosen(engine: sa.Engine, name: str) -> None:
    with pytest.raises(StorageError, match="expected one of suppress_below, keep_visits_days"):
        change_protection(engine, OPERATOR, CONFIGURED, {name: 1})


@pytest.mark.parametrize("sites", [None, frozenset({"Harbour"})])
def test_an_analyst_may_change_nothing_not_even_to_a_stricter_value(
    engine: sa.Engine, sites: frozenset[str] | None
) -> None:
    with pytest.raises(AccessDenied, match="may not change retention and k"):
        change_protection(engine, Actor("ada", Role.ANALYST, sites), CONFIGURED, {"suppress_below": 50})
    assert read_protection(engine, CONFIGURED) == CONFIGURED
    assert changes(engine) == []


@pytest.mark.parametrize("k", [-1, 0, 1, 9])
@pytest.mark.parametrize("days", [-400, 0, 10**6])
def test_rows_that_somebody_stores_past_the_check_make_nothing_weaker(
    engine: sa.Engine, k: int, days: int
) -> None:
    values = {"suppress_below": k, **dict.fromkeys(("keep_visits_days", "keep_coverage_days"), days)}
    stored = [{"name": name, "value": value, "changed_at": 0} for name, value in values.items()]
    with engine.begin() as connection:
        connection.execute(sa.insert(tables.protection_choices), stored)
    applied = read_protection(engine, CONFIGURED)
    assert applied.suppress_below == 10
    assert 1 <= applied.keep_visits_days <= 400
    assert 1 <= applied.keep_coverage_days <= 200


def test_a_stricter_configuration_wins_over_an_earlier_choice(engine: sa.Engine) -> None:
    change_protection(engine, OPERATOR, CONFIGURED, {"suppress_below": 20, "keep_visits_days": 100})
    stricter = Protection(30, 50, 30, 200)
    assert read_protection(engine, stricter) == stricter
    assert read_protection(engine, Protection(5, 800, 30, 200)) == Protection(20, 100, 30, 200)
