"""The number of visits and its change: equally long times are compared, and hidden slots are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, CameraMinute, Visit
from dashboard.selection import DATES, Selection
from dashboard.tiles import sparkline, visits_detail
from storage.engine import open_database
from storage.figures.change import Change, read_change
from storage.figures.groups import State
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit, day_timeline
from storage.figures.trend import read_trend
from storage.local_time import HOUR_US, day_start
from storage.writer import Writer
from tests.support.databases import fresh_database, results, visit

ZONE = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 3, 11)
OPENS, CLOSES = 8, 12
K = 10


def at(day: date, hour: float) -> int:
    return day_start(day, ZONE) + round(hour * HOUR_US)


def watched(camera: str, minute: int) -> CameraMinute:
    return CameraMinute(camera, minute, captured=300, analysed=300, watched_us=MINUTE_US)


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """A database of a shop with exactly one visit in each open minute of 16 days, today to its end."""
    with fresh_database("sqlite", tmp_path_factory.mktemp("shop")) as url:
        engine = open_database(url)
        for back in range(16):
            opens = at(TODAY - timedelta(days=back), OPENS)
            minutes = range(opens, opens + (CLOSES - OPENS) * HOUR_US, MINUTE_US)
            visits = [visit(f"{time}", first_seen=time + MICROSECONDS, closed=True) for time in minutes]
            Writer(engine).write(results(visits, minutes=[watched("till", time) for time in minutes]), {})
        yield engine
        engine.dispose()


@pytest.mark.parametrize("k", [1, K])
@pytest.mark.parametrize("minute", [0, 1, 5, 20, 35, 50, 59])
@pytest.mark.parametrize("period", ["15 min", "1 h", "24 h", "7 days", "today"])
def test_a_shop_with_a_constant_number_of_visits_does_not_change(
    constant: sa.Engine, period: str, minute: int, k: int
) -> None:
    now = at(TODAY, 11) + minute * MINUTE_US + MINUTE_US // 2
    selection = Selection(DATES, TODAY, TODAY) if period == "today" else Selection(period)
    timeline, days = selection.timeline(now, ZONE), selection.shift_days(now, ZONE)
    assert days
    change = read_change(constant, timeline, days, Choice(k))
    if period not in {"15 min", "1 h"} or k == 1:
        assert change
    if change:
        assert change.visits == change.before > 0
        assert change.alike
        detail = visits_detail(read_trend(constant, timeline, Choice(k)), timeline, change)
        assert detail.startswith("0 % (from ")


def test_a_growing_shop_has_its_true_change(engine: sa.Engine) -> None:
    visits: list[Visit] = []
    minutes: list[CameraMinute] = []
    for back, number in [(back, 30 if back < 7 else 20) for back in range(14)]:
        opens = at(TODAY - timedelta(days=back), OPENS)
        visits += [visit(f"{back} {n}", first_seen=opens + n, closed=True) for n in range(number)]
        minutes.append(watched("till", opens))
    Writer(engine).write(results(visits, minutes=minutes), {})
    timeline = Selection("7 days").timeline(at(TODAY, 23.5), ZONE)
    change = read_change(engine, timeline, 7, Choice(K))
    assert change == Change(180, 120, True), "today waits, and so does the day a week before it"
    assert visits_detail(read_trend(engine, timeline, Choice(K)), timeline, change) == "+50 % (from 120)"


def test_no_change_is_told_where_the_cameras_watched_for_different_times(engine: sa.Engine) -> None:
    for back in range(14):
        opens = at(TODAY - timedelta(days=back + 1), OPENS)
        minutes = [watched("till", opens + n * MINUTE_US) for n in range(10 if back < 7 else 5)]
        visits = [visit(f"{back} {n}", first_seen=opens + n, closed=True) for n in range(20)]
        Writer(engine).write(results(visits, minutes=minutes), {})
    first = TODAY - timedelta(days=7)
    timeline = day_timeline(first, TODAY - timedelta(days=1), Unit.DAY, at(TODAY, 9), ZONE)
    change = read_change(engine, timeline, 7, Choice(K))
    assert change == Change(140, 140, False)
    detail = visits_detail(read_trend(engine, timeline, Choice(K)), timeline, change)
    assert detail == "no change: watched times differ"


@pytest.mark.parametrize(
    "today",
    [
        *(date(2026, 3, 29), date(2026, 4, 5), date(2026, 4, 6)),
        *(date(2026, 10, 25), date(2026, 11, 1), date(2026, 11, 2)),
    ],
)
def test_a_change_of_the_clock_is_no_change_of_visits(engine: sa.Engine, today: date) -> None:
    """Over the same time of the clock a shop with as many visits in every open hour does not change."""

    def clock(day: date, hour: int, minute: int) -> int:
        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)
        return round(moment.timestamp()) * MICROSECONDS

    times = [
        clock(today - timedelta(days=back), hour, minute)
        for back in range(16)
        for hour in range(OPENS, CLOSES)
        for minute in range(0, 60, 10)
    ]
    visits = [visit(f"{time}", first_seen=time, closed=True) for time in times]
    Writer(engine).write(results(visits, minutes=[watched("till", time) for time in times]), {})
    now = clock(today, 11, 30)
    for period, least in (("24 h", 24 - 6), ("7 days", 7 * 24 - 6)):
        selection = Selection(period)
        timeline, days = selection.timeline(now, ZONE), selection.shift_days(now, ZONE)
        assert days == 7
        change = read_change(engine, timeline, days, Choice(1))
        assert change
        # The last 24 hours of a day of 23 begin within the open hours of the day before.
        assert change.visits == change.before >= least
        assert change.alike


def several_days(engine: sa.Engine, camera: str, visits: list[int]) -> Timeline:
    """Store the visits of each of the days before today; the timeline of these days."""
    first = TODAY - timedelta(days=len(visits))
    batch = [
        visit(f"{camera} {day} {n}", camera=camera, first_seen=at(first + timedelta(days=day), 9) + n)
        for day, number in enumerate(visits)
        for n in range(number)
    ]
    Writer(engine).write(results(batch), {})
    return day_timeline(first, TODAY - timedelta(days=1), Unit.DAY, at(TODAY, 9), ZONE)


def test_days_that_are_hidden_lest_they_reveal_another_camera_are_told(engine: sa.Engine) -> None:
    several_days(engine, "attic", [0, 3, 3, 3, 3, 3, 3])
    timeline = several_days(engine, "door", [40] * 7)
    trend = read_trend(engine, timeline, Choice(K, frozenset({"door"})))
    assert trend.whole.visits == 40
    assert trend.hidden == 6
    assert visits_detail(trend, timeline, Change(40, 280, True)) == "6 of 7 days hidden"
    assert read_trend(engine, timeline, Choice(K)).hidden == 0


def test_many_days_of_few_visits_are_hidden_whatever_their_sum(engine: sa.Engine) -> None:
    timeline = several_days(engine, "till", [9] * 20)
    trend = read_trend(engine, timeline, Choice(K))
    assert trend.whole.state is State.SUPPRESSED
    assert trend.hidden == 20
    assert visits_detail(trend, timeline, None) == "20 of 20 days hidden"
    weeks = Timeline((timeline.start, timeline.end), Unit.WEEK, timeline.now, ZONE)
    assert read_trend(engine, weeks, Choice(K)).hidden == 20, "a week consists of days"


def test_visits_that_wait_for_their_group_are_not_hidden(engine: sa.Engine) -> None:
    today = at(TODAY, 10)
    Writer(engine).write(results([visit(f"{n}", first_seen=today + n) for n in range(9)]), {})
    trend = read_trend(engine, day_timeline(TODAY, TODAY, Unit.HOUR, at(TODAY, 12), ZONE), Choice(K))
    assert trend.whole.state is State.SUPPRESSED
    assert trend.hidden == 0


def test_the_course_of_a_tile_has_no_week_that_the_period_cuts(engine: sa.Engine) -> None:
    several_days(engine, "till", [10] * 17)
    # From a Sunday to a Tuesday.
    timeline = day_timeline(date(2026, 2, 22), date(2026, 3, 10), Unit.WEEK, at(TODAY, 9), ZONE)
    for k in (1, K):
        trend = read_trend(engine, timeline, Choice(k))
        assert [slot.days for slot in trend.slots] == [1, None, None, 2]
        assert sparkline(trend, lambda figures: figures.visits) == [70, 70]
