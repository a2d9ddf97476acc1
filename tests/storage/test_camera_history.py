"""The history of one camera, from single rows and from roll-ups alike."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, CameraMinute
from common.access import LOCAL, AccessDenied, Actor, Role
from storage import tables
from storage.camera_history import read_history
from storage.figures.timeline import Unit, day_timeline
from storage.local_time import HOUR_US, day_start
from storage.registry import CameraRegistry, CameraRow
from storage.rollups import roll_up
from storage.writer import Writer
from tests.support.databases import results

ZONE = ZoneInfo("Europe/Berlin")
DAY = date(2023, 10, 23)
START = day_start(DAY, ZONE)
NOW = START + 48 * HOUR_US


@pytest.fixture(params=["single rows", "roll-ups"])
def stored(request: pytest.FixtureRequest, engine: sa.Engine) -> sa.Engine:
    """A door that is open from 9 to 11, watches half of the first hour, and drops pictures in the second."""
    registry = CameraRegistry(engine)
    registry.add(LOCAL, CameraRow("door", "0", site="Bern", open_hours="09:00-11:00"))
    registry.add(LOCAL, CameraRow("till", "1", site="Basel"))
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created_at=START, changed_at=START))
    nine = START + 9 * HOUR_US
    minutes = [
        CameraMinute(
            "door",
            nine + n * MINUTE_US,
            captured=300,
            analysed=200,
            unchanged=100,
            watched_us=60 * MICROSECONDS,
            age_sum_us=200 * MICROSECONDS // 10,
        )
        for n in range(30)
    ]
    minutes += [
        CameraMinute(
            "door",
            nine + HOUR_US + n * MINUTE_US,
            captured=300,
            analysed=290,
            watched_us=60 * MICROSECONDS,
            age_sum_us=290 * MICROSECONDS // 2,
            dropped={"buffer full": 7, "damaged picture": 3},
        )
        for n in range(60)
    ]
    minutes.append(CameraMinute("till", nine, captured=9, dropped={"buffer full": 9}))
    Writer(engine).write(results(minutes=minutes), {})
    if request.param == "roll-ups":
        roll_up(engine, NOW, ZONE.key)
    return engine


def test_uptime_rate_lag_and_drops(stored: sa.Engine) -> None:
    history = read_history(stored, LOCAL, "door", day_timeline(DAY, DAY, Unit.HOUR, NOW, ZONE))
    at_nine, at_ten = history.slots[9:11]
    assert (at_nine.uptime, at_ten.uptime) == (0.5, 1.0)
    assert (at_nine.fps, at_ten.fps) == (5.0, 5.0)
    assert at_nine.lag_s == pytest.approx(0.1)
    assert at_ten.lag_s == pytest.approx(0.5)
    assert {slot.uptime for slot in (*history.slots[:9], *history.slots[11:])} == {None}
    assert history.whole.uptime == 0.75, "closed hours do not count"
    assert history.captured == sum(history.outcomes.values()) == 27_000
    assert history.drops == {"buffer full": 420, "damaged picture": 180}
    assert history.outcomes["dropped"] == 600


def test_a_camera_without_rows_has_an_empty_history(stored: sa.Engine) -> None:
    history = read_history(stored, LOCAL, "attic", day_timeline(DAY, DAY, Unit.DAY, NOW, ZONE))
    assert (history.captured, history.drops, history.whole.uptime) == (0, {}, None)
    assert len(history.slots) == 1


def test_an_analyst_reads_cameras_of_the_own_sites_alone(stored: sa.Engine) -> None:
    timeline = day_timeline(DAY, DAY, Unit.DAY, NOW, ZONE)
    analyst = Actor("ann", Role.ANALYST, frozenset({"Basel"}))
    assert read_history(stored, analyst, "till", timeline).captured == 9
    with pytest.raises(AccessDenied, match="may not read the history of"):
        read_history(stored, analyst, "door", timeline)
