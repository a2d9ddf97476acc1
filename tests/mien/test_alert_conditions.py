"""Shifts of visits and mood are found where there are any, after correction, and never in small groups."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MINUTE_US, CameraMinute
from common.access import LOCAL
from mien.alerts.addresses import parse_webhook
from mien.alerts.conditions import Finding, Found, Rules, find_low_coverage, find_shifts
from mien.alerts.loop import AlertLoop
from mien.alerts.receivers import tls_context
from mien.alerts.webhook import Webhook
from mien.metrics import Metrics
from storage import tables
from storage.alert_rules import DAY_MINUTES, AlertKind, AlertRule, add_rule, remove_rule
from storage.alert_states import read_states
from storage.camera_status import read_camera_status
from storage.engine import open_database
from storage.figures.simulated import simulated_cameras
from storage.local_time import HOUR_US, day_start
from storage.pauses import begin_pause, end_pause
from storage.protection import SUPPRESS_BELOW
from storage.registry import CameraRegistry, CameraRow
from storage.simulation.load import load_history
from storage.simulation.scenario import create_scenario
from storage.writer import Writer
from tests.support.databases import T0, fresh_database, results

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 3, 31)
SCENARIO = create_scenario(days=58, cameras=8, seed=5, today=TODAY)
CAMPAIGN = SCENARIO.events[0]
WEEK = 7 * DAY_MINUTES


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    folder: Path = tmp_path_factory.mktemp("history")
    with fresh_database("sqlite", folder) as url:
        engine = open_database(url)
        load_history(engine, SCENARIO, BERLIN.key, day_start(TODAY, BERLIN) + 15 * HOUR_US)
        with engine.begin() as connection:
            connection.execute(sa.update(tables.cameras).values(enabled=True, pause_reason=""))
        yield engine
        engine.dispose()


def find(
    engine: sa.Engine, kind: AlertKind, today: date, suppress_below: int = 10, minutes: int = WEEK
) -> dict[str, Finding]:
    now = day_start(today, BERLIN) + 12 * HOUR_US
    found = find_shifts(
        engine,
        AlertRule("shift", kind, minutes),
        read_camera_status(engine, now),
        simulated_cameras(engine),
        now,
        Rules(suppress_below, BERLIN),
    )
    return {each.subject: each for each in found}


def test_a_campaign_is_found_at_its_site_alone(history: sa.Engine) -> None:
    after = CAMPAIGN.first + timedelta(days=7)
    visits = find(history, AlertKind.VISITS_SHIFTED, after)
    assert len(visits) > 1
    assert {site for site, each in visits.items() if each.verdict is Found.BAD} == {CAMPAIGN.site}
    detail = visits[CAMPAIGN.site].detail
    assert "visits per camera and hour up" in detail
    assert "95 % interval +" in detail
    assert visits[CAMPAIGN.site].simulated
    mood = find(history, AlertKind.MOOD_SHIFTED, after)
    assert {site for site, each in mood.items() if each.verdict is Found.BAD} == {CAMPAIGN.site}


def test_weeks_without_an_event_are_not_reported(history: sa.Engine) -> None:
    quiet = [
        find(history, kind, CAMPAIGN.first - timedelta(days=days))
        for kind in (AlertKind.VISITS_SHIFTED, AlertKind.MOOD_SHIFTED)
        for days in (0, 2)
    ]
    assert {each.verdict for found in quiet for each in found.values()} == {Found.GOOD}


def test_too_few_days_and_hidden_groups_give_no_verdict_and_no_count(history: sa.Engine) -> None:
    early = find(history, AlertKind.VISITS_SHIFTED, SCENARIO.first + timedelta(days=3))
    hidden = find(history, AlertKind.VISITS_SHIFTED, CAMPAIGN.first + timedelta(days=7), suppress_below=10**6)
    for found in (early, hidden):
        assert {each.verdict for each in found.values()} == {Found.UNKNOWN}
        assert {each.detail for each in found.values()} == {"not enough data"}


def test_a_larger_k_that_an_operator_chooses_applies_to_the_next_judgement(history: sa.Engine) -> None:
    now = day_start(CAMPAIGN.first + timedelta(days=7), BERLIN) + 12 * HOUR_US
    rule = add_rule(history, LOCAL, AlertRule("shift", AlertKind.VISITS_SHIFTED, WEEK))
    # Nothing is sent: a report waits for others of its site.
    receiver = Webhook(parse_webhook("http://localhost:1/hook"), b"a key of the signature", tls_context(None))
    loop = AlertLoop(history, [receiver], Rules(10, BERLIN), Metrics(), clock=lambda: now)

    def reported() -> set[str]:
        assert loop.work_once(threading.Event())
        with history.connect() as connection:
            return {state.site for state in read_states(connection)}

    with history.begin() as connection:
        choice = {"name": SUPPRESS_BELOW, "value": 10**6, "changed_at": now}
        connection.execute(sa.insert(tables.protection_choices), [choice])
    try:
        assert reported() == set()
        with history.begin() as connection:
            connection.execute(sa.delete(tables.protection_choices))
        assert reported() == {CAMPAIGN.site}, "judged again within the hour"
    finally:
        remove_rule(history, LOCAL, rule.id)


def test_a_camera_that_watches_since_its_pause_has_no_low_coverage(engine: sa.Engine) -> None:
    resumed, now = T0 + 24 * HOUR_US, T0 + 24 * HOUR_US + 10 * MINUTE_US
    CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://till"))
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created_at=T0))
        begin_pause(connection, "till", T0 + HOUR_US)
        end_pause(connection, "till", resumed)
    watched = [
        CameraMinute("till", at, captured=1, watched_us=MINUTE_US) for at in range(resumed, now, MINUTE_US)
    ]
    Writer(engine).write(results(minutes=watched), {})
    rule = AlertRule("coverage", AlertKind.LOW_COVERAGE, minutes=60, threshold=0.9)
    cameras = read_camera_status(engine, now)
    (found,) = find_low_coverage(engine, rule, cameras, frozenset(), now, Rules(10, BERLIN))
    assert found.verdict is Found.GOOD, found.detail
