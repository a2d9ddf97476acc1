"""A simulated history: the same for the same seed, sound, labelled, with the effects that it names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS
from storage import tables
from storage.check import check_database
from storage.errors import StorageError
from storage.local_time import HOUR_US, day_start, to_local_time
from storage.maintenance import create_day_partitions
from storage.simulation import load
from storage.simulation.load import has_real_visits, has_simulated_visits, load_history
from storage.simulation.sampling import VISIT_ORDER, sample_day
from storage.simulation.scenario import CAMPAIGN_VISITS, Scenario, create_demo_scenario, create_scenario
from storage.writer import Writer
from tests.support.databases import results, rows, visit

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 3, 31)
NOW = day_start(TODAY, BERLIN) + 15 * HOUR_US
SCENARIO = create_scenario(days=4, cameras=11, seed=7, today=TODAY)


def test_the_same_seed_gives_the_same_day() -> None:
    one, same = (sample_day(SCENARIO, TODAY, BERLIN, NOW) for _ in range(2))
    assert one == same
    assert one.visits
    assert sample_day(replace(SCENARIO, seed=8), TODAY, BERLIN, NOW) != one


def test_visits_are_in_the_open_hours_and_before_now() -> None:
    times = [row[VISIT_ORDER.index("first_seen")] for row in sample_day(SCENARIO, TODAY, BERLIN, NOW).visits]
    hours = {to_local_time(time, BERLIN) // HOUR_US % 24 for time in times}
    assert min(hours) >= 8
    assert max(times) < NOW
    sunday = sample_day(SCENARIO, date(2026, 3, 29), BERLIN, NOW)
    assert sunday.visits == [], "these shops are closed on Sundays"


def test_some_cameras_count_little() -> None:
    days = [sample_day(SCENARIO, TODAY - timedelta(days=n), BERLIN, NOW) for n in range(1, 4)]
    cameras = [row[VISIT_ORDER.index("camera_id")] for day in days for row in day.visits]
    counts = {camera.id: cameras.count(camera.id) for camera in SCENARIO.cameras}
    assert counts["sim-10"] < 25
    assert min(count for camera, count in counts.items() if camera != "sim-10") > 60


def test_the_campaign_has_the_uplift_that_it_names() -> None:
    scenario = create_scenario(days=91, cameras=1, seed=1, today=TODAY)
    campaign, nothing = scenario.events
    camera = scenario.cameras[0]
    for event, factor in ((campaign, CAMPAIGN_VISITS), (nothing, 1.0)):
        without = replace(scenario, events=())
        ratio = scenario.expected_visits(camera, event.first, 12) / without.expected_visits(
            camera, event.first, 12
        )
        assert ratio == pytest.approx(factor)
    assert scenario.happiness(camera, campaign.last) > scenario.happiness(
        camera, campaign.last + timedelta(days=1)
    )


def test_a_history_is_stored_in_the_ordinary_tables(engine: sa.Engine) -> None:
    now = round(datetime(2026, 3, 31, 13, tzinfo=UTC).timestamp()) * MICROSECONDS
    create_day_partitions(engine, now)
    steps: list[tuple[int, int]] = []
    visits = load_history(
        engine, SCENARIO, "Europe/Berlin", now, lambda done, total: steps.append((done, total))
    )
    stored = rows(engine, tables.visits)
    assert len(stored) == visits > 1000
    assert {row["model"] for row in stored} == {"simulation"}
    assert steps[-1] == (8, 8)
    assert [result for result in check_database(engine, now) if not result.passed] == []
    with engine.connect() as connection:
        hours = connection.scalar(sa.select(sa.func.sum(tables.camera_hours.c.visits)))
        marked = connection.scalar(sa.select(sa.func.sum(tables.camera_hours.c.simulated)))
    assert hours == marked
    assert 0.7 * visits < float(hours or 0) < visits, "the last hours are not rolled up yet"
    assert has_simulated_visits(engine)
    assert not has_real_visits(engine)
    assert {row["pause_reason"] for row in rows(engine, tables.cameras)} == {"Simulated history"}


def test_a_history_that_was_interrupted_leaves_nothing_and_can_be_simulated_again(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Writer(engine).write(results([visit("v1", closed=True)]), {})
    create_day_partitions(engine, NOW)
    before = {table.name: rows(engine, table) for table in tables.metadata.sorted_tables}
    scenario = create_demo_scenario([("till", "Till")], "Shop", 6, TODAY)
    days: list[date] = []

    def interrupted(scenario: Scenario, day: date, zone: ZoneInfo, now_us: int) -> Any:
        days.append(day)
        if len(days) == 4:
            raise KeyboardInterrupt
        return sample_day(scenario, day, zone, now_us)

    monkeypatch.setattr(load, "sample_day", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_history(engine, scenario, "Europe/Berlin", NOW)
    assert {table.name: rows(engine, table) for table in tables.metadata.sorted_tables} == before
    monkeypatch.undo()
    assert load_history(engine, scenario, "Europe/Berlin", NOW) > 0


def test_a_second_history_is_refused_and_real_visits_are_noticed(engine: sa.Engine) -> None:
    Writer(engine).write(results([visit("v1", closed=True)]), {})
    assert has_real_visits(engine)
    scenario = create_demo_scenario([("till", "Till")], "Shop", 2, TODAY)
    load_history(engine, scenario, "Europe/Berlin", NOW)
    with pytest.raises(StorageError, match="has a simulated history already"):
        load_history(engine, scenario, "Europe/Berlin", NOW)
    with engine.connect() as connection:
        hours = connection.scalar(sa.select(sa.func.sum(tables.camera_hours.c.visits)))
        simulated = connection.scalar(sa.select(sa.func.sum(tables.camera_hours.c.simulated)))
    assert hours == (simulated or 0) + 1, "the real visit is rolled up, too"


def test_events_are_stored_with_their_cameras(engine: sa.Engine) -> None:
    scenario = replace(
        create_scenario(days=36, cameras=7, seed=1, today=TODAY), first=TODAY - timedelta(days=1)
    )
    load_history(engine, scenario, "Europe/Berlin", NOW)
    (event,) = rows(engine, tables.events)
    assert event["name"] == "Loyalty campaign"
    assert len(rows(engine, tables.event_cameras)) == 6, "the cameras of the first site"
