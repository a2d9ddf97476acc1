"""Scopes and roles, attacked at the functions that read and write: no trace of other sites.

One database has two sites with a camera each. `ben` may read the harbour alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Error, Markdown

from common.access import LOCAL, AccessDenied, Actor, Role
from dashboard import audit_table, database_change, queries, sign_in
from dashboard.queries import ask
from dashboard.selection import Selection
from mien.settings import Settings
from storage.alert_rules import AlertKind, AlertRule, add_rule, read_rules
from storage.audit import AuditEntry, read_audit, read_choices
from storage.engine import Database, open_database
from storage.errors import StorageError
from storage.events import add_event, read_events, remove_event
from storage.figures.comparison import Chosen
from storage.figures.timeline import Timeline
from storage.local_time import HOUR_US, day_start
from storage.simulation.load import load_history
from storage.simulation.scenario import create_demo_scenario
from storage.users import PasswordFile, add_user
from tests.support.pages import open_page

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 3, 31)
NOW = day_start(TODAY, BERLIN) + 15 * HOUR_US
HARBOUR, AIRPORT = "Harbour", "Airport"
BEN = Actor("ben", Role.ANALYST, frozenset({HARBOUR}))
EVA = Actor("eva", Role.ANALYST, frozenset({AIRPORT}))
ANY = Actor("ann", Role.ANALYST)
LOST = Actor("leo", Role.ANALYST, frozenset({"No such site"}))
ONE, BOTH, OTHER = frozenset({"quay"}), frozenset({"quay", "gate"}), frozenset({"gate"})
PERIOD = Selection("7 days")
TRACES = ("gate", "Gate 7", AIRPORT, "Strike")
"""What says something about the other site: a camera's id and name, the site, an event at its camera."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sites") / "mien.db"
    engine = open_database(f"sqlite:///{path}")
    scenario = create_demo_scenario([("quay", "Quay 1"), ("gate", "Gate 7")], HARBOUR, 10, TODAY)
    quay, gate = scenario.cameras
    load_history(engine, replace(scenario, cameras=(quay, replace(gate, site=AIRPORT))), BERLIN.key, NOW)
    add_event(engine, LOCAL, "Strike", NOW - HOUR_US, NOW, ["gate"])
    add_event(engine, LOCAL, "Fair", NOW - HOUR_US, NOW, ["gate", "quay"])
    engine.dispose()
    return path


@pytest.fixture(autouse=True)
def settings(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    path = tmp_path / "mien.db"
    shutil.copyfile(template, path)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE": f"sqlite:///{path}",
        "TIMEZONE": BERLIN.key,
        "SUPPRESS_BELOW": "10",
    }.items():
        monkeypatch.setenv(f"MIEN_{name}", value)
    monkeypatch.setattr(queries, "wall_clock_us", lambda: NOW)
    st.cache_resource.clear()
    yield Settings()
    st.cache_resource.clear()


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    engine = open_database(settings.database)
    yield engine
    engine.dispose()


def period(settings: Settings, cameras: frozenset[str] | None) -> queries.Question:
    return ask(settings, replace(PERIOD, cameras=cameras))


def chosen(settings: Settings, cameras: frozenset[str] | None) -> Chosen:
    timeline: Timeline = period(settings, None).timeline()
    return Chosen(timeline, cameras)


READS: dict[str, Callable[[Settings, Actor, frozenset[str] | None], Any]] = {
    "figures": lambda s, a, c: queries.read_figures(s, a, period(s, c))[1].whole.visits,
    "earlier": lambda s, a, c: queries.read_earlier(s, a, period(s, c), 1).whole.visits,
    "change": lambda s, a, c: queries.read_visit_change(s, a, period(s, c), 1),
    "hours": lambda s, a, c: queries.read_hours_of_week(s, a, period(s, c)),
    "cross": lambda s, a, c: queries.read_expressions_by_gender(s, a, period(s, c)),
    "quality": lambda s, a, c: queries.read_camera_quality(s, a, period(s, c)),
    "comparison": lambda s, a, c: queries.read_comparison(s, a, chosen(s, c), chosen(s, c), False).a.visits,
}
every_read = pytest.mark.parametrize("read", READS.values(), ids=READS)


