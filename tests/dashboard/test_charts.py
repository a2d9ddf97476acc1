from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from dashboard import chart_tables, charts, theme, trend_charts
from dashboard.chart_tables import NOT_ESTIMATED
from dashboard.charts import Chart
from dashboard.label_layout import assign_lanes, place_labels
from dashboard.missing_estimates import why_no_expressions, why_no_genders
from dashboard.scales import SCALES, Scale
from storage.events import Event
from storage.figures.groups import Figures, State, visit_state
from storage.figures.timeline import Unit
from storage.figures.trend import Slot
from storage.figures.weekdays import WeekHour
from storage.intervals import Interval, mean_interval, share_interval
from storage.tables import EXPRESSIONS, GENDERS

UTC = ZoneInfo("UTC")
MINUTE = 60_000_000
T0 = 1_700_000_040 * 1_000_000
SCALE = SCALES[Unit.MINUTE]
Draw = Callable[[Sequence[Slot], ZoneInfo, Scale], Chart]
UNKNOWN = "unknown"
EVERY_CHART: list[Draw] = [charts.expressions_over_time, charts.genders_over_time, charts.mood_over_time]


def shown(visits: int = 40, happy: int = 10, female: int = 10, coverage: float | None = 1.0) -> Figures:
    counts = dict.fromkeys((*EXPRESSIONS, UNKNOWN), 0) | {"happiness": happy, "neutral": visits - happy}
    return Figures(
        State.SHOWN,
        coverage,
        visits,
        mean_interval(visits, 5.0 * visits, 25.0 * visits + visits),
        {label: share_interval(count, visits) for label, count in counts.items()},
        {"female": share_interval(female, visits), "male": share_interval(visits - female, visits)},
        share_interval(0, visits),
    )


def slots(*figures: Figures) -> list[Slot]:
    last = len(figures) - 1
    return [
        Slot(T0 + index * MINUTE, T0 + (index + 1) * MINUTE, index == last, each)
        for index, each in enumerate(figures)
    ]


HIDDEN, NOBODY = Figures(State.SUPPRESSED, 1.0), Figures(State.NOBODY, 1.0, visits=0)
UNOBSERVED = Figures(State.UNOBSERVED, 0.0)


