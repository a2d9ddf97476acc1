"""Quality & privacy and the alert rules as operators and analysts see them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from common.access import LOCAL, AccessDenied, Actor, Role
from dashboard import alert_rules_form, quality_tables, queries, sign_in
from dashboard.quality_tables import class_bars, dead_letter_table, edge_labels
from dashboard.queries import Question
from mien.settings import Settings
from storage import definitions
from storage.alert_rules import AlertKind, read_rules
from storage.audit import read_audit
from storage.dead_letters import DeadLetters
from storage.engine import open_database
from storage.figures.timeline import Timeline
from storage.figures.trend import Trend
from storage.local_time import HOUR_US, day_start
from storage.registry import CameraRegistry
from storage.simulation.load import load_history
from storage.simulation.scenario import create_demo_scenario
from storage.visit_classes import SIZE_EDGES
from tests.support.pages import open_page

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 3, 31)
NOW = day_start(TODAY, BERLIN) + 15 * HOUR_US
HOSTILE = "<img src=x> **bold** [link](http://evil.example)"
ANALYST = Actor("Ada", Role.ANALYST)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "mien.db"
    engine = open_database(f"sqlite:///{path}")
    load_history(engine, create_demo_scenario([("till", "Till")], "Shop", 5, TODAY), BERLIN.key, NOW)
    engine.dispose()
    return path


@pytest.fixture(autouse=True)
def database(history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    copy = tmp_path / "mien.db"
    shutil.copyfile(history, copy)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("mien.privacy_check._SHARED_MEMORY", tmp_path / "none")
    url = f"sqlite:///{copy}"
    for name, value in {"DATABASE": url, "TIMEZONE": BERLIN.key, "OPERATOR_NAME": "Shop Ltd"}.items():
        monkeypatch.setenv(f"MIEN_{name}", value)
    monkeypatch.setattr(queries, "wall_clock_us", lambda: NOW)
    st.cache_resource.clear()
    yield url
    st.cache_resource.clear()


def all_text(at: AppTest) -> str:
    kinds = (at.markdown, at.caption, at.info, at.warning, at.error, at.success)
    return "\n".join([each.value for kind in kinds for each in kind] + [e.proto.body for e in at.get("html")])


def test_the_quality_page_shows_sizes_confidence_the_card_and_runs_the_check() -> None:
    at = open_page("quality", period="28 days")
    text = all_text(at)
    for wanted in (
        "40 to 80 px",
        "70 to 80 %",
        "None in this period",
        "as shipped",
        "Black female",
        "contact",
    ):
        assert wanted in text
    assert "Nothing was found" not in text
    at.button(key="privacy-check").click().run()
    assert not at.exception
    assert "Nothing was found." in all_text(at)
    assert "tables" in all_text(at)


def test_tiles_name_their_denominators_and_round_no_coverage_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    read = queries.read_figures

    def with_gap(settings: Settings, actor: Actor, question: Question) -> tuple[Timeline, Trend]:
        timeline, trend = read(settings, actor, question)
        return timeline, replace(trend, whole=replace(trend.whole, coverage=0.996))

    monkeypatch.setattr(queries, "read_figures", with_gap)
    for page in ("quality", "overview"):
        assert "> 99 %" in [metric.value for metric in open_page(page, period="28 days").metric], page
    assert "of the visits whose gender was estimated" in all_text(open_page("overview", period="28 days"))
    deltas = [metric.delta for metric in open_page("quality", period="28 days").metric]
    for estimated in ("expression", "gender"):
        assert f"of the visits whose {estimated} was estimated" in deltas
        text = definitions.EXPRESSION_MIX if estimated == "expression" else definitions.GENDER_MIX
        assert f"of the visits whose {estimated} was estimated" in text
    assert "of the visits whose expression was estimated" in definitions.MOOD_INDEX


def test_faces_that_are_small_for_the_detector_are_marked(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked: list[int] = []
    bars = quality_tables.class_bars

    def note(counts: Sequence[int], labels: Sequence[str], faint: int = 0) -> str:
        marked.append(faint)
        return bars(counts, labels, faint)

    monkeypatch.setattr(quality_tables, "class_bars", note)
    open_page("quality", period="28 days")
    engine = open_database(database)
    CameraRegistry(engine).edit(LOCAL, "till", {"thorough": True})
    engine.dispose()
    open_page("quality", period="28 days")
    sizes = edge_labels(SIZE_EDGES, " px")
    assert [sizes[:each] for each in marked[::2]] == [
        ["under 16 px", "16 to 24 px", "24 to 40 px"],
        ["under 16 px", "16 to 24 px"],
    ]
    assert "in one of 1280, 48 pixels are 24" in definitions.FACE_SIZES


def test_an_analyst_sees_no_check_and_cannot_read_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "current_actor", lambda: ANALYST)
    at = open_page("quality", period="28 days")
    assert "privacy-check" not in {each.key for each in at.button}
    with pytest.raises(AccessDenied):
        queries.read_alerts(Settings(), ANALYST)


def test_an_operator_adds_changes_and_removes_a_rule(database: str) -> None:
    engine = open_database(database)
    at = open_page("settings", section="Alerts")
    assert "no running process has a receiver" in all_text(at)
    at.selectbox(key="kind-new").select(AlertKind.LOW_COVERAGE).run()
    at.text_input(key="name-new").input(HOSTILE)
    at.number_input(key="threshold-new").set_value(70)
    at.button(key="save-new").click().run()
    assert not at.exception
    (rule,) = read_rules(engine)
    assert (rule.name, rule.kind, rule.threshold) == (HOSTILE, AlertKind.LOW_COVERAGE, 0.7)
    at.button(key=f"change-{rule.id}").click().run()
    at.text_input(key=f"name-{rule.id}").input("Coverage")
    at.toggle(key=f"enabled-{rule.id}").set_value(False)
    at.button(key=f"save-{rule.id}").click().run()
    (rule,) = read_rules(engine)
    assert (rule.name, rule.enabled) == ("Coverage", False)
    at.button(key=f"remove-{rule.id}").click().run()
    assert read_rules(engine) == []
    actions = [entry.action for entry in read_audit(engine, LOCAL)]
    assert actions == ["alert_rule.remove", "alert_rule.change", "alert_rule.add"]
    engine.dispose()


def test_a_rule_without_a_name_is_refused_with_the_reason(database: str) -> None:
    at = open_page("settings", section="Alerts")
    at.button(key="save-new").click().run()
    assert "name has 0 characters" in all_text(at).replace("\\", "")


def test_every_kind_of_rule_is_described() -> None:
    assert set(alert_rules_form._WHAT) == set(AlertKind)


def test_classes_have_a_name_each_and_reasons_are_escaped() -> None:
    labels = edge_labels((16, 24), " px")
    assert labels == ["under 16 px", "16 to 24 px", "from 24 px on"]
    assert class_bars((1, 0, 3), labels).count("<tr>") == 3
    table = dead_letter_table([DeadLetters("", "<script>", 2)], {})
    assert "no valid camera" in table
    assert "<script>" not in table