@every_read
def test_cameras_of_other_sites_are_refused(
    settings: Settings, read: Callable[[Settings, Actor, frozenset[str] | None], Any]
) -> None:
    for cameras in (OTHER, BOTH, frozenset({"no-such-camera"})):
        read(settings, LOCAL, cameras)
        with pytest.raises(AccessDenied) as caught:
            read(settings, BEN, cameras)
        assert str(caught.value) == "ben may not read these cameras; choose cameras of your sites"


@every_read
def test_all_cameras_are_those_of_the_actors_sites_whoever_asked_before(
    settings: Settings, read: Callable[[Settings, Actor, frozenset[str] | None], Any]
) -> None:
    everything = read(settings, LOCAL, None)
    assert read(settings, BEN, None) == read(settings, LOCAL, ONE) == read(settings, BEN, ONE)
    assert read(settings, EVA, None) == read(settings, LOCAL, OTHER)
    assert read(settings, ANY, None) == everything == read(settings, LOCAL, None)
    assert read(settings, BEN, None) != everything


@every_read
def test_an_analyst_whose_sites_have_no_camera_reads_nothing(
    settings: Settings, read: Callable[[Settings, Actor, frozenset[str] | None], Any]
) -> None:
    assert not read(settings, LOST, None) or "quality" not in str(read)
    with pytest.raises(AccessDenied):
        read(settings, LOST, ONE)


def test_the_figures_of_no_camera_are_none(settings: Settings) -> None:
    assert queries.read_figures(settings, LOST, period(settings, None))[1].whole.visits in {None, 0}
    assert queries.read_status(settings, LOST).cameras == ()
    assert queries.read_status(settings, LOST).newest_result is None
    assert set(queries.read_oldest_rows(settings, LOST).values()) == {None}


def test_the_state_has_no_trace_of_other_sites(settings: Settings) -> None:
    everything = str(queries.read_status(settings, LOCAL))
    assert all(trace in everything for trace in TRACES)
    status = queries.read_status(settings, BEN)
    assert [camera.camera_id for camera in status.cameras] == ["quay"]
    assert not [trace for trace in TRACES if trace in str(status)]
    fair = next(event for event in status.events if event.name == "Fair")
    assert fair.cameras == ONE


def test_a_camera_that_moves_to_another_site_moves_out_of_the_scope(
    settings: Settings, engine: sa.Engine
) -> None:
    assert queries.read_figures(settings, BEN, period(settings, ONE))[1].whole.visits
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE cameras SET site = '{AIRPORT}' WHERE id = 'quay'")
    queries.forget_status()
    with pytest.raises(AccessDenied):
        queries.read_figures(settings, BEN, period(settings, ONE))


