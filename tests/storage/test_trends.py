from __future__ import annotations

import dataclasses
import math

import pytest
import sqlalchemy as sa

from bus.messages import MINUTE_US, UNKNOWN, CameraHealth, CameraMinute, CameraState, Estimate, Visit
from storage import tables
from storage.intervals import share_interval
from storage.periods import Period
from storage.registry import CameraRegistry, CameraRow
from storage.trends import Choice, State, newest_result, trend
from storage.writer import Writer
from tests.support.databases import T0, estimate, results, visit

SECOND = 1_000_000
FIVE = Period(T0, MINUTE_US, 5, now=T0 + 5 * MINUTE_US)
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
        registry.add(CameraRow(camera, "demo://"))
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created_at=at))


def unknown(p: float = 0.2) -> Estimate:
    return dataclasses.replace(estimate(p=p), expression=UNKNOWN, gender=UNKNOWN)


def test_every_figure_of_a_small_day(engine: sa.Engine) -> None:
    register(engine, "till")
    glad, cross = estimate("happiness", "female", 0.7), estimate("anger", "male", 0.7)
    Writer(engine).write(
        results(
            [*people(6, 0, looks=glad), *people(3, 0, looks=cross), *people(1, 0, looks=unknown())],
            minutes=[watched(0), watched(1), watched(2, seconds=30)],
        ),
        {},
    )
    whole = trend(engine, FIVE, EVERYTHING).whole
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
    # Moods: .7 - 4 x .05 = .5 when glad, .05 - .7 - 3 x .05 = -.8 when cross, .2 - 4 x .8/6 when unknown.
    moods = [50.0] * 6 + [-80.0] * 3 + [20 - 4 * 80 / 6]
    mean = sum(moods) / 10
    reach = 1.959964 * math.sqrt(sum((m - mean) ** 2 for m in moods) / 9 / 10)
    assert whole.mood is not None
    assert (whole.mood.value, whole.mood.low, whole.mood.high) == pytest.approx(
        (mean, mean - reach, mean + reach)
    )
    scheduled = 5 * 60 - 5, 60 + 60 + 30
    assert whole.coverage == pytest.approx(scheduled[1] / scheduled[0]), (
        "the last five seconds may be on their way"
    )


def test_open_visits_count_and_are_not_counted_twice_when_they_close(engine: sa.Engine) -> None:
    writer = Writer(engine)
    writer.write(results(people(4, 1, closed=False)), {})
    before = trend(engine, FIVE, EVERYTHING)
    writer.write(results([dataclasses.replace(each, closed=True) for each in people(4, 1, closed=False)]), {})
    after = trend(engine, FIVE, EVERYTHING)
    assert before.whole.visits == after.whole.visits == 4
    assert before.slots[1].figures.visits == after.slots[1].figures.visits == 4
    assert before.whole.mood is not None
    assert after.whole.mood is not None
    assert dataclasses.astuple(before.whole.mood) == pytest.approx(dataclasses.astuple(after.whole.mood))
    assert before.whole.expressions == after.whole.expressions


def test_slots_follow_one_another_and_hold_what_began_in_them(engine: sa.Engine) -> None:
    Writer(engine).write(results([*people(2, -1), *people(3, 0), *people(5, 3), *people(7, 5)]), {})
    shown = trend(engine, FIVE, EVERYTHING)
    assert [slot.figures.visits for slot in shown.slots] == [3, None, None, 5, None], (
        "the ends do not belong to it"
    )
    assert shown.whole.visits == 8
    assert [slot.start for slot in shown.slots] == [T0 + i * MINUTE_US for i in range(5)]
    assert all(slot.end - slot.start == MINUTE_US for slot in shown.slots)


def test_only_the_slot_that_holds_now_is_running(engine: sa.Engine) -> None:
    period = dataclasses.replace(FIVE, now=T0 + 4 * MINUTE_US + SECOND)
    assert [slot.running for slot in trend(engine, period, EVERYTHING).slots] == [False] * 4 + [True]


def test_slots_of_many_minutes(engine: sa.Engine) -> None:
    Writer(engine).write(
        results([*people(2, 0), *people(3, 4), *people(4, 5), *people(5, 9, closed=False)]), {}
    )
    period = Period(T0, 5 * MINUTE_US, 2, now=T0 + 10 * MINUTE_US)
    assert [slot.figures.visits for slot in trend(engine, period, EVERYTHING).slots] == [5, 9]


