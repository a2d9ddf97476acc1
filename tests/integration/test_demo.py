"""`mien demo` as a newcomer meets it: one command, a browser, figures that move, a history that stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Seen, chromium, visit
from tests.support.demos import demo, end

FIRST_MINUTE_S = 60
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def count(seen: Seen) -> int:
    """Visits on the page."""
    text = seen.figure("Visits").replace(",", "")
    return int(text) if text.isdigit() else 0


def wait_for_visits(seen: Seen, at_least: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while count(seen) < at_least:
        assert time.monotonic() < deadline, f"{count(seen)} visits after {seconds:g} s"
        seen.page.wait_for_timeout(500)


def test_figures_move_within_a_minute_and_the_history_stays(tmp_path: Path, browser: Browser) -> None:
    started = time.monotonic()
    with demo(tmp_path) as (address, process), visit(browser, address) as seen:
        seen.wait_for_text("Estimated expression")
        wait_for_visits(seen, 1, FIRST_MINUTE_S - (time.monotonic() - started))
        before = seen.figure("Visits")
        seen.wait_for_figure("Visits", before)
        seen.wait_for_charts(3)
        assert "3 / 3" in seen.figure("Cameras online")
        stored = count(seen)
        assert seen.errors == []
        assert seen.foreign == []
        end(process)
    with demo(tmp_path) as (address, process), visit(browser, address) as seen:
        wait_for_visits(seen, stored, 30)
        end(process)
