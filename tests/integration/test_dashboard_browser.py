"""The dashboard as somebody sees it: a real process, a real browser, a database that is being written."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser

from bus.messages import MINUTE_US
from dashboard import theme
from storage.engine import open_database
from storage.writer import Writer
from tests.support.browser import Seen, chromium, dashboard, visit
from tests.support.shop import Shop

pytestmark = pytest.mark.timeout(300)

SHOP = Shop(visits_per_minute=20)
PATIENCE_US = 10 * MINUTE_US
"""States are reported so far ahead that they still hold when a busy machine gets to look at them."""

CHARTS = '[data-testid="stVegaLiteChart"] svg'
LISTENING = """
import sys
from pathlib import Path

log = Path(__file__).with_name("log").open("a", buffering=1)

def note(event, arguments):
    if event == "socket.getaddrinfo":
        print(arguments[0], file=log)
    if event == "socket.connect":
        print(arguments[1], file=log)

sys.addaudithook(note)
print("listening", file=log)
"""
"""A `sitecustomize` that writes down whom its process looks up and connects to."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mien.db"


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = open_database(url)
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: sa.Engine) -> Writer:
    """Writes into a database that holds the last twenty minutes."""
    now, writer = now_us(), Writer(engine)
    SHOP.register(engine, now - 20 * MINUTE_US)
    SHOP.write(writer, now - 20 * MINUTE_US, now)
    SHOP.report(writer, now + PATIENCE_US)
    return writer


def now_us() -> int:
    return time.time_ns() // 1000


def number(text: str) -> int:
    return int(text.replace(",", ""))


def fills(seen: Seen) -> set[str]:
    """The colours of all marks of all charts."""
    found: list[str] = seen.page.eval_on_selector_all(
        f"{CHARTS} .mark-rect path", "marks => marks.map(mark => mark.getAttribute('fill'))"
    )
    return {colour.upper() for colour in found if colour}


def test_figures_move_by_themselves_while_the_page_stays(
    browser: Browser, writer: Writer, url: str, tmp_path: Path
) -> None:
    with dashboard(tmp_path, url, refresh_seconds=0.5) as address, visit(browser, address) as seen:
        seen.wait_for_charts(5)
        before = seen.figure("Visits")
        assert number(before) > 100
        seen.page.evaluate(
            """charts => {
                window.stayed = true
                document.querySelectorAll(charts).forEach(chart => { chart.stayed = true })
            }""",
            CHARTS,
        )
        now = now_us()
        SHOP.write(writer, now - MINUTE_US, now)
        busy = Shop(visits_per_minute=40, seed=2)
        busy.write(writer, now - MINUTE_US, now)
        after = seen.wait_for_figure("Visits", other_than=before)
        assert number(after) > number(before)
        seen.settle()
        assert seen.page.evaluate("window.stayed") is True, "the page was not loaded again"
        kept = seen.page.eval_on_selector_all(CHARTS, "charts => charts.map(chart => chart.stayed === true)")
        assert kept == [True] * 5, "every chart was updated in place"
        assert seen.errors == []
        assert seen.foreign == []


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(15, 19, 25)")])
def test_follows_the_colour_scheme_of_the_viewer(
    scheme: str, ground: str, browser: Browser, writer: Writer, url: str, tmp_path: Path
) -> None:
    assert writer
    with dashboard(tmp_path, url) as address, visit(browser, address, scheme) as seen:  # type: ignore[arg-type]
        seen.wait_for_charts(5)
        app = seen.page.get_by_test_id("stApp")
        assert app.evaluate("app => getComputedStyle(app).backgroundColor") == ground
        palette = theme.palette(scheme)
        assert {palette["happiness"], palette["neutral"], palette["female"], palette["male"]} <= fills(seen)
        assert fills(seen) <= {colour.upper() for colour in palette.values()} | {"TRANSPARENT", "NONE"}
        dot = seen.page.locator(".freshness .dot").evaluate("dot => getComputedStyle(dot).color")
        assert dot == "rgb({}, {}, {})".format(*bytes.fromhex(palette["accent"][1:]))
        assert seen.errors == []


def test_waits_for_the_database_and_goes_on_by_itself(browser: Browser, url: str, tmp_path: Path) -> None:
    with dashboard(tmp_path, url, refresh_seconds=0.5) as address, visit(browser, address) as seen:
        seen.wait_for_text("Waiting for the database")
        engine = open_database(url)
        seen.wait_for_text("No data yet")
        now, writer = now_us(), Writer(engine)
        SHOP.register(engine, now - 5 * MINUTE_US)
        SHOP.write(writer, now - 5 * MINUTE_US, now)
        seen.wait_for_charts(5)
        assert number(seen.figure("Visits")) > 50
        engine.dispose()
        assert seen.errors == []


def test_the_alarm_leads_to_the_cameras_and_choices_stand_in_the_address(
    browser: Browser, writer: Writer, url: str, tmp_path: Path
) -> None:
    SHOP.report(writer, now_us() + PATIENCE_US, down="aisle", reason="no answer from <b>10.0.0.12</b>")
    with dashboard(tmp_path, url, refresh_seconds=1) as address, visit(browser, address) as seen:
        seen.wait_for_text("is down")
        seen.page.get_by_role("radio", name="1 h").click()
        seen.page.get_by_role("button", name="Checkout").click()
        seen.wait_for_text("by 5 minutes")
        seen.page.wait_for_url(
            re.compile(r"period=1(\+|%20)h.*camera=Checkout|camera=Checkout.*period=1(\+|%20)h")
        )
        seen.page.get_by_text("See cameras").click()
        row = seen.page.locator("table.cameras tr").filter(has_text="Aisle")
        row.wait_for(state="visible")
        assert "retrying" in row.inner_text()
        assert "no answer from <b>10.0.0.12</b>" in row.inner_text()
        assert row.locator(".dot").is_visible()
        assert "5.1 of 5" in seen.page.locator("table.cameras tr").filter(has_text="Checkout").inner_text()
        assert seen.errors == []


def test_fits_a_telephone(browser: Browser, writer: Writer, url: str, tmp_path: Path) -> None:
    assert writer
    with dashboard(tmp_path, url) as address:
        for page, ready in (("", ".st-key-tiles"), ("/cameras", "table.cameras")):
            with visit(browser, address + page, width=420) as seen:
                seen.page.wait_for_selector(ready)
                wide = seen.page.evaluate(
                    """() => [...document.querySelectorAll('section *')].filter(
                        each => each.getBoundingClientRect().right > innerWidth + 1
                    ).map(each => each.outerHTML.slice(0, 80))"""
                )
                assert wide == []


def test_nobody_elsewhere_is_asked_for_anything(
    browser: Browser, writer: Writer, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert writer
    (tmp_path / "sitecustomize.py").write_text(LISTENING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with dashboard(tmp_path, url) as address, visit(browser, address) as seen:
        seen.wait_for_charts(5)
        assert seen.foreign == []
    asked = (tmp_path / "log").read_text().splitlines()
    assert "listening" in asked
    assert [each for each in asked if each != "listening" and "127.0.0.1" not in each] == []
