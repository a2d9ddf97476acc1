"""The benchmark of viewers: sessions without a browser get the page that a browser gets."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path

import pytest

from benchmarks import viewers
from benchmarks.viewer_session import PATIENCE_S, open_session
from benchmarks.viewers import ViewersPlan
from common.clock import wall_clock_us
from storage.engine import open_database
from storage.simulation.load import load_history
from storage.simulation.scenario import create_scenario
from tests.support.browser import chromium, dashboard

pytestmark = pytest.mark.timeout(600)
"""A busy machine may need minutes for what takes seconds on an idle one."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('history')}/mien.db"
    engine, today = open_database(url), date.today()
    load_history(engine, create_scenario(8, 4, 1, today), viewers.TIMEZONE, wall_clock_us())
    engine.dispose()
    return url


@pytest.fixture(scope="module", autouse=True)
def _browser_is_installed() -> None:
    with chromium():
        pass


def test_changes_are_timed_by_what_changed_and_looking_has_its_cost(history: str) -> None:
    plan = ViewersPlan(viewers=3, changing_s=5, looking_s=2, think_s=(0.2, 0.5))
    viewing = viewers.measure(8, 4, plan, history)
    assert viewing.times["all"].changes >= 2
    assert viewing.times["Chromium"].changes >= 1
    for times in viewing.times.values():
        assert 0 < times.p50_ms <= times.p95_ms <= times.most_ms
    assert viewing.changing_percent > 0
    page = viewers.render_section(json.loads(json.dumps(viewers.to_dict(viewing))))
    assert f"history of 8 days and 4 cameras with {viewing.visits:,} visits" in page
    assert "| Chromium |" in page
    assert "| 3 viewers look, " in page


def test_a_session_without_a_browser_gets_whole_pages_and_asks_for_their_refreshes(
    history: str, tmp_path: Path
) -> None:
    async def watch(address: str) -> tuple[int, int, int]:
        async with open_session(address, "trends", {"period": "7 days"}) as session:
            trends = session.charts
            await session.choose("", {"period": "28 days"})
            overview = session.charts
            async with asyncio.timeout(PATIENCE_S):
                while session.refreshes < 2:
                    await asyncio.sleep(0.05)
            return trends, overview, session.refreshes

    with dashboard(tmp_path, history, timezone=viewers.TIMEZONE, refresh_seconds=0.5) as address:
        trends, overview, refreshes = asyncio.run(watch(address))
    assert (trends, overview) == (16, 5)
    assert refreshes >= 2
