"""The charts of patterns and their numbers, which need no colour."""

from __future__ import annotations

import json
import re
from typing import Any

from common import palette
from dashboard import pattern_tables, theme
from dashboard.trend_charts import expressions_by_gender
from storage.figures.cross import GenderMix
from storage.figures.groups import State
from storage.figures.weekdays import WeekHour
from storage.intervals import share_interval
from tests.dashboard.test_theme import contrast

COUNTS = {"happiness": 50, "surprise": 5, "neutral": 40, "sadness": 3, "anger": 2}
WOMEN = GenderMix(
    "female",
    State.SHOWN,
    100,
    {label: share_interval(COUNTS.get(label, 0), 100) for label in theme.EXPRESSIONS},
)
MEN = GenderMix("male", State.SUPPRESSED, None, {})
NOT_LABELLED = GenderMix("unknown", State.NOBODY, 0, {})
MIXES = [WOMEN, MEN, NOT_LABELLED]


def cells(html: str) -> list[list[str]]:
    """The texts of each row of a table."""
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_the_hours_of_the_week_are_a_table() -> None:
    week = [WeekHour(hour, State.SHOWN, hour / 10, hour, 1.0, 1.0) for hour in range(168)]
    week[25] = WeekHour(25, State.SUPPRESSED, None, None, 1.0, 1.0)
    week[50] = WeekHour(50, State.UNOBSERVED, None, None, 0.0, 0.0)
    head, *rows = cells(pattern_tables.hours_of_week(week))
    assert head == ["Hour", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert len(rows) == 24
    assert rows[1] == ["01:00", "0.1", "few", "4.9", "7.3", "9.7", "12.1", "14.5"]
    assert rows[2][3] == "–"


def test_the_expressions_by_gender_are_a_table() -> None:
    head, happiness, *rows = cells(pattern_tables.expressions_by_gender(MIXES))
    assert head == ["Expression", "women (100)", "men (–)", "not labelled (0)"]
    assert happiness == ["Happiness", "50\u00a0% (40 to 60\u00a0%)", "few", "–"]
    assert [row[0] for row in rows] == [label.capitalize() for label in theme.EXPRESSIONS[1:]]


def test_wide_segments_have_their_percentage() -> None:
    chart = expressions_by_gender(MIXES)
    rows: list[dict[str, Any]] = json.loads(chart.tables["cross"].to_json(orient="records"))
    assert {row["label"]: row["text"] for row in rows if row["text"]} == {
        "happiness": "50 %",
        "neutral": "40 %",
    }
    (happiness,) = [row for row in rows if row["text"] == "50 %"]
    assert happiness["middle"] == 0.25
    marks = [layer["mark"]["type"] for layer in chart.specification["layer"]]
    assert marks == ["bar", "text"]


def test_the_percentages_have_enough_contrast() -> None:
    for colours in (palette.LIGHT, palette.DARK):
        for label in theme.EXPRESSIONS:
            luminance = contrast(colours[label], "#000000") * 0.05 - 0.05
            text = "#000000" if luminance > 0.18 else "#FFFFFF"
            assert contrast(colours[label], text) >= 4.5, label
