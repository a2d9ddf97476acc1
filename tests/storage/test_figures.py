"""Every figure equals what brute force finds in the rows, from single rows and from roll-ups alike."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from statistics import fmean, median
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, UNKNOWN, CameraMinute, Visit
from storage.figures.comparison import Chosen, Verdict, compare
from storage.figures.cross import read_cross
from storage.figures.estimate import shares_over_days
from storage.figures.groups import ENGAGED_S, State
from storage.figures.quality import read_oldest, read_quality
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit, day_timeline
from storage.figures.trend import read_trend
from storage.figures.weekdays import read_week
from storage.intervals import Interval
from storage.local_time import HOUR_US, date_of, day_start, to_local_time
from storage.mood import mood_of
from storage.rollups import roll_up
from storage.tables import DWELL_EDGES_S, GENDERS, camera_hours
from storage.writer import Writer
from tests.support.databases import estimate, results, visit

ZONE = ZoneInfo("Europe/Berlin")
FIRST, LAST = date(2023, 10, 23), date(2023, 11, 5)
START = day_start(FIRST, ZONE)
NOW = day_start(LAST, ZONE) + 15 * HOUR_US
CAMERAS = ("door", "shelf", "till")
LABELS = [
    *([("happiness", "female")] * 3),
    *([("neutral", "male")] * 3),
    ("anger", "female"),
    ("sadness", UNKNOWN),
    (UNKNOWN, "male"),
]


def some_visits(dice: random.Random, n: int) -> list[Visit]:
    found = []
    for _ in range(n):
        looks, gender = dice.choice(LABELS)
        likely = estimate(
            "neutral" if looks == UNKNOWN else looks,
            "male" if gender == UNKNOWN else gender,
            dice.uniform(0.3, 0.9),
        )
        labelled = type(likely)(likely.expressions, likely.female, looks, gender)
        found.append(
            visit(
                f"{dice.getrandbits(100):x}",
                camera=dice.choice(CAMERAS),
                first_seen=dice.randrange(START, NOW),
                seconds=round(dice.lognormvariate(1.8, 1), 2),
                looks=labelled,
                closed=dice.random() < 0.97,
            )
        )
    return found


def some_minutes(dice: random.Random) -> list[CameraMinute]:
    return [
        CameraMinute(camera, minute, captured=300, analysed=300, watched_us=dice.randrange(61) * MICROSECONDS)
        for camera in CAMERAS
        for minute in range(START, NOW, 30 * MINUTE_US)
    ]


@pytest.fixture(params=["single rows", "roll-ups"])
def stored(request: pytest.FixtureRequest, engine: sa.Engine) -> tuple[sa.Engine, list[Visit]]:
    """Two weeks in which the clock changes, with and without roll-ups."""
    dice = random.Random(11)
    visits = some_visits(dice, 900)
    Writer(engine).write(results(visits, minutes=some_minutes(dice)), {})
    if request.param == "roll-ups":
        roll_up(engine, NOW, ZONE.key)
    return engine, visits


def seconds(each: Visit) -> float:
    return (each.last_seen - each.first_seen) / MICROSECONDS


def moods(visits: list[Visit]) -> list[float]:
    return [
        100 * mood_of({f"p_{name}": p for name, p in each.estimate.expressions.items()}) for each in visits
    ]


def within(visits: list[Visit], timeline: Timeline, slot: int) -> list[Visit]:
    low, high = timeline.edges[slot : slot + 2]
    return [each for each in visits if low <= each.first_seen < high]


def share_of(visits: list[Visit], has: Callable[[Visit], bool]) -> Interval:
    """The share of visits that have something, from the counts of each local day."""
    days = [date_of(each.first_seen, ZONE) for each in visits]
    having = Counter(day for day, each in zip(days, visits, strict=True) if has(each))
    all_of_them = Counter(days)
    counts = np.asarray([[having[day], count] for day, count in all_of_them.items()], np.float64)
    return shares_over_days(counts[:, :1], counts[:, 1])[0]


@pytest.mark.parametrize("unit", [Unit.HOUR, Unit.DAY, Unit.WEEK])
def test_trends(stored: tuple[sa.Engine, list[Visit]], unit: Unit) -> None:
    engine, visits = stored
    timeline = day_timeline(FIRST, LAST, unit, NOW, ZONE)
    trend = read_trend(engine, timeline, Choice(1))
    assert len(trend.slots) == timeline.slots
    for slot, shown in enumerate(trend.slots):
        group, figures = within(visits, timeline, slot), shown.figures
        assert (figures.visits or 0) == len(group)
        if not group:
            continue
        assert figures.mood
        assert figures.dwell
        assert figures.dwell_median
        assert figures.mood.value == pytest.approx(fmean(moods(group)))
        assert figures.dwell.value == pytest.approx(fmean(map(seconds, group)))
        labels = Counter(each.estimate.expression for each in group)
        assert {name: share.value for name, share in figures.expressions.items() if share.value} == {
            label: pytest.approx(count / len(group)) for label, count in labels.items()
        }
        assert figures.engagement == share_of(group, lambda each: seconds(each) >= ENGAGED_S)
        known = [each for each in group if each.estimate.gender != UNKNOWN]
        if known:
            assert figures.genders["female"] == share_of(
                known, lambda each: each.estimate.gender == GENDERS[0]
            )
        assert figures.gender_unknown == share_of(group, lambda each: each.estimate.gender == UNKNOWN)
    whole = trend.whole
    assert whole.visits == len(visits)
    assert whole.dwell_median
    exact = median(map(seconds, visits))
    edges = [0, *DWELL_EDGES_S]
    inside = max(edge for edge in edges if edge <= exact), min(edge for edge in edges if edge > exact)
    assert inside[0] <= whole.dwell_median.value <= inside[1]
    watched = sum(each.watched_us for each in some_minutes_of(stored))
    assert whole.coverage == 1.0, "cameras that are not registered are scheduled while they watch"
    assert watched > 0


def some_minutes_of(stored: tuple[sa.Engine, list[Visit]]) -> list[CameraMinute]:
    dice = random.Random(11)
    some_visits(dice, len(stored[1]))
    return some_minutes(dice)


def test_hours_of_the_week(stored: tuple[sa.Engine, list[Visit]]) -> None:
    engine, visits = stored
    week = read_week(engine, day_timeline(FIRST, LAST, Unit.DAY, NOW, ZONE), Choice(1, frozenset({"door"})))
    chosen = [each for each in visits if each.camera_id == "door"]

    def hour_of(time: int) -> int:
        return date_of(time, ZONE).weekday() * 24 + to_local_time(time, ZONE) // HOUR_US % 24

    counts = Counter(hour_of(each.first_seen) for each in chosen)
    watched: Counter[int] = Counter()
    for each in some_minutes_of(stored):
        if each.camera_id == "door":
            watched[hour_of(each.minute)] += each.watched_us
    for each in week:
        assert (each.visits or 0) == counts[each.hour]
        assert each.watched_hours == pytest.approx(watched[each.hour] / HOUR_US)
        if counts[each.hour]:
            assert each.rate == pytest.approx(counts[each.hour] * HOUR_US / watched[each.hour])


def test_the_quality_of_each_camera(stored: tuple[sa.Engine, list[Visit]]) -> None:
    engine, _ = stored
    found = read_quality(engine, day_timeline(FIRST, LAST, Unit.DAY, NOW, ZONE))
    minutes = some_minutes_of(stored)
    assert [each.camera_id for each in found] == list(CAMERAS)
    for each in found:
        own = [minute for minute in minutes if minute.camera_id == each.camera_id]
        assert each.captured == each.outcomes["analysed"] == 300 * len(own)
        assert each.coverage == 1
        assert each.age_us == 0
    assert read_oldest(engine)["coverage"] == START


def test_expressions_by_gender(stored: tuple[sa.Engine, list[Visit]]) -> None:
    engine, visits = stored
    timeline = day_timeline(FIRST, LAST, Unit.DAY, NOW, ZONE)
    for mix in read_cross(engine, timeline, Choice(1, frozenset({"door", "till"}))):
        group = [each for each in visits if each.camera_id != "shelf" and each.estimate.gender == mix.gender]
        assert mix.visits == len(group)
        assert mix.expressions["anger"] == share_of(group, lambda each: each.estimate.expression == "anger")


def test_comparisons_of_cameras(stored: tuple[sa.Engine, list[Visit]]) -> None:
    engine, visits = stored
    timeline = day_timeline(FIRST, LAST, Unit.DAY, NOW, ZONE)
    found = compare(
        engine, Chosen(timeline, frozenset({"door"})), Chosen(timeline, frozenset({"till", "shelf"})), 1
    )
    a = [each for each in visits if each.camera_id == "door"]
    b = [each for each in visits if each.camera_id != "door"]
    assert (found.a.visits, found.b.visits) == (len(a), len(b))
    by_key = {each.measure.key: each.difference for each in found.measures}
    mood, happy, dwell, rate = (by_key[key] for key in ("mood", "happiness", "dwell", "visits"))
    assert mood
    assert happy
    assert dwell
    assert rate
    assert mood.value == pytest.approx(fmean(moods(a)) - fmean(moods(b)))
    shares = [sum(each.estimate.expression == "happiness" for each in side) / len(side) for side in (a, b)]
    assert (happy.a, happy.b) == pytest.approx(tuple(shares))
    assert dwell.a == pytest.approx(fmean(map(seconds, a)))
    hours = Counter[bool]()
    for each in some_minutes_of(stored):
        hours[each.camera_id == "door"] += each.watched_us
    assert rate.a == pytest.approx(len(a) * HOUR_US / hours[True])
    assert all(
        each.difference is None or each.difference.low <= each.difference.value for each in found.measures
    )
    assert {each.verdict for each in found.measures} == {Verdict.UNCLEAR}, "nothing differs but by chance"


def test_small_groups_are_hidden_with_what_would_reveal_them(engine: sa.Engine) -> None:
    def several(n: int, camera: str, day: int, hour: int) -> list[Visit]:
        start = day_start(FIRST + timedelta(days=day), ZONE) + hour * HOUR_US
        return [
            visit(f"{camera}{day}-{hour}-{number}", camera=camera, first_seen=start + number, closed=True)
            for number in range(n)
        ]

    visits = several(40, "till", 0, 9) + several(4, "till", 1, 10) + several(50, "till", 2, 9)
    visits += several(60, "door", 2, 9)
    Writer(engine).write(results(visits), {})
    timeline = day_timeline(FIRST, LAST, Unit.DAY, NOW, ZONE)
    trend = read_trend(engine, timeline, Choice(10))
    states = [slot.figures.state for slot in trend.slots[:3]]
    assert states == [State.SHOWN, State.SUPPRESSED, State.SHOWN]
    assert trend.whole.visits == 150, "the day of four visits counts nowhere"
    week = {each.hour: each.state for each in read_week(engine, timeline, Choice(10))}
    assert week[24 + 10] is State.SUPPRESSED
    assert sum(state is State.SUPPRESSED for state in week.values()) == 2
    female, male, unknown = read_cross(engine, timeline, Choice(10))
    assert (female.state, male.state, unknown.state) == (State.SHOWN, State.NOBODY, State.NOBODY)
    hidden = compare(engine, Chosen(timeline, frozenset({"cellar"})), Chosen(timeline), 10)
    assert hidden.b.visits == 154
    few = day_timeline(FIRST + timedelta(days=1), FIRST + timedelta(days=1), Unit.DAY, NOW, ZONE)
    compared = compare(engine, Chosen(few), Chosen(timeline), 10)
    assert compared.a.visits is None
    assert all(each.difference is None for each in compared.measures)


def test_a_matched_comparison_hides_the_few_visits_that_are_left(engine: sa.Engine) -> None:
    morning = START + 9 * HOUR_US
    visits = [
        visit(f"{camera}{n}", camera=camera, first_seen=morning + n + (n >= 40) * HOUR_US, closed=True)
        for camera in ("till", "door")
        for n in range(43)
    ]
    Writer(engine).write(results(visits), {})
    roll_up(engine, NOW, ZONE.key)
    hours = camera_hours.c
    at_till = sa.update(camera_hours).where(hours.camera_id == "till")
    with engine.begin() as connection:
        connection.execute(at_till.values(scheduled_us=HOUR_US, watched_us=HOUR_US))
        connection.execute(at_till.where(hours.hour == morning).values(watched_us=0))
    timeline = day_timeline(FIRST, LAST, Unit.DAY, NOW, ZONE)
    sides = Chosen(timeline, frozenset({"till"})), Chosen(timeline, frozenset({"door"}))
    assert compare(engine, *sides, 10).a.visits == 43
    matched = compare(engine, *sides, 10, matched=True)
    assert (matched.a.dropped_hours, matched.a.visits) == (1, None)
    assert all(each.difference is None for each in matched.measures)