def table(chart: Chart, name: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(chart.tables[name].to_json(orient="records"))
    return rows


def test_the_specification_does_not_depend_on_the_figures() -> None:
    for draw in EVERY_CHART:
        full = draw(slots(shown(), shown(50), shown(60)), UTC, SCALE)
        empty = draw(slots(HIDDEN, NOBODY, UNOBSERVED), UTC, SCALE)
        assert json.dumps(full.specification) == json.dumps(empty.specification)
        assert [list(each) for each in full.tables.values()] == [list(each) for each in empty.tables.values()]
    now = charts.shares_of_period(shown().expressions, theme.EXPRESSIONS, 30)
    assert now.specification == charts.shares_of_period({}, theme.EXPRESSIONS, 30).specification


@pytest.mark.parametrize("draw", EVERY_CHART)
def test_a_specification_contains_no_colour_and_names_the_tables_that_it_draws(draw: Draw) -> None:
    chart = draw(slots(shown()), UTC, SCALE)
    text = json.dumps(chart.specification)
    assert "#" not in text
    drawn = {layer["data"]["name"] for layer in _leaves(chart.specification) if "data" in layer}
    assert drawn == set(chart.vega_lite()["datasets"])
    assert set(chart.tables) <= drawn


def test_each_span_has_its_own_specification() -> None:
    week = charts.mood_over_time(slots(shown()), UTC, SCALES[Unit.DAY])
    assert week.specification != charts.mood_over_time(slots(shown()), UTC, SCALE).specification


def test_stacked_shares_add_up_to_one() -> None:
    chart = charts.expressions_over_time(slots(shown(40, happy=10), HIDDEN, shown(40, happy=20)), UTC, SCALE)
    rows = table(chart, "stack")
    assert [(row["label"], row["low"], row["high"]) for row in rows] == [
        ("happiness", 0.0, 0.25),
        ("neutral", 0.25, 1.0),
        ("happiness", 0.0, 0.5),
        ("neutral", 0.5, 1.0),
    ]
    assert [row["start"] for row in rows] == [T0 // 1000] * 2 + [(T0 + 2 * MINUTE) // 1000] * 2


def test_suppressed_figures_are_not_in_the_tables() -> None:
    for draw in EVERY_CHART:
        (row,) = table(draw(slots(HIDDEN), UTC, SCALE), "slots")
        assert row["visits"] is None
        assert row["mood"] is None
        assert row["state"] == "too few to show"
        assert all(row.get(label, "–") == "–" for label in (*theme.EXPRESSIONS, *GENDERS))


def test_too_few_labelled_genders_are_suppressed_in_the_gender_chart_alone() -> None:
    figures = Figures(State.SHOWN, 1.0, 12, expressions=shown(12).expressions)
    (gender,) = table(charts.genders_over_time(slots(figures), UTC, SCALE), "slots")
    (expression,) = table(charts.expressions_over_time(slots(figures), UTC, SCALE), "slots")
    assert (gender["state"], expression["state"]) == ("too few to show", "shown")


def test_figures_whose_switch_is_off_are_not_called_too_few() -> None:
    off = Figures(State.SHOWN, 1.0, 12, expressions_off=True, genders_off=True)
    few = Figures(State.SHOWN, 1.0, 12)
    for draw in EVERY_CHART:
        rows = table(draw(slots(off, few, shown()), UTC, SCALE), "slots")
        assert [row["state"] for row in rows] == [NOT_ESTIMATED, "too few to show", "shown"]


def test_the_reason_for_missing_estimates_is_that_of_the_whole_period() -> None:
    off = Figures(State.SHOWN, 1.0, 12, expressions_off=True, genders_off=True)
    for why in (why_no_expressions, why_no_genders):
        assert why(off, 10) == "Not estimated: switched off for these cameras."
        assert "figures appear from 10" in why(Figures(State.SHOWN, 1.0, 12), 10)
        assert why(shown(), 10) == ""


def test_the_strip_shows_the_coverage() -> None:
    figures = [shown(coverage=part) for part in (0.996, 0.9, 0.89, 0.0, None)]
    rows = table(charts.mood_over_time(slots(*figures), UTC, SCALE), "slots")
    assert [row["strip"] for row in rows] == [
        theme.ACCENT,
        theme.ACCENT,
        theme.CAUTION,
        theme.BLANK,
        theme.BLANK,
    ]
    assert [row["watched"] for row in rows] == ["> 99 %", "90 %", "89 %", "0 %", "–"]


def test_a_slot_that_is_not_over_is_faint() -> None:
    rows = table(charts.expressions_over_time(slots(shown(), shown()), UTC, SCALE), "slots")
    assert [row["visits_opacity"] for row in rows] == [1.0, theme.FAINT]


def test_labels_are_beside_the_last_stack_that_is_shown() -> None:
    chart = charts.expressions_over_time(slots(shown(40, happy=20), HIDDEN), UTC, SCALE)
    rows = table(chart, "labels")
    assert [row["label"] for row in rows] == ["happiness", "neutral"]
    assert {row["at"] for row in rows} == {(T0 + 2 * MINUTE) // 1000}
    assert table(charts.expressions_over_time(slots(HIDDEN), UTC, SCALE), "labels") == []


def test_times_are_local_times_of_the_shop() -> None:
    kolkata = charts.mood_over_time(slots(shown()), ZoneInfo("Asia/Kolkata"), SCALE)
    (row,) = table(kolkata, "slots")
    assert row["start"] == T0 // 1000 + 5.5 * 3600 * 1000
    assert row["end"] == T0 // 1000 + 5.5 * 3600 * 1000 + 60_000
    assert row["when"] == "Wed 15 Nov 03:44 to Wed 15 Nov 03:45"
    (row,) = table(charts.mood_over_time(slots(shown()), UTC, SCALES[Unit.DAY]), "slots")
    assert row["when"] == "Tue 14 Nov 2023 to Tue 14 Nov 2023"


def test_a_week_that_the_period_cuts_is_faint_and_has_its_number_of_days() -> None:
    cut, full = (Slot(T0, T0 + MINUTE, False, shown(), days) for days in (1, None))
    rows = table(trend_charts.visits_over_time([cut, full], UTC, SCALES[Unit.WEEK]), "slots")
    assert [row["visits_opacity"] for row in rows] == [theme.FAINT, 1.0]
    assert [str(row["when"]).endswith(", 1 of 7 days") for row in rows] == [True, False]


def test_a_week_with_hidden_days_is_faint_and_says_how_many() -> None:
    hidden = Slot(T0, T0 + MINUTE, False, shown(), hidden_days=5)
    cut = Slot(T0, T0 + MINUTE, False, shown(), 3, 2)
    rows = table(trend_charts.visits_over_time([hidden, cut], UTC, SCALES[Unit.WEEK]), "slots")
    assert [row["visits_opacity"] for row in rows] == [theme.FAINT] * 2
    assert str(rows[0]["when"]).endswith("2023, 5 of 7 days hidden")
    assert str(rows[1]["when"]).endswith(", 3 of 7 days, 2 of 3 days hidden")


def test_lines_say_why_an_estimate_is_missing() -> None:
    off = Figures(State.SHOWN, 1.0, 12, expressions_off=True)
    for estimate, state in [
        (chart_tables.EXPRESSION, NOT_ESTIMATED),
        (chart_tables.GENDER, "too few to show"),
        (visit_state, "shown"),
    ]:
        chart = trend_charts.values_over_time(
            slots(off), UTC, SCALE, lambda figures: figures.mood, estimate=estimate
        )
        assert [row["state"] for row in table(chart, "slots")] == [state]


def test_a_slot_that_was_hardly_observed_is_grey_and_says_so() -> None:
    glimpse, closed = Figures(State.UNOBSERVED, 0.004), Figures(State.UNOBSERVED, None)
    rows = table(charts.mood_over_time(slots(glimpse, UNOBSERVED, closed), UTC, SCALE), "slots")
    assert [row["state"] for row in rows] == ["not observed", "not observed", "not scheduled"]
    assert [row["watched"] for row in rows] == ["< 1 %, hardly observed", "0 %", "–"]
    hours = [WeekHour(0, State.UNOBSERVED, None, None, 0.001, 0.004)]
    (row,) = table(trend_charts.week_heat_map(hours), "week")
    assert (row["state"], row["coverage"]) == ("hardly observed", "< 1 %")


def test_the_interval_of_one_visit_is_not_drawn() -> None:
    figures = Figures(State.SHOWN, 1.0, 1, dwell=mean_interval(1, 5.0, 25.0))
    chart = trend_charts.values_over_time(slots(figures), UTC, SCALE, lambda each: each.dwell, unit="s")
    assert not chart.tables["values"].isin([math.inf, -math.inf]).any().any()
    assert chart.tables["values"]["value"].tolist() == [5.0]


def test_bars_of_few_visits_are_faint() -> None:
    rows = table(charts.shares_of_period(shown(29).genders, GENDERS, 28), "shares")
    assert [row["opacity"] for row in rows] == [theme.FAINT] * 2
    assert [row["label"] for row in rows] == ["female", "male"]
    rows = table(charts.shares_of_period(shown(30, female=15).genders, GENDERS, 28), "shares")
    assert [(row["opacity"], row["text"], row["n"]) for row in rows] == [(1.0, "50 %", 30)] * 2


def test_the_text_of_few_visits_is_not_faint() -> None:
    chart = charts.shares_of_period(shown(29).genders, GENDERS, 28)
    faint = [layer["mark"] for layer in _leaves(chart.specification) if "opacity" in layer["encoding"]]
    assert [mark["type"] for mark in faint] == ["bar"]


@pytest.mark.parametrize(
    ("wanted", "placed"),
    [
        ([], []),
        ([5.0], [10.0]),
        ([50.0, 52.0, 54.0], [50.0, 67.0, 84.0]),
        ([90.0, 95.0, 99.0], [66.0, 83.0, 100.0]),
        ([12.0, 80.0], [12.0, 80.0]),
    ],
)
def test_labels_keep_their_minimum_distance(wanted: list[float], placed: list[float]) -> None:
    assert place_labels(wanted, 17, 10, 100) == placed


def test_labels_that_do_not_fit_are_spaced_evenly() -> None:
    placed = place_labels([0.0] * 9, 17, 0, 80)
    assert placed == pytest.approx([10.0 * index for index in range(9)])
    assert all(b > a for a, b in pairwise(placed))


@pytest.mark.parametrize(
    ("spans", "lanes"),
    [
        ([], []),
        ([(0, 2), (2, 4), (4, 6)], [0, 0, 0]),
        ([(0, 3), (2, 4), (3, 6)], [0, 1, 0]),
        ([(0, 9), (1, 5), (2, 9), (6, 7)], [0, 1, 1, 0]),
    ],
)
def test_events_of_a_lane_overlap_only_where_there_are_too_many(
    spans: list[tuple[int, int]], lanes: list[int]
) -> None:
    assert assign_lanes(spans, most=2) == lanes


def test_the_labels_of_events_have_room_beside_each_other() -> None:
    hours = slots(*[shown()] * 8)

    def event(name: str, first: int, last: int) -> Event:
        return Event(name, name, hours[first].start, hours[last].end, frozenset())

    events = [event("at the end", 6, 7), event("before", 0, 1), event("at the same time", 1, 2)]
    found = {row["name"]: row for row in table(draw_with_events(hours, events), "events")}
    assert [found[name]["lane"] for name in ("before", "at the same time", "at the end")] == [0, 1, 0]
    before, end = found["before"], found["at the end"]
    assert (before["align"], before["at"]) == ("left", before["start"])
    assert (end["align"], end["at"]) == ("right", end["end"])
    assert before["room_to"] == end["room_from"] == before["end"]


def test_lanes_of_events_move_the_shares_down() -> None:
    hours = slots(*[shown()] * 8)
    events = [Event(name, name, hours[0].start, hours[3].end, frozenset()) for name in "abcd"]
    heights = [draw_with_events(hours, events[:n]).specification["height"] for n in (0, 1, 2, 4)]
    assert heights == [heights[0], heights[0], heights[0] + 16, heights[0] + 32]


def draw_with_events(of: list[Slot], events: Sequence[Event]) -> Chart:
    return charts.expressions_over_time(of, ZoneInfo("UTC"), SCALES[Unit.HOUR], events)


def test_the_interval_of_one_visit_is_limited_to_the_scale() -> None:
    figures = Figures(State.SHOWN, 1.0, 1, Interval(5.0, -100.0, 100.0, 1), shown().expressions)
    (row,) = table(charts.mood_over_time(slots(figures), UTC, SCALE), "slots")
    assert (row["mood_low"], row["mood_high"]) == (-100, 100)


def _leaves(specification: object) -> list[dict[str, dict[str, str]]]:
    assert isinstance(specification, dict)
    return [leaf for layer in specification["layer"] for leaf in layer.get("layer", [layer])]
