"""The pages of analysts on a simulated history: figures, verdicts, events, and nonsense in the address."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.testing.v1 import AppTest

from common.access import LOCAL
from dashboard import chart_tables, queries, trend_charts
from dashboard.charts import Chart
from storage import tables
from storage.engine import open_database
from storage.events import add_event, read_events
from storage.figures.groups import visit_state
from storage.local_time import HOUR_US, day_start
from storage.simulation.load import load_history
from storage.simulation.scenario import create_demo_scenario
from tests.support.pages import open_page

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 3, 31)
NOW = day_start(TODAY, BERLIN) + 15 * HOUR_US
HOSTILE = "<img src=x> **bold** [link](http://evil.example) =1+1"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with a history of 70 days, a campaign, and an event without effect."""
    path = tmp_path_factory.mktemp("history") / "mien.db"
    engine = open_database(f"sqlite:///{path}")
    scenario = create_demo_scenario([("entrance", "Entrance"), ("till", HOSTILE)], "Shop", 70, TODAY)
    load_history(engine, scenario, BERLIN.key, NOW)
    engine.dispose()
    return path


@pytest.fixture(autouse=True)
def settings(history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    copy = tmp_path / "mien.db"
    shutil.copyfile(history, copy)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE": f"sqlite:///{copy}",
        "TIMEZONE": BERLIN.key,
        "SUPPRESS_BELOW": "10",
    }.items():
        monkeypatch.setenv(f"MIEN_{name}", value)
    monkeypatch.setattr(queries, "wall_clock_us", lambda: NOW)
    st.cache_resource.clear()
    yield copy
    st.cache_resource.clear()


def all_text(at: AppTest) -> str:
    texts = [each.value for each in (*at.subheader, *at.markdown, *at.caption, *at.info, *at.error)]
    return "\n".join(texts + [each.proto.body for each in at.get("html")])


def test_the_overview_shows_what_changed_and_that_data_are_simulated() -> None:
    at = open_page("overview", period="28 days")
    text = all_text(at)
    assert "**Simulated data.**" in text
    assert "**Happiness** up" in text
    assert "95 % interval" in text
    assert "28 days before" in text
    (visits, *_) = at.metric
    assert "% (from" in visits.delta


@pytest.mark.parametrize(("period", "slots"), [("24 h", "hour"), ("28 days", "day"), ("13 weeks", "week")])
def test_the_trends_have_every_figure(period: str, slots: str) -> None:
    at = open_page("trends", period=period)
    text = all_text(at)
    assert f"by {slots}" in text
    for heading in ("Each expression", "Dwell", "Engagement", "Mood index", "Hours of the week"):
        assert heading in text
    assert len(at.get("vega_lite_chart")) == 1 + 8 + 5 + 2
    assert [button.proto.label for button in at.get("download_button")] == ["CSV", "Parquet"]


def test_each_line_of_trends_explains_gaps_by_its_own_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[str, chart_tables.Estimate]] = []
    draw = trend_charts.values_over_time

    def note(*figures: Any, estimate: chart_tables.Estimate = visit_state, **look: Any) -> Chart:
        lines.append((look.get("unit", ""), estimate))
        return draw(*figures, estimate=estimate, **look)

    monkeypatch.setattr(trend_charts, "values_over_time", note)
    open_page("trends", period="7 days")
    share, gender = ("%", chart_tables.EXPRESSION), ("%", chart_tables.GENDER)
    mood, dwell, engagement = ("", chart_tables.EXPRESSION), ("s", visit_state), ("%", visit_state)
    assert lines == [share] * 8 + [mood, dwell, engagement, gender]


def test_the_slots_of_trends_can_be_chosen() -> None:
    assert "by hour" in all_text(open_page("trends", period="7 days", by="hour"))
    assert "by day" in all_text(open_page("trends", period="28 days", by="minute")), "too many minutes"


def test_the_known_uplift_of_an_event_is_confirmed() -> None:
    text = all_text(open_page("compare", kind="Before and after an event", event="Loyalty campaign"))
    assert "matched by weekday and hour" in text
    rows = text.split("<tr>")
    (visits,) = [row for row in rows if "Visits per camera and hour" in row]
    (happiness,) = [row for row in rows if ">Happiness<" in row]
    assert "▲ up" in visits
    assert "▲ up" in happiness


def note_event(settings: Path, name: str, first: date, last: date, *cameras: str) -> None:
    engine = open_database(f"sqlite:///{settings}")
    start, end = day_start(first, BERLIN), day_start(last + timedelta(days=1), BERLIN)
    add_event(engine, LOCAL, name, start, end, cameras)
    engine.dispose()


def test_an_event_is_compared_for_its_cameras_that_are_selected(settings: Path) -> None:
    note_event(settings, "Sale", date(2026, 3, 23), date(2026, 3, 29), "entrance", "till")
    note_event(settings, "Lights", date(2026, 3, 23), date(2026, 3, 29), "till")
    kind = "Before and after an event"
    text = all_text(open_page("compare", kind=kind, event="Sale", camera="Entrance"))
    assert "<b>A</b> Sale, 2026-03-23 to 2026-03-29, at Entrance<" in text
    text = all_text(open_page("compare", kind=kind, event="Lights", camera="Entrance"))
    assert "choose one of these cameras in the bar" in text
    assert "<b>A</b>" not in text


