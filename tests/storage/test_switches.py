"""Visits of cameras whose switches are off: they count, and are in no mix and in no share of unknown."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from benchmarks.figures import recorded_statements
from bus.messages import OFF, UNKNOWN, Estimate, Visit
from storage import tables
from storage.check import check_database
from storage.figures.cells import read_cells, snapshot
from storage.figures.comparison import Chosen, compare
from storage.figures.cross import read_cross
from storage.figures.groups import GROUP_COLUMNS, Figures, State
from storage.figures.released import find_released_groups
from storage.figures.selection import Choice
from storage.figures.timeline import Unit, day_timeline
from storage.figures.trend import read_trend
from storage.intervals import share_interval
from storage.local_time import HOUR_US, day_start
from storage.rollups import roll_up
from storage.writer import Writer
from tests.support.databases import estimate, results, rows, visit

ZONE = ZoneInfo("Europe/Berlin")
FIRST, LAST = date(2023, 10, 23), date(2023, 10, 24)
START, NOW = day_start(FIRST, ZONE), day_start(LAST, ZONE) + 12 * HOUR_US

LIKELY = estimate("happiness", "female", 0.7)
UNSURE = Estimate(LIKELY.expressions, LIKELY.female, UNKNOWN, UNKNOWN)
NO_EXPRESSION = Estimate({}, 0.7, OFF, "female")
NO_GENDER = Estimate(LIKELY.expressions, None, "happiness", OFF)
NEITHER = Estimate({}, None, OFF, OFF)


def visits_of(camera: str, looks: Estimate, count: int, day: int = 0) -> list[Visit]:
    start = START + day * 24 * HOUR_US
    return [
        visit(
            f"{camera}{day}{n}", camera=camera, first_seen=start + n * HOUR_US // 4, looks=looks, closed=True
        )
        for n in range(count)
    ]


@pytest.fixture(params=["single rows", "roll-ups"])
def figures(request: pytest.FixtureRequest, engine: sa.Engine) -> Figures:
    stored = [
        *visits_of("door", LIKELY, 6),
        *visits_of("door-unsure", UNSURE, 4),
        *visits_of("shelf", NO_EXPRESSION, 10),
        *visits_of("aisle", NO_GENDER, 5),
        *visits_of("till", NEITHER, 20),
    ]
    Writer(engine).write(results(stored), {})
    if request.param == "roll-ups":
        roll_up(engine, NOW, ZONE.key)
    return read_trend(engine, day_timeline(FIRST, FIRST, Unit.DAY, NOW, ZONE), Choice(1)).whole


def test_every_visit_counts_and_only_estimated_ones_are_in_a_mix(figures: Figures) -> None:
    assert figures.visits == 45
    assert figures.expressions["happiness"] == share_interval(11, 15)
    assert figures.expressions[UNKNOWN] == share_interval(4, 15)
    assert figures.genders["female"] == share_interval(16, 16)
    assert figures.gender_unknown == share_interval(4, 20)
    assert figures.mood
    assert figures.mood.value == pytest.approx(100 * (0.7 - 4 * 0.05))
    assert figures.dwell
    assert figures.dwell.value == pytest.approx(1.0)


def test_nothing_is_stored_of_what_is_off(engine: sa.Engine) -> None:
    writer = Writer(engine)
    writer.write(results([*visits_of("till", NEITHER, 1), *visits_of("shelf", NO_EXPRESSION, 1)]), {})
    stored = {str(row["camera_id"]): row for row in rows(engine, tables.visits)}
    assert {stored["till"][name] for name in (*tables.PROBABILITIES, "p_female")} == {None}
    assert {stored["shelf"][name] for name in tables.PROBABILITIES} == {None}
    assert stored["shelf"]["p_female"] == pytest.approx(0.7)
    assert (stored["till"]["expression"], stored["till"]["gender"]) == (OFF, OFF)
    failed = {each.subject for each in check_database(engine, NOW) if not each.passed}
    assert failed.isdisjoint({"rollup", "visits", "observations"})


def test_without_any_estimate_there_is_no_mix_and_no_mood(engine: sa.Engine) -> None:
    Writer(engine).write(results(visits_of("till", NEITHER, 20)), {})
    timeline = day_timeline(FIRST, FIRST, Unit.DAY, NOW, ZONE)
    shown = read_trend(engine, timeline, Choice(10)).whole
    assert (shown.state, shown.visits) == (State.SHOWN, 20)
    assert (shown.mood, shown.expressions, shown.genders, shown.gender_unknown) == (None, {}, {}, None)
    assert [mix.visits for mix in read_cross(engine, timeline, Choice(1))] == [0, 0, 0]


def test_few_estimated_visits_among_many_are_hidden(engine: sa.Engine) -> None:
    Writer(engine).write(results([*visits_of("till", NEITHER, 20), *visits_of("door", LIKELY, 3)]), {})
    shown = read_trend(engine, day_timeline(FIRST, FIRST, Unit.DAY, NOW, ZONE), Choice(10)).whole
    assert (shown.visits, shown.mood, shown.expressions, shown.genders) == (23, None, {}, {})
    all_of_them = read_trend(engine, day_timeline(FIRST, FIRST, Unit.DAY, NOW, ZONE), Choice(1)).whole
    assert all_of_them.expressions["happiness"].n == 3


def test_the_number_of_estimates_does_not_reveal_a_camera_whose_switch_is_off(engine: sa.Engine) -> None:
    Writer(engine).write(results([*visits_of("hall", LIKELY, 20), *visits_of("till", NEITHER, 3)]), {})
    timeline = day_timeline(FIRST, FIRST, Unit.DAY, NOW, ZONE)
    shown = read_trend(engine, timeline, Choice(10)).whole
    assert shown.visits == 23
    assert (shown.mood, shown.expressions, shown.genders, shown.gender_unknown) == (None, {}, {}, None)
    assert not shown.expressions_off
    many = [*visits_of("till", NEITHER, 12, day=-1), *visits_of("hall", LIKELY, 20, day=-1)]
    Writer(engine).write(results(many), {})
    before = FIRST - timedelta(days=1)
    shown = read_trend(engine, day_timeline(before, before, Unit.DAY, NOW, ZONE), Choice(10)).whole
    assert shown.mood
    assert (shown.visits, shown.mood.n) == (32, 20)


def test_days_of_few_estimates_are_in_no_figure_of_estimates(engine: sa.Engine) -> None:
    stored = [*visits_of("hall", NO_EXPRESSION, 20), *visits_of("door", LIKELY, 12)]
    stored += [*visits_of("hall", NO_EXPRESSION, 20, day=1), *visits_of("door", LIKELY, 2, day=1)]
    Writer(engine).write(results(stored), {})
    now = day_start(LAST + timedelta(days=1), ZONE) + HOUR_US
    both, one = (
        read_trend(engine, day_timeline(FIRST, last, Unit.DAY, now, ZONE), Choice(10)).whole
        for last in (LAST, FIRST)
    )
    assert (both.visits, one.visits) == (54, 32)
    assert both.mood == one.mood
    assert both.expressions == one.expressions
    assert both.mood
    assert both.mood.n == 12
    assert (both.genders["female"].n, one.genders["female"].n) == (54, 32), "its switch is on"


def test_a_refresh_reads_no_more_where_no_switch_is_off(engine: sa.Engine) -> None:
    Writer(engine).write(results(visits_of("door", LIKELY, 40)), {})
    counts = []
    for choice in (Choice(10), Choice(10, frozenset({"door"}))):
        timeline = day_timeline(FIRST, LAST, Unit.HOUR, NOW, ZONE)
        with recorded_statements(engine) as groups, engine.connect() as connection:
            find_released_groups(connection, timeline, choice)
        with recorded_statements(engine) as cells, snapshot(engine) as connection:
            read_cells(connection, timeline, GROUP_COLUMNS, only=choice.cameras, merged=True)
        with recorded_statements(engine) as statements:
            read_trend(engine, timeline, choice)
        counts.append((len(statements), len(groups) + len(cells)))
    assert all(found == expected for found, expected in counts)


def test_a_comparison_leaves_out_what_is_off_and_what_few_have(engine: sa.Engine) -> None:
    stored = [*visits_of("till", NEITHER, 20), *visits_of("door", LIKELY, 15)]
    stored += [*visits_of("till", NEITHER, 20, day=1), *visits_of("door", LIKELY, 3, day=1)]
    Writer(engine).write(results(stored), {})
    sides = [Chosen(day_timeline(day, day, Unit.DAY, NOW, ZONE)) for day in (FIRST, LAST)]
    for suppress_below, hidden in ((1, False), (10, True)):
        found = {
            each.measure.key: each.difference for each in compare(engine, *sides, suppress_below).measures
        }
        assert found["dwell"] is not None
        for measure in ("mood", "happiness", "female"):
            difference = found[measure]
            assert (difference is None) is hidden, measure
            if difference and measure == "happiness":
                assert (difference.a, difference.b) == (1.0, 1.0)
