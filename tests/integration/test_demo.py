"""`mien demo` for a new user: one command, a browser, figures that change, a history that is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import OpenPage, chromium, visit
from tests.support.demos import demo, end

FIRST_VISIT_S = 180
"""A minute on an idle machine; this one may be busy."""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def count(seen: OpenPage) -> int:
    """Visits on the page."""
    text = seen.figure("Visits").replace(",", "")
    return int(text) if text.isdigit() else 0


def wait_for_visits(seen: OpenPage, at_least: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while count(seen) < at_least:
        assert time.monotonic() < deadline, f"{count(seen)} visits after {seconds:g} s"
        seen.page.wait_for_timeout(500)


PICTURE = '.stMain [data-testid="stImage"] img'


def watch_live(seen: OpenPage, address: str) -> None:
    """Watch a simulated camera: its picture changes, and people are labelled in it."""
    seen.page.goto(f"{address}/live?watch=Till")
    picture = seen.page.locator(PICTURE)
    picture.wait_for(state="visible")
    assert (picture.get_attribute("alt") or "").startswith("Live picture of Till, faces are blurred")
    before = picture.get_attribute("src") or ""
    assert before.startswith("data:image/jpeg;base64,"), "at no address of its own"
    for _ in range(2):
        seen.page.wait_for_function(
            "([where, before]) => document.querySelector(where)?.src !== before", arg=[PICTURE, before]
        )
        before = picture.get_attribute("src") or ""
    seen.wait_for_text("frames a second analysed")
    seen.page.locator(".mien.compared td", has_text="perceived").first.wait_for(state="visible")


def test_figures_change_within_a_minute_and_the_history_is_kept(tmp_path: Path, browser: Browser) -> None:
    with demo(tmp_path) as (address, process), visit(browser, f"{address}/?period=1+h") as seen:
        started = time.monotonic()
        seen.wait_for_text("Estimated expression")
        wait_for_visits(seen, 1, FIRST_VISIT_S - (time.monotonic() - started))
        before = seen.figure("Visits")
        seen.wait_for_figure("Visits", before)
        seen.wait_for_charts(3)
        seen.wait_for_text("3 / 3")
        stored = count(seen)
        seen.wait_for_text("Simulated data.")
        seen.page.goto(f"{address}/?period=28+days")
        seen.wait_for_text("What changed")
        watch_live(seen, address)
        assert [each for each in seen.errors if "404" not in each] == []
        assert seen.foreign == []
        end(process)
    with demo(tmp_path) as (address, process), visit(browser, f"{address}/?period=1+h") as seen:
        wait_for_visits(seen, stored, 30)
        end(process)
