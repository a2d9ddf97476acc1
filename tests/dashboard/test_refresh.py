"""A refresh asks the database for figures only where something has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import streamlit as st

from benchmarks.figures import recorded_statements
from common.access import LOCAL
from dashboard import queries
from dashboard.queries import ask
from dashboard.selection import Selection
from mien.settings import Settings
from storage.engine import open_database
from storage.local_time import HOUR_US, day_start
from storage.simulation.load import load_history
from storage.simulation.scenario import create_demo_scenario
from storage.writer import Writer
from tests.support.databases import results, visit

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2026, 3, 31)
NOW = day_start(TODAY, BERLIN) + 15 * HOUR_US


@dataclass
class Clock:
    """Seconds, as the module `time` tells them."""

    now: float

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(300_000_000.0)
    monkeypatch.setattr(queries, "time", clock)
    monkeypatch.setattr(queries, "wall_clock_us", lambda: NOW)
    return clock


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    url = f"sqlite:///{tmp_path / 'mien.db'}"
    engine = open_database(url)
    load_history(engine, create_demo_scenario([("quay", "Quay 1")], "Harbour", 9, TODAY), BERLIN.key, NOW)
    engine.dispose()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_DATABASE", url)
    monkeypatch.setenv("MIEN_TIMEZONE", BERLIN.key)
    st.cache_resource.clear()
    yield Settings()
    st.cache_resource.clear()


def test_figures_are_read_again_only_where_there_is_a_newer_result_or_time_has_passed(
    settings: Settings, clock: Clock
) -> None:
    question = ask(settings, Selection("7 days"))
    reads: list[Callable[[], object]] = [
        lambda: queries.read_figures(settings, LOCAL, question),
        lambda: queries.read_earlier(settings, LOCAL, question, 7),
        lambda: queries.read_visit_change(settings, LOCAL, question, 7),
        lambda: queries.read_hours_of_week(settings, LOCAL, question),
        lambda: queries.read_expressions_by_gender(settings, LOCAL, question),
        lambda: queries.read_camera_quality(settings, LOCAL, question),
    ]

    def count_statements() -> list[int]:
        queries.read_status(settings, LOCAL)
        counts = []
        for read in reads:
            with recorded_statements(queries._engine(settings.database)) as statements:
                read()
            counts.append(len(statements))
        return counts

    assert min(count_statements()) > 0
    clock.now += 61
    assert count_statements() == [0] * len(reads)
    write_visit(settings)
    clock.now += 61
    assert min(count_statements()) > 0
    clock.now += 300
    assert min(count_statements()) > 0


def write_visit(settings: Settings) -> None:
    engine: sa.Engine = open_database(settings.database)
    Writer(engine).write(results([visit("new", camera="quay", first_seen=NOW, closed=True)]), {})
    engine.dispose()