def test_the_oldest_rows_are_those_of_the_scope(settings: Settings, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM visits WHERE camera_id = 'quay'")
    assert queries.read_oldest_rows(settings, BEN)["visits"] is None
    assert queries.read_oldest_rows(settings, LOCAL)["visits"] is not None


@pytest.mark.parametrize("cameras", [[], ["gate"], ["quay", "gate"], ["no-such-camera"], ["QUAY"]])
def test_an_analyst_notes_events_at_cameras_of_the_own_sites_alone(
    engine: sa.Engine, cameras: list[str]
) -> None:
    before = read_events(engine)
    with pytest.raises(AccessDenied, match="cameras of other sites"):
        add_event(engine, BEN, "Rain", NOW, NOW + 1, cameras)
    assert read_events(engine) == before
    event = add_event(engine, BEN, "Rain", NOW, NOW + 1, ["quay"])
    remove_event(engine, BEN, event.id)
    entries = read_audit(engine, LOCAL)
    assert [(entry.actor, entry.action) for entry in entries[:2]] == [
        ("ben", "event.remove"),
        ("ben", "event.add"),
    ]


def test_an_analyst_removes_no_event_that_others_see(engine: sa.Engine) -> None:
    everywhere = add_event(engine, ANY, "Holiday", NOW, NOW + 1)
    for event in read_events(engine):
        if event.cameras != ONE:
            with pytest.raises(AccessDenied):
                remove_event(engine, BEN, event.id)
    assert everywhere in read_events(engine)
    remove_event(engine, BEN, "no such event")


def test_the_audit_log_is_for_operators(settings: Settings, engine: sa.Engine) -> None:
    for read in (
        lambda actor: read_audit(engine, actor),
        lambda actor: read_choices(engine, actor),
        lambda actor: queries.read_audit_entries(settings, actor, 10, (), ()),
        lambda actor: queries.read_audit_choices(settings, actor),
    ):
        assert read(LOCAL)
        for actor in (BEN, ANY):
            with pytest.raises(AccessDenied):
                read(actor)


def test_the_audit_log_is_filtered_and_exported_without_formulas(engine: sa.Engine) -> None:
    add_event(engine, LOCAL, "=1+1", NOW, NOW + 1)
    (entry,) = read_audit(engine, LOCAL, actions=["event.add"], limit=1)
    assert read_audit(engine, LOCAL, actors=["nobody"]) == []
    forged = AuditEntry(NOW, "=cmd()", "operator", "event.add", "+1", '@x "y"\n')
    text = audit_table.to_csv([entry, forged], BERLIN).decode()
    assert "'=cmd()" in text
    assert "'+1" in text
    assert "'@x" in text
    assert "<b>" not in audit_table.html_table([replace(forged, subject="<b>")], BERLIN)


def opened(page: str, actor: Actor, monkeypatch: pytest.MonkeyPatch, **query: str | list[str]) -> AppTest:
    monkeypatch.setattr(sign_in, "current_actor", lambda: actor)
    return open_page(page, **query)


def everything_on(at: AppTest) -> str:
    """All that the browser gets: every element with its content, options and data."""
    return "\n".join(str(getattr(node, "proto", "")) for node in at._tree)


@pytest.mark.parametrize(
    "page", ["overview", "trends", "compare", "cameras", "quality", "events", "settings"]
)
def test_a_page_has_no_trace_of_other_sites(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # "Gate" would be in "aggregate": the id is looked for as a value.
    traces = ("'gate'", '"gate"', *TRACES[1:])
    shown = everything_on(
        opened(page, BEN, monkeypatch, period="7 days", camera=["gate", "quay"], site=AIRPORT)
    )
    # What the address names is the viewer's own text.
    assert not [trace for trace in traces if trace in shown]


def test_the_operators_page_has_these_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Gate 7" in everything_on(opened("cameras", LOCAL, monkeypatch))
    assert "Strike" in everything_on(opened("events", LOCAL, monkeypatch))


@pytest.mark.parametrize(("actor", "visible"), [(LOCAL, True), (ANY, False), (BEN, False)])
def test_settings_show_users_and_the_audit_log_to_operators_alone(
    actor: Actor,
    visible: bool,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    engine: sa.Engine,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("MIEN_USERS_FILE", str(tmp_path / "users.json"))
    add_user(
        engine,
        LOCAL,
        PasswordFile(tmp_path / "users.json"),
        Actor("secret-name", Role.ANALYST),
        "x1 y2 z3 a4 b5",
    )
    for section in ("Users and roles", "Audit log"):
        shown = everything_on(opened("settings", actor, monkeypatch, section=section))
        assert ("secret-name" in shown) is visible


def test_a_session_that_has_ended_shows_a_way_to_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended() -> Actor:
        raise sign_in.SignedOut

    monkeypatch.setattr(sign_in, "current_actor", ended)
    at = open_page()
    assert [each.value for each in at.subheader] == ["Signed out"]
    assert any('href="/sign-in"' in each.proto.body for each in at.get("html"))
    assert not at.metric


def test_an_operator_adds_changes_and_removes_users(
    monkeypatch: pytest.MonkeyPatch, engine: sa.Engine, tmp_path: Path
) -> None:
    file = PasswordFile(tmp_path / "users.json")
    monkeypatch.setenv("MIEN_USERS_FILE", str(file.path))
    at = opened("settings", Actor("olga", Role.OPERATOR), monkeypatch, section="Users and roles")
    at.text_input[0].set_value("ben")
    at.text_input(key="password-of-new").set_value("short")
    submit = next(button for button in at.button if button.label == "Add")
    submit.click().run()
    assert "has 5 characters" in at.error[0].value
    assert file.users() == {}
    at.text_input(key="password-of-new").set_value("three small green apples")
    next(each for each in at.multiselect if each.label == "Sites of an analyst").set_value([HARBOUR])
    next(button for button in at.button if button.label == "Add").click().run()
    assert not at.exception
    assert file.users()["ben"].actor == BEN
    at.text_input(key="password-of-ben").set_value("four large yellow pears")
    next(button for button in at.button if button.label == "Change").click().run()
    assert file.verify("ben", "four large yellow pears")
    at.button(key="remove-user-ben").click().run()
    assert not at.exception
    assert file.users() == {}
    entries = read_audit(engine, LOCAL, limit=3)
    assert [(each.actor, each.action) for each in entries] == [
        ("olga", "user.remove"),
        ("olga", "user.password"),
        ("olga", "user.add"),
    ]


def test_a_change_is_made_as_whoever_is_signed_in_when_it_is_made(
    monkeypatch: pytest.MonkeyPatch, engine: sa.Engine, tmp_path: Path
) -> None:
    file = PasswordFile(tmp_path / "users.json")
    monkeypatch.setenv("MIEN_USERS_FILE", str(file.path))
    add_user(engine, LOCAL, file, BEN, "three small green apples")
    at = opened("settings", Actor("olga", Role.OPERATOR), monkeypatch, section="Users and roles")
    monkeypatch.setattr(sign_in, "current_actor", lambda: Actor("olga", Role.ANALYST))
    at.button(key="remove-user-ben").click().run()
    assert not at.exception
    assert list(file.users()) == ["ben"]


def test_a_refused_removal_is_explained_below_the_header(
    monkeypatch: pytest.MonkeyPatch, engine: sa.Engine
) -> None:
    def refuse(settings: Settings) -> Database:
        raise StorageError(f"{settings.database} is read-only")

    at = opened("events", LOCAL, monkeypatch)
    monkeypatch.setattr(queries, "writable_database", refuse)
    at.button(key=f"remove-{read_events(engine)[0].id}").click().run()
    assert not at.exception
    assert "read" in at.error[0].value
    texts = [node.value for node in at._tree if isinstance(node, Markdown | Error)]
    assert texts.index("### Events") < texts.index(at.error[0].value)


@pytest.mark.parametrize("page", ["events", "users", "alerts"])
def test_a_session_that_ends_before_a_removal_leads_to_the_sign_in(
    page: str, monkeypatch: pytest.MonkeyPatch, engine: sa.Engine, tmp_path: Path
) -> None:
    file = PasswordFile(tmp_path / "users.json")
    monkeypatch.setenv("MIEN_USERS_FILE", str(file.path))
    add_user(engine, LOCAL, file, BEN, "three small green apples")
    rule = add_rule(engine, LOCAL, AlertRule("Down", AlertKind.CAMERA_DOWN, 5, 0.9, 60, frozenset(), True))
    events = read_events(engine)
    section = {"users": "Users and roles", "alerts": "Alerts"}.get(page)
    at = (
        opened("settings", LOCAL, monkeypatch, section=section)
        if section
        else opened(page, LOCAL, monkeypatch)
    )

    def end() -> Actor:
        monkeypatch.setattr(sign_in, "current_actor", ended)
        return ended()

    def ended() -> Actor:
        raise sign_in.SignedOut

    monkeypatch.setattr(
        database_change, "sign_in", SimpleNamespace(current_actor=end, SignedOut=sign_in.SignedOut)
    )
    name = {"users": "user-ben", "alerts": rule.id}.get(page, events[0].id)
    at.button(key=f"remove-{name}").click().run()
    assert not at.exception
    assert [each.value for each in at.subheader] == ["Signed out"]
    assert (list(file.users()), len(read_rules(engine)), read_events(engine)) == (["ben"], 1, events)
