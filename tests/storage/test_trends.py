from __future__ import annotations

import dataclasses
import math
from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MINUTE_US, UNKNOWN, CameraHealth, CameraMinute, CameraState, Estimate, Visit
from common.access import LOCAL
from storage import tables
from storage.figures.groups import State, state_without_visits, visit_state
from storage.figures.released import find_released_groups
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit, rolling_timeline, shifted
from storage.figures.trend import Trend, read_trend
from storage.figures.weekdays import read_week
from storage.intervals import share_interval
from storage.local_time import day_start
from storage.newest_result import read_newest_result
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import T0, estimate, results, visit

SECOND = 1_000_000


def minutes(count: int, step: int = 1) -> Timeline:
    """Slots of `step` minutes from T0 on; now is their end."""
    edges = tuple(T0 + number * step * MINUTE_US for number in range(count + 1))
    return Timeline(edges, Unit.MINUTE if step == 1 else Unit.FIVE_MINUTES, edges[-1], ZoneInfo("UTC"))


FIVE = minutes(5)
EVERYTHING = Choice(suppress_below=1)


def people(
    n: int, minute: int, camera: str = "till", looks: Estimate | None = None, closed: bool = True
) -> list[Visit]:
    """`n` visits that begin in one minute."""
    looks = looks or estimate()
    return [
        visit(
            f"{camera} {minute} {looks.expression} {index}",
            camera=camera,
            first_seen=T0 + minute * MINUTE_US + index * SECOND // 2,
            looks=looks,
            closed=closed,
        )
        for index in range(n)
    ]


def watched(minute: int, seconds: float = 60, camera: str = "till") -> CameraMinute:
    return CameraMinute(
        camera, T0 + minute * MINUTE_US, captured=300, analysed=300, watched_us=round(seconds * SECOND)
    )


def register(engine: sa.Engine, *cameras: str, at: int = T0) -> None:
    registry = CameraRegistry(engine)
    for camera in cameras:
        registry.add(LOCAL, CameraRow(camera, "demo://"))
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created_at=at))


def unknown(p: float = 0.2) -> Estimate:
    return dataclasses.replace(estimate(p=p), expression=UNKNOWN, gender=UNKNOWN)


def test_every_figure_of_a_small_day(engine: sa.Engine) -> None:
    register(engine, "till")
    happy, angry = estimate("happiness", "female", 0.7), estimate("anger", "male", 0.7)
    Writer(engine).write(
        results(
            [*people(6, 0, looks=happy), *people(3, 0, looks=angry), *people(1, 0, looks=unknown())],
            minutes=[watched(0), watched(1), watched(2, seconds=30)],
        ),
        {},
    )
    whole = read_trend(engine, FIVE, EVERYTHING).whole
    assert whole.state is State.SHOWN
    assert whole.visits == 10
    assert whole.expressions["happiness"] == share_interval(6, 10)
    assert whole.expressions["anger"] == share_interval(3, 10)
    assert whole.expressions[UNKNOWN] == share_interval(1, 10)
    assert whole.expressions["fear"] == share_interval(0, 10)
    assert whole.genders == {"female": share_interval(6, 9), "male": share_interval(3, 9)}, (
        "of those labelled"
    )
    assert whole.gender_unknown == share_interval(1, 10)
    # Moods: .7 - 4 x .05 = .5 when happy, .05 - .7 - 3 x .05 = -.8 when angry, .2 - 4 x .8/6 when unknown.
    moods = [50.0] * 6 + [-80.0] * 3 + [20 - 4 * 80 / 6]
    mean = sum(moods) / 10
    reach = 1.959964 * math.sqrt(sum((m - mean) ** 2 for m in moods) / 9 / 10)
    assert whole.mood is not None
    assert (whole.mood.value, whole.mood.low, whole.mood.high) == pytest.approx(
        (mean, mean - reach, mean + reach)
    )
    scheduled = 5 * 60 - 5, 60 + 60 + 30
    assert whole.coverage == pytest.approx(scheduled[1] / scheduled[0]), (
        "the last five seconds are not scheduled yet"
    )