def test_cameras_can_be_chosen(engine: sa.Engine) -> None:
    register(engine, "till", "door")
    Writer(engine).write(
        results(
            [*people(3, 0), *people(5, 0, "door", estimate("fear", "male"))],
            minutes=[watched(minute) for minute in range(5)],
        ),
        {},
    )
    door = trend(engine, FIVE, Choice(1, frozenset({"door"}))).whole
    assert door.visits == 5
    assert door.expressions["fear"].value == 1
    assert door.genders["male"].value == 1
    assert door.coverage == 0
    till = trend(engine, FIVE, Choice(1, frozenset({"till"}))).whole
    assert till.coverage == 1
    assert trend(engine, FIVE, Choice(1, frozenset({"attic"}))).whole.state is State.UNOBSERVED


def test_nobody_and_not_observed_never_look_alike(engine: sa.Engine) -> None:
    register(engine, "till")
    Writer(engine).write(results(minutes=[watched(0)]), {})
    shown = trend(engine, FIVE, EVERYTHING)
    assert shown.slots[0].figures.state is State.NOBODY
    assert shown.slots[0].figures.visits == 0
    assert shown.slots[1].figures.state is State.UNOBSERVED
    assert shown.slots[1].figures.visits is None
    assert shown.whole.state is State.NOBODY


def test_an_empty_database_was_not_observed(engine: sa.Engine) -> None:
    shown = trend(engine, FIVE, EVERYTHING)
    assert shown.whole.state is State.UNOBSERVED
    assert shown.whole.coverage is None
    assert newest_result(engine) is None


class TestSuppression:
    K = 10

    def test_a_small_slot_is_hidden_with_its_neighbour(self, engine: sa.Engine) -> None:
        Writer(engine).write(results([*people(20, 0), *people(12, 1), *people(4, 2), *people(30, 3)]), {})
        shown = trend(engine, FIVE, Choice(self.K))
        states = [slot.figures.state for slot in shown.slots]
        assert states == [State.SHOWN, State.SUPPRESSED, State.SUPPRESSED, State.SHOWN, State.UNOBSERVED]
        assert shown.whole.visits == 66
        for slot in shown.slots[1:3]:
            assert slot.figures.visits is None
            assert slot.figures.mood is None
            assert not slot.figures.expressions
            assert not slot.figures.genders

    def test_a_small_period_has_no_figures_at_all(self, engine: sa.Engine) -> None:
        Writer(engine).write(results([*people(5, 0), *people(4, 2)]), {})
        shown = trend(engine, FIVE, Choice(self.K))
        assert shown.whole.state is State.SUPPRESSED
        assert shown.whole.visits is None
        assert {slot.figures.state for slot in shown.slots} == {State.SUPPRESSED, State.UNOBSERVED}

    def test_few_labelled_genders_are_hidden_while_visits_are_not(self, engine: sa.Engine) -> None:
        Writer(engine).write(results([*people(9, 0), *people(20, 0, looks=unknown())]), {})
        whole = trend(engine, FIVE, Choice(self.K)).whole
        assert whole.visits == 29
        assert whole.expressions["happiness"] == share_interval(9, 29)
        assert not whole.genders
        assert whole.gender_unknown is None, "all minus the unknown share would tell how many there are"

    def test_a_choice_of_cameras_cannot_be_subtracted_from_all(self, engine: sa.Engine) -> None:
        Writer(engine).write(
            results([*people(50, 0, "door"), *people(40, 0, "till"), *people(3, 0, "attic")]), {}
        )
        both = trend(engine, FIVE, Choice(self.K, frozenset({"door", "till"})))
        assert both.whole.state is State.SUPPRESSED
        assert both.slots[0].figures.state is State.SUPPRESSED
        assert trend(engine, FIVE, Choice(self.K, frozenset({"door"}))).whole.visits == 50
        assert trend(engine, FIVE, Choice(self.K)).whole.visits == 93


