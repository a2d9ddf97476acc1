"""The section Rules of the page Settings: operators make retention and k stricter, after a question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.testing.v1 import AppTest

from bus.messages import MINUTE_US
from common.access import LOCAL, Actor, Role
from common.clock import wall_clock_us
from dashboard import queries, sign_in
from dashboard.protection_form import describe
from mien.protection import configured_protection
from mien.settings import Settings
from storage.audit import read_audit
from storage.day_partitions import DAY_US
from storage.engine import open_database
from storage.protection import change_protection, read_choices
from storage.writer import Writer
from tests.support.databases import results, visit
from tests.support.pages import open_page

OLGA = Actor("olga", Role.OPERATOR)
ADA = Actor("ada", Role.ANALYST)
NOW = 400 * DAY_US + 5


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """A database with an old visit and seven of two days ago; the environment names it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_DATABASE", f"sqlite:///{tmp_path}/mien.db")
    monkeypatch.setenv("MIEN_TIMEZONE", "UTC")
    monkeypatch.setenv("MIEN_SUPPRESS_BELOW", "5")
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    now = wall_clock_us()
    starts = [now - 200 * DAY_US, *(now - now % MINUTE_US - 2 * DAY_US + each for each in range(7))]
    visits = [visit(f"v{at}", closed=True, first_seen=at) for at in starts]
    Writer(engine).write(results(visits), {})
    st.cache_resource.clear()
    yield engine
    st.cache_resource.clear()
    engine.dispose()


def opened(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(sign_in, "current_actor", lambda: actor)
    return open_page("settings")


def press(at: AppTest, label: str) -> None:
    next(button for button in at.button if button.label == label).click().run()
    assert not at.exception


def table_of(at: AppTest) -> list[str]:
    (html,) = [each.proto.body for each in at.get("html") if 'data-label="Origin"' in each.proto.body]
    return [row for row in html.split("<tr>") if "data-label" in row]


def test_an_operator_reads_what_will_happen_and_then_applies_it(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = opened(OLGA, monkeypatch)
    fields = {each.label: each for each in at.number_input}
    k, days = fields["Hide groups of fewer visits than (k)"], fields["Days that visits are kept"]
    assert (k.min, k.max, days.min, days.max) == (5, 1000, 1, 400)
    k.set_value(20)
    days.set_value(100)
    press(at, "Change...")
    (question,) = at.warning
    assert "Groups of fewer than 20 visits (now 5) are hidden" in question.value
    assert "are deleted at the next maintenance, which cannot be undone" in question.value
    assert read_choices(engine) == {}, "nothing is changed before the answer"
    press(at, "Change nothing")
    assert read_choices(engine) == {}
    {each.label: each for each in at.number_input}["Hide groups of fewer visits than (k)"].set_value(20)
    press(at, "Change...")
    press(at, "Apply")
    assert read_choices(engine) == {"suppress_below": 20}
    assert "20 visits" in table_of(at)[0]
    assert "chosen by an operator; configured is 5" in table_of(at)[0]
    (entry,) = read_audit(engine, LOCAL, actions=["protection.change"])
    assert (entry.actor, entry.subject, entry.details) == (
        "olga",
        "suppress_below",
        "from: 5, to: 20, configured: 5",
    )


def test_an_analyst_sees_the_values_and_no_form(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    change_protection(engine, OLGA, configured_protection(Settings()), {"keep_visits_days": 90})
    at = opened(ADA, monkeypatch)
    assert "90 days" in table_of(at)[1]
    assert list(at.number_input) == []
    assert "Change..." not in [button.label for button in at.button]


def test_an_operator_who_is_none_any_more_changes_nothing(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = opened(OLGA, monkeypatch)
    at.number_input[0].set_value(50)
    press(at, "Change...")
    monkeypatch.setattr(sign_in, "current_actor", lambda: ADA)
    at.button(key="protection-apply").click().run()
    assert not at.exception
    assert read_choices(engine) == {}


def test_figures_exports_and_countdowns_use_the_chosen_values(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "current_actor", lambda: ADA)
    at = open_page(period="7 days")
    assert at.metric[0].value == "7"
    chosen = {"suppress_below": 8, "keep_visits_days": 250}
    change_protection(engine, OLGA, configured_protection(Settings()), chosen)
    queries.forget_status()  # As if the interval of the refresh were over.
    at.run()
    assert at.metric[0].value == "hidden"
    at.switch_page("app_pages/quality.py").run()
    (html,) = [each.proto.body for each in at.get("html") if 'data-label="Kept for"' in each.proto.body]
    rows = html.split("<tr>")
    assert "250 days" in rows[2]
    assert "in 51 days" in rows[2] or "in 50 days" in rows[2]
    assert "Audit log" in rows[5]
    assert "400 days" in rows[5]


@pytest.mark.parametrize(
    ("change", "oldest", "said"),
    [
        (("suppress_below", 20, 10), None, "Groups of 10 to 19 visits are shown again"),
        (("keep_visits_days", 100, 200), NOW, "Deleted rows do not come back"),
        (("keep_visits_days", 400, 100), None, "No stored row is older"),
        (("keep_visits_days", 400, 100), 300 * DAY_US, "No stored row is older"),
        (("keep_visits_days", 400, 100), 300 * DAY_US - 1, "All from before 28 Oct 1970 (UTC) are deleted"),
    ],
)
def test_the_effect_of_a_change_is_told(change: tuple[str, int, int], oldest: int | None, said: str) -> None:
    name, before, after = change
    assert said in describe(name, before, after, NOW, oldest)