def test_open_visits_count_and_are_not_counted_twice_when_they_close(engine: sa.Engine) -> None:
    writer = Writer(engine)
    writer.write(results(people(4, 1, closed=False)), {})
    before = read_trend(engine, FIVE, EVERYTHING)
    writer.write(results([dataclasses.replace(each, closed=True) for each in people(4, 1, closed=False)]), {})
    after = read_trend(engine, FIVE, EVERYTHING)
    assert before.whole.visits == after.whole.visits == 4
    assert before.slots[1].figures.visits == after.slots[1].figures.visits == 4
    assert before.whole.mood is not None
    assert after.whole.mood is not None
    assert dataclasses.astuple(before.whole.mood) == pytest.approx(dataclasses.astuple(after.whole.mood))
    assert before.whole.expressions == after.whole.expressions


def test_each_slot_contains_the_visits_that_started_in_it(engine: sa.Engine) -> None:
    Writer(engine).write(results([*people(2, -1), *people(3, 0), *people(5, 3), *people(7, 5)]), {})
    shown = read_trend(engine, FIVE, EVERYTHING)
    assert [slot.figures.visits for slot in shown.slots] == [3, None, None, 5, None], (
        "visits before and after the period do not count"
    )
    assert shown.whole.visits == 8
    assert [slot.start for slot in shown.slots] == [T0 + i * MINUTE_US for i in range(5)]
    assert all(slot.end - slot.start == MINUTE_US for slot in shown.slots)


def test_only_the_slot_that_contains_now_is_running(engine: sa.Engine) -> None:
    period = dataclasses.replace(FIVE, now=T0 + 4 * MINUTE_US + SECOND)
    assert [slot.running for slot in read_trend(engine, period, EVERYTHING).slots] == [False] * 4 + [True]


def test_slots_may_have_many_minutes(engine: sa.Engine) -> None:
    Writer(engine).write(
        results([*people(2, 0), *people(3, 4), *people(4, 5), *people(5, 9, closed=False)]), {}
    )
    period = minutes(2, step=5)
    assert [slot.figures.visits for slot in read_trend(engine, period, EVERYTHING).slots] == [5, 9]


def test_cameras_can_be_chosen(engine: sa.Engine) -> None:
    register(engine, "till", "door")
    Writer(engine).write(
        results(
            [*people(3, 0), *people(5, 0, "door", estimate("fear", "male"))],
            minutes=[watched(minute) for minute in range(5)],
        ),
        {},
    )
    door = read_trend(engine, FIVE, Choice(1, frozenset({"door"}))).whole
    assert door.visits == 5
    assert door.expressions["fear"].value == 1
    assert door.genders["male"].value == 1
    assert door.coverage == 0
    till = read_trend(engine, FIVE, Choice(1, frozenset({"till"}))).whole
    assert till.coverage == 1
    assert read_trend(engine, FIVE, Choice(1, frozenset({"attic"}))).whole.state is State.UNOBSERVED


def test_a_slot_without_visitors_differs_from_one_without_observation(engine: sa.Engine) -> None:
    register(engine, "till")
    Writer(engine).write(results(minutes=[watched(0), watched(2), watched(3)]), {})
    shown = read_trend(engine, FIVE, EVERYTHING)
    assert shown.slots[0].figures.state is State.NOBODY
    assert shown.slots[0].figures.visits == 0
    assert shown.slots[1].figures.state is State.UNOBSERVED
    assert shown.slots[1].figures.visits is None
    assert shown.whole.state is State.NOBODY


def test_a_glimpse_does_not_say_that_nobody_was_there(engine: sa.Engine) -> None:
    register(engine, "till", at=HOUR)
    Writer(engine).write(results(minutes=[watched(0, seconds=2)]), {})
    figures = read_trend(engine, minutes(60), EVERYTHING).whole
    assert (figures.state, figures.visits) == (State.UNOBSERVED, None)
    assert figures.coverage
    assert visit_state(figures) == "hardly observed"
    hours_watched = [each for each in read_week(engine, minutes(60), EVERYTHING) if each.coverage]
    assert [(each.state, each.rate, each.visits) for each in hours_watched] == [
        (State.UNOBSERVED, None, None)
    ]


def test_half_of_the_time_says_that_nobody_was_there() -> None:
    states = [state_without_visits(coverage) for coverage in (None, 0.0, 0.49, 0.5, 1.0)]
    assert states == [State.UNOBSERVED] * 3 + [State.NOBODY] * 2