class TestCoverage:
    def test_begins_when_a_camera_was_registered(self, engine: sa.Engine) -> None:
        register(engine, "till", at=T0 + 3 * MINUTE_US)
        Writer(engine).write(results(minutes=[watched(3), watched(4)]), {})
        shown = trend(engine, FIVE, EVERYTHING)
        assert shown.whole.coverage == 1
        assert shown.slots[0].figures.coverage is None, "nothing was scheduled"

    def test_within_a_slot_and_within_a_minute(self, engine: sa.Engine) -> None:
        register(engine, "till", at=T0 + 3 * MINUTE_US + 40 * SECOND)
        Writer(engine).write(results(minutes=[watched(3, seconds=20), watched(4)]), {})
        period = Period(T0, 5 * MINUTE_US, 1, now=T0 + 5 * MINUTE_US)
        assert trend(engine, period, EVERYTHING).whole.coverage == 1

    def test_begins_with_the_first_frame_of_a_camera_that_was_registered_anew(
        self, engine: sa.Engine
    ) -> None:
        register(engine, "till", at=T0 + 4 * MINUTE_US)
        Writer(engine).write(results(minutes=[watched(1), watched(4)]), {})
        assert trend(engine, FIVE, EVERYTHING).whole.coverage == pytest.approx((60 + 55) / (4 * 60 - 5))

    def test_a_camera_that_never_came_up_is_missed(self, engine: sa.Engine) -> None:
        register(engine, "till", "door")
        Writer(engine).write(results(minutes=[watched(minute) for minute in range(5)]), {})
        assert trend(engine, FIVE, EVERYTHING).whole.coverage == pytest.approx(0.5)

    def test_more_than_a_minute_a_minute_does_not_make_up_for_another(self, engine: sa.Engine) -> None:
        register(engine, "till")
        Writer(engine).write(results(minutes=[watched(0, seconds=90)]), {})
        assert trend(engine, FIVE, EVERYTHING).whole.coverage == pytest.approx(60 / 295)

    def test_a_paused_camera_is_not_missed_but_what_it_watched_counts(self, engine: sa.Engine) -> None:
        register(engine, "till", "door")
        writer = Writer(engine)
        writer.write(results(minutes=[watched(m) for m in range(5)] + [watched(0, camera="door")]), {})
        CameraRegistry(engine).pause("door", "repainting")
        shown = trend(engine, FIVE, EVERYTHING)
        assert shown.whole.coverage == 1
        assert trend(engine, FIVE, Choice(1, frozenset({"door"}))).slots[1].figures.coverage is None

    def test_a_recording_that_has_ended_is_not_missed(self, engine: sa.Engine) -> None:
        register(engine, "till")
        writer = Writer(engine)
        writer.write(results(minutes=[watched(0), watched(1)]), {})
        end = T0 + 2 * MINUTE_US
        writer.report(CameraHealth("till", CameraState.ENDED, "", end, end, 0.0, end, 0))
        shown = trend(engine, FIVE, EVERYTHING)
        assert shown.whole.coverage == 1
        assert shown.slots[2].figures.state is State.UNOBSERVED


class TestFreshness:
    def test_of_visits_open_and_closed(self, engine: sa.Engine) -> None:
        writer = Writer(engine)
        writer.write(results([visit("a", first_seen=T0, seconds=7, closed=True)]), {})
        assert newest_result(engine) == T0 + 7 * SECOND
        writer.write(results([visit("b", first_seen=T0, seconds=9)]), {})
        assert newest_result(engine) == T0 + 9 * SECOND

    def test_of_a_visit_that_began_the_day_before(self, engine: sa.Engine) -> None:
        Writer(engine).write(results(minutes=[watched(0)]), {})
        midnight = T0 - T0 % (86_400 * SECOND)
        long = visit("a", first_seen=midnight - SECOND, seconds=T0 / SECOND - midnight / SECOND + 100)
        Writer(engine).write(results([long]), {})
        assert newest_result(engine) == long.last_seen > T0 + MINUTE_US

    def test_of_frames_without_anybody(self, engine: sa.Engine) -> None:
        writer = Writer(engine)
        writer.write(results(minutes=[watched(0), watched(1, seconds=21), watched(1, 40, camera="door")]), {})
        assert newest_result(engine) == T0 + MINUTE_US + 40 * SECOND
        writer.count(CameraMinute("till", T0 + 2 * MINUTE_US, captured=9, stale=9))
        assert newest_result(engine) == T0 + MINUTE_US + 40 * SECOND, "skipped frames are no results"
        writer.write(results(minutes=[watched(3, seconds=75)]), {})
        assert newest_result(engine) == T0 + 4 * MINUTE_US