def test_an_event_that_overlaps_is_told_and_is_not_in_the_baseline(settings: Path) -> None:
    note_event(settings, "Sale", date(2026, 3, 23), date(2026, 3, 29))
    note_event(settings, "Roadworks", date(2026, 3, 20), date(2026, 3, 24))
    at = open_page("compare", kind="Before and after an event", event="Sale")
    assert [each.value.split("\\,")[0] for each in at.warning] == ["Roadworks", "Loyalty campaign"]
    assert "baseline 2026-02-25 to 2026-03-10<" in all_text(at), (
        "between the campaign and the event before it"
    )


def test_a_camera_that_is_on_one_side_alone_is_left_out_and_named(settings: Path) -> None:
    engine = open_database(f"sqlite:///{settings}")
    later = day_start(date(2026, 3, 17), BERLIN)
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created_at=later))
        for table, time in (
            (tables.visits, "first_seen"),
            (tables.camera_minutes, "minute"),
            (tables.camera_hours, "hour"),
            (tables.camera_days, "day"),
        ):
            column = table.c
            connection.execute(sa.delete(table).where(column.camera_id == "entrance", column[time] < later))
    engine.dispose()
    compared = open_page("compare", period="Dates", dates=["2026-03-17", "2026-03-30"])
    overview = open_page("overview", period="Dates", dates=["2026-03-17", "2026-03-30"])
    for at in (compared, overview):
        (note,) = [each.value for each in at.caption if each.value.startswith("Left out")]
        assert note.endswith("Entrance\\.")


def test_an_event_without_effect_has_no_clear_change() -> None:
    text = all_text(open_page("compare", kind="Before and after an event", event="New shelf labels"))
    assert "no clear change" in text
    assert "▲" not in text
    assert "▼" not in text


def test_cameras_are_compared() -> None:
    text = all_text(open_page("compare", kind="Cameras", period="28 days"))
    assert "Visits per camera and hour" in text
    assert "<b>B</b> &lt;img src=x&gt;" in text
    assert "▼ down" in text or "▲ up" in text


def test_the_quality_page_shows_frames_and_what_is_stored_until_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_KEEP_VISITS_DAYS", "100")
    at = open_page("quality", period="28 days")
    text = all_text(at)
    assert {metric.label for metric in at.metric} >= {"Coverage", "No expression", "Hidden slots"}
    rows = [row for row in text.split("<tr>") if 'data-label="Kept for"' in row]
    assert "100 days" in rows[0]
    assert "in 32 days" in rows[0], "the oldest of 70 days"
    assert "nothing stored" in rows[1]
    assert "Too old" in text
    assert "&lt;img src=x&gt;" in text


@pytest.mark.parametrize("page", ["overview", "trends", "compare", "cameras", "events", "quality"])
def test_names_are_text_and_never_markup(page: str) -> None:
    at = open_page(page, period="7 days")
    for each in at.get("html"):
        assert "<img src=x>" not in each.proto.body
    for text in at.markdown:
        assert "**bold**" not in text.value
        assert "](http" not in text.value


@pytest.mark.parametrize(
    "query",
    [
        {
            "period": "yesterday",
            "camera": "nobody",
            "by": "century",
            "kind": "?",
            "versus": "x",
            "event": "x",
        },
        {"period": "Dates"},
        {"period": "Dates", "dates": ["2026-03-20", "2026-03-10"]},
        {"period": "Dates", "dates": ["2020-03-20", "2026-03-10"]},
        {"period": "Dates", "dates": ["1999-01-01", "1999-01-02"]},
        {"period": "Dates", "dates": ["2026-03-29", "2026-03-29"]},
        {"period": "Dates", "dates": "nonsense"},
        {"period": "Dates", "dates": ["2027-01-01", "2027-02-01"]},
    ],
)
def test_nonsense_in_the_address_gives_a_clear_state(query: dict[str, str | list[str]]) -> None:
    assert all_text(open_page("compare" if "kind" in query else "trends", **query)).strip()


@pytest.mark.parametrize("page", ["overview", "trends", "compare"])
def test_a_period_that_has_not_begun_is_explained(page: str) -> None:
    text = all_text(open_page(page, period="Dates", dates=["2027-01-01", "2027-02-01"]))
    assert "The period has not begun yet" in text


def test_reversed_dates_are_explained() -> None:
    text = all_text(open_page("trends", period="Dates", dates=["2026-03-20", "2026-03-10"]))
    assert "The last day of the period is before the first" in text


def test_an_event_is_added_and_removed(settings: Path) -> None:
    at = open_page("events")
    at.text_input[0].set_value("Rain & <b>storm</b>")
    at.button[-1].click().run()
    assert not at.exception
    at = open_page("events")
    engine = open_database(f"sqlite:///{settings}")
    (added,) = [event for event in read_events(engine) if "storm" in event.name]
    assert (added.end - added.start) % HOUR_US == 0
    assert "storm" in all_text(at)
    assert "<b>storm" not in all_text(at)
    at.button(key=f"remove-{added.id}").click().run()
    assert [event for event in read_events(engine) if "storm" in event.name] == []
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.events)) == 2
    engine.dispose()


def test_an_event_without_a_name_is_refused() -> None:
    at = open_page("events")
    at.button[-1].click().run()
    assert "name has 0 characters" in all_text(at)