def test_the_earlier_minutes_have_the_visits_of_their_groups_alone(engine: sa.Engine) -> None:
    """Groups of minutes begin and end at minutes, and some are hidden."""
    zone = ZoneInfo("Europe/Berlin")
    now = day_start(date(2026, 3, 11), zone) + 12 * 60 * MINUTE_US + 15 * MINUTE_US
    before = day_start(date(2026, 3, 4), zone)

    def at(minute: int, n: int, camera: str) -> list[Visit]:
        start = before + minute * MINUTE_US
        return [
            visit(
                f"{camera}{minute}-{number}", camera=camera, first_seen=start + number * SECOND, closed=True
            )
            for number in range(n)
        ]

    alone = range(12 * 60 + 5, 12 * 60 + 8)
    visits = [
        each for minute in range(11 * 60, 14 * 60) for each in at(minute, 9 if minute in alone else 5, "a")
    ]
    visits += [each for minute in alone[1:] for each in at(minute, 1, "b")]
    Writer(engine).write(results(visits), {})
    earlier = shifted(rolling_timeline(15, Unit.MINUTE, now, zone), 7)
    choice = Choice(10, frozenset({"a"}))
    with engine.connect() as connection:
        groups = find_released_groups(connection, earlier, choice)
    counted = [
        each
        for each in visits
        if each.camera_id == "a" and any(group.start <= each.first_seen < group.end for group in groups)
    ]
    assert len(groups) > 1
    assert read_trend(engine, earlier, choice).whole.visits == len(counted)


def test_an_empty_database_was_not_observed(engine: sa.Engine) -> None:
    shown = read_trend(engine, FIVE, EVERYTHING)
    assert shown.whole.state is State.UNOBSERVED
    assert shown.whole.coverage is None
    assert read_newest_result(engine) is None


HOUR = T0 - T0 % (60 * MINUTE_US)
"""The start of an hour."""


def hours(count: int, now: int, unit: Unit = Unit.HOUR) -> Timeline:
    step = {Unit.HOUR: 60, Unit.FIVE_MINUTES: 5, Unit.MINUTE: 1}[unit] * MINUTE_US
    edges = tuple(range(HOUR, HOUR + count * 60 * MINUTE_US + 1, step))
    return Timeline(edges, unit, now, ZoneInfo("UTC"))


