"""Exports contain what is drawn, how to read it, and nothing that a spreadsheet executes."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from storage.figures.deleted import describe_deleted
from storage.figures.groups import NOT_ESTIMATED, Figures, State
from storage.figures.selection import Choice
from storage.figures.table import export_of, harmless, to_csv, to_parquet
from storage.figures.timeline import Unit, day_timeline
from storage.figures.trend import Slot, Trend, read_trend
from storage.local_time import HOUR_US, day_start
from storage.writer import Writer
from tests.support.databases import results, visit

ZONE = ZoneInfo("Europe/Berlin")
DAY = date(2026, 3, 29)
START = day_start(DAY, ZONE)


@pytest.fixture
def filled(engine: sa.Engine) -> sa.Engine:
    visits = [visit(f"v{n}", closed=True, first_seen=START + HOUR_US + n, seconds=2) for n in range(40)]
    Writer(engine).write(results(visits), {})
    return engine


def test_a_file_has_the_figures_and_how_to_read_them(filled: sa.Engine) -> None:
    timeline = day_timeline(DAY, DAY, Unit.HOUR, START + 40 * HOUR_US, ZONE)
    trend = read_trend(filled, timeline, Choice(10))
    found = export_of(timeline, trend, {"cameras": "=cmd|x"}, 10, simulated=True)
    text = to_csv(found).decode()
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert "# time zone: Europe/Berlin" in head
    assert "# data: simulated data" in head
    assert any(line.startswith("# definition of visits: A visit is") for line in head)
    assert any(line.startswith("# suppression:") and "10 visits" in line for line in head)
    table = list(csv.DictReader(io.StringIO("\n".join(text.splitlines()[len(head) :]))))
    assert len(table) == 23, "the clock changes on this day"
    assert table[1]["start"] == "2026-03-29T01:00:00+01:00"
    assert table[2]["start"] == "2026-03-29T03:00:00+02:00"
    assert table[1]["visits"] == "40"
    assert float(table[1]["expression_happiness"]) == 1
    assert float(table[1]["dwell_s"]) == pytest.approx(2)
    assert table[0]["visits"] == ""
    stored = pq.read_table(io.BytesIO(to_parquet(found)))
    assert stored.column("visits").to_pylist()[1] == 40
    assert json.loads(stored.schema.metadata[b"mien"])["time zone"] == "Europe/Berlin"
    assert stored.num_rows == 23


def test_a_week_says_how_many_of_its_days_are_hidden(engine: sa.Engine) -> None:
    monday = date(2026, 3, 2)
    visits = [
        visit(f"{day} {n}", first_seen=day_start(monday + timedelta(days=day), ZONE) + n, closed=True)
        for day in range(14)
        for n in range(11 if day < 9 else 9)
    ]
    Writer(engine).write(results(visits), {})
    timeline = day_timeline(monday, monday + timedelta(days=13), Unit.WEEK, START, ZONE)
    trend = read_trend(engine, timeline, Choice(10))
    rows = export_of(timeline, trend, {}, 10, simulated=False).rows
    assert [(row["visits"], row["days"], row["days_hidden"]) for row in rows] == [(77, 7, 0), (22, 7, 5)]
    rows = export_of(replace(timeline, unit=Unit.DAY), trend, {}, 10, simulated=False).rows
    assert {(row["days"], row["days_hidden"]) for row in rows} == {(None, None)}


def test_the_states_of_estimates_say_why_they_are_missing(engine: sa.Engine) -> None:
    off = Figures(State.SHOWN, 1.0, 12, expressions_off=True)
    slots = [
        Slot(START + hour * HOUR_US, START + (hour + 1) * HOUR_US, False, figures)
        for hour, figures in enumerate(
            (
                off,
                Figures(State.UNOBSERVED, None),
                Figures(State.UNOBSERVED, 0.1),
                Figures(State.UNOBSERVED, 0),
            )
        )
    ]
    timeline = day_timeline(DAY, DAY, Unit.HOUR, START + 40 * HOUR_US, ZONE)
    rows = export_of(timeline, Trend(off, tuple(slots)), {}, 10, simulated=False).rows
    assert [(row["figures"], row["expressions"], row["genders"]) for row in rows] == [
        ("shown", NOT_ESTIMATED, "too few to show"),
        *[(text, text, text) for text in ("not scheduled", "hardly observed", "not observed")],
    ]


def test_the_interval_of_one_visit_has_no_ends(engine: sa.Engine) -> None:
    Writer(engine).write(results([visit("one", first_seen=START + HOUR_US, closed=True)]), {})
    timeline = day_timeline(DAY, DAY, Unit.DAY, START + 40 * HOUR_US, ZONE)
    found = export_of(timeline, read_trend(engine, timeline, Choice(1)), {}, 1, simulated=False)
    (row,) = found.rows
    assert (row["dwell_s"], row["dwell_s_high"], row["dwell_s_n"]) == (1.0, None, 1)
    assert not any(isinstance(value, float) and math.isinf(value) for value in row.values())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_a_formula_is_text(text: str) -> None:
    assert harmless(text) == f"'{text}"
    assert harmless("plain") == "plain"
    assert harmless(-1.5) == -1.5


def test_a_period_whose_first_part_is_deleted_says_so() -> None:
    now = START + 40 * HOUR_US
    week = day_timeline(DAY - timedelta(days=6), DAY, Unit.DAY, now, ZONE)
    text = describe_deleted(week, 3)
    assert text.startswith("Visits before 2026-03-27 01:00 are deleted, since visits are kept for 3 days")
    assert describe_deleted(week, 8) == ""