def guests(n: int, minute: int, camera: str = "till", looks: Estimate | None = None) -> list[Visit]:
    """`n` visits that begin in one minute after `HOUR`."""
    return people(n, minute - (T0 - HOUR) // MINUTE_US, camera, looks)


class TestSuppression:
    K = 10
    LATER = HOUR + 48 * 60 * MINUTE_US
    """Two days later: hours and days are over."""

    def states(self, trend: Trend) -> list[str]:
        return [slot.figures.state.name for slot in trend.slots]

    def test_a_slot_of_few_visits_is_hidden_with_those_that_complete_its_group(
        self, engine: sa.Engine
    ) -> None:
        batch = [*guests(20, 0), *guests(4, 5), *guests(30, 12), *guests(12, 15), *guests(3, 50)]
        Writer(engine).write(results(batch), {})
        shown = read_trend(engine, hours(1, self.LATER, Unit.FIVE_MINUTES), Choice(self.K))
        assert self.states(shown)[:5] == ["SHOWN", "SUPPRESSED", "SUPPRESSED", "SUPPRESSED", "UNOBSERVED"]
        assert self.states(shown)[10] == "SUPPRESSED", "these three joined the last group"
        assert [slot.figures.visits for slot in shown.slots[:2]] == [20, None]
        assert shown.whole.visits == 69
        for slot in shown.slots[1:4]:
            assert slot.figures.mood is None
            assert not slot.figures.expressions
            assert not slot.figures.genders

    def test_a_small_period_has_no_figures(self, engine: sa.Engine) -> None:
        Writer(engine).write(results([*guests(5, 0), *guests(4, 20)]), {})
        for unit in (Unit.HOUR, Unit.FIVE_MINUTES, Unit.MINUTE):
            shown = read_trend(engine, hours(1, self.LATER, unit), Choice(self.K))
            assert shown.whole.state is State.SUPPRESSED
            assert shown.whole.visits is None
            assert set(self.states(shown)) <= {"SUPPRESSED", "UNOBSERVED"}

    def test_few_labelled_genders_are_hidden_while_visits_are_not(self, engine: sa.Engine) -> None:
        Writer(engine).write(results([*guests(9, 0), *guests(20, 0, looks=unknown())]), {})
        whole = read_trend(engine, hours(1, self.LATER), Choice(self.K)).whole
        assert whole.visits == 29
        assert whole.expressions["happiness"] == share_interval(9, 29)
        assert not whole.genders
        assert whole.gender_unknown is None, "all minus the unknown share would reveal the number"

    def test_a_choice_of_cameras_cannot_be_subtracted_from_all(self, engine: sa.Engine) -> None:
        Writer(engine).write(
            results([*guests(50, 0, "door"), *guests(40, 0, "till"), *guests(3, 0, "attic")]), {}
        )
        period = hours(1, self.LATER)
        both = read_trend(engine, period, Choice(self.K, frozenset({"door", "till"})))
        assert both.whole.state is State.SUPPRESSED
        assert both.slots[0].figures.state is State.SUPPRESSED
        assert read_trend(engine, period, Choice(self.K, frozenset({"door"}))).whole.visits == 50
        assert read_trend(engine, period, Choice(self.K)).whole.visits == 93

    def test_two_refreshes_differ_by_nothing_or_by_a_group(self, engine: sa.Engine) -> None:
        """One visit comes every 20 seconds; the page of the last hour is as often read."""
        batch = [guests(1, minute, f"door-{third}")[0] for minute in range(60) for third in range(3)]
        Writer(engine).write(results(batch), {})
        shown = []
        for second in range(0, 3600, 20):
            trend = read_trend(engine, hours(1, HOUR + second * SECOND, Unit.FIVE_MINUTES), Choice(self.K))
            shown.append(trend.whole.visits or 0)
        steps = {after - before for before, after in pairwise(shown)}
        assert shown[-1] > 100
        assert all(step == 0 or step >= self.K for step in steps)

    def test_the_running_hour_and_day_have_the_groups_that_are_over(self, engine: sa.Engine) -> None:
        Writer(engine).write(results([*guests(40, 0), *guests(12, 61), *guests(13, 66), *guests(14, 71)]), {})
        now = HOUR + 80 * MINUTE_US
        period = hours(2, now)
        shown = read_trend(engine, period, Choice(self.K))
        assert [slot.figures.visits for slot in shown.slots] == [None, 25], "the last group waits"
        assert [slot.running for slot in shown.slots] == [False, True]

    def test_today_has_the_hours_that_are_over(self, engine: sa.Engine) -> None:
        Writer(engine).write(results([*guests(40, -600), *guests(39, -530), *guests(38, -470)]), {})
        day = 24 * 60 * MINUTE_US
        edges = (HOUR - HOUR % day, HOUR - HOUR % day + day)
        for minute, visits in ((-535, None), (-475, 40), (-410, 79), (24 * 60, 117)):
            today = Timeline(edges, Unit.DAY, HOUR + minute * MINUTE_US, ZoneInfo("UTC"))
            assert read_trend(engine, today, Choice(self.K)).whole.visits == visits, minute


class TestCoverage:
    def test_coverage_starts_when_a_camera_is_registered(self, engine: sa.Engine) -> None:
        register(engine, "till", at=T0 + 3 * MINUTE_US)
        Writer(engine).write(results(minutes=[watched(3), watched(4)]), {})
        shown = read_trend(engine, FIVE, EVERYTHING)
        assert shown.whole.coverage == 1
        assert shown.slots[0].figures.coverage is None, "nothing was scheduled"

    def test_coverage_may_start_within_a_slot_and_a_minute(self, engine: sa.Engine) -> None:
        register(engine, "till", at=T0 + 3 * MINUTE_US + 40 * SECOND)
        Writer(engine).write(results(minutes=[watched(3, seconds=20), watched(4)]), {})
        period = minutes(1, step=5)
        assert read_trend(engine, period, EVERYTHING).whole.coverage == 1

    def test_coverage_starts_with_the_first_frame_of_a_camera_that_is_registered_again(
        self, engine: sa.Engine
    ) -> None:
        register(engine, "till", at=T0 + 4 * MINUTE_US)
        Writer(engine).write(results(minutes=[watched(1), watched(4)]), {})
        assert read_trend(engine, FIVE, EVERYTHING).whole.coverage == pytest.approx(0.5)

    def test_a_camera_without_frames_reduces_the_coverage(self, engine: sa.Engine) -> None:
        register(engine, "till", "door")
        Writer(engine).write(results(minutes=[watched(minute) for minute in range(5)]), {})
        assert read_trend(engine, FIVE, EVERYTHING).whole.coverage == pytest.approx(300 / 595)

    def test_a_minute_has_at_most_a_minute_of_coverage(self, engine: sa.Engine) -> None:
        register(engine, "till")
        Writer(engine).write(results(minutes=[watched(0, seconds=90)]), {})
        assert read_trend(engine, FIVE, EVERYTHING).whole.coverage == pytest.approx(60 / 295)

    def test_a_camera_is_scheduled_until_it_is_paused(self, engine: sa.Engine) -> None:
        register(engine, "till", "door")
        writer = Writer(engine)
        writer.write(results(minutes=[watched(m) for m in range(5)] + [watched(0, camera="door")]), {})
        CameraRegistry(engine).pause(LOCAL, "door", "repainting")
        with engine.begin() as connection:
            connection.execute(sa.update(tables.camera_pauses).values(start_at=T0 + MINUTE_US))
        shown = read_trend(engine, FIVE, EVERYTHING)
        assert shown.whole.coverage == 1
        assert read_trend(engine, FIVE, Choice(1, frozenset({"door"}))).slots[1].figures.coverage is None

    def test_an_ended_recording_is_not_scheduled(self, engine: sa.Engine) -> None:
        register(engine, "till")
        with engine.begin() as connection:
            connection.execute(sa.update(tables.cameras).values(source="/clips/till.mp4"))
        self.end_capture(engine, "")
        shown = read_trend(engine, FIVE, EVERYTHING)
        assert shown.whole.coverage == 1
        assert shown.slots[2].figures.state is State.UNOBSERVED

    def test_a_live_camera_whose_capture_has_ended_is_still_scheduled(self, engine: sa.Engine) -> None:
        register(engine, "till")
        before = read_trend(engine, FIVE, EVERYTHING).whole
        self.end_capture(engine, "the source cannot be opened")
        after = read_trend(engine, FIVE, EVERYTHING).whole
        assert before.coverage == 0
        assert after.coverage is not None
        assert 0 < after.coverage < 1

    def end_capture(self, engine: sa.Engine, reason: str) -> None:
        """The camera watches for two minutes, then its capture ends."""
        writer, end = Writer(engine), T0 + 2 * MINUTE_US
        writer.write(results(minutes=[watched(0), watched(1)]), {})
        writer.report(CameraHealth("till", CameraState.ENDED, reason, end, end, 0.0, end, 0))


class TestFreshness:
    def test_open_and_closed_visits_are_results(self, engine: sa.Engine) -> None:
        writer = Writer(engine)
        writer.write(results([visit("a", first_seen=T0, seconds=7, closed=True)]), {})
        assert read_newest_result(engine) == T0 + 7 * SECOND
        writer.write(results([visit("b", first_seen=T0, seconds=9)]), {})
        assert read_newest_result(engine) == T0 + 9 * SECOND

    def test_a_visit_since_the_day_before_is_a_result(self, engine: sa.Engine) -> None:
        Writer(engine).write(results(minutes=[watched(0)]), {})
        midnight = T0 - T0 % (86_400 * SECOND)
        long = visit("a", first_seen=midnight - SECOND, seconds=T0 / SECOND - midnight / SECOND + 100)
        Writer(engine).write(results([long]), {})
        assert read_newest_result(engine) == long.last_seen > T0 + MINUTE_US

    def test_frames_without_faces_are_results(self, engine: sa.Engine) -> None:
        writer = Writer(engine)
        writer.write(results(minutes=[watched(0), watched(1, seconds=21), watched(1, 40, camera="door")]), {})
        assert read_newest_result(engine) == T0 + MINUTE_US + 40 * SECOND
        writer.count(CameraMinute("till", T0 + 2 * MINUTE_US, captured=9, stale=9))
        assert read_newest_result(engine) == T0 + MINUTE_US + 40 * SECOND, "stale frames are not results"
        writer.write(results(minutes=[watched(3, seconds=75)]), {})
        assert read_newest_result(engine) == T0 + 4 * MINUTE_US
