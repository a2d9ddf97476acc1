"""The dashboard in a browser, while its database is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser

from bus.messages import MINUTE_US
from common import palette
from common.clock import wall_clock_us
from storage.engine import open_database
from storage.writer import Writer
from tests.support.browser import PATIENCE_MS, OpenPage, chromium, dashboard, visit
from tests.support.shop import Shop

pytestmark = pytest.mark.timeout(300)

SHOP = Shop(visits_per_minute=20)
PATIENCE_US = 10 * MINUTE_US
"""States are reported this far in the future, so that they are recent even on a busy machine."""

RECENT = "/?period=15+min"
"""The address of the page Overview with a period in which a few minutes matter."""

PAGES = {
    RECENT: ".st-key-tiles",
    "/trends?period=1+h": "[data-testid=stDownloadButton]",
    "/compare?period=1+h&kind=Cameras": "table.compared",
    "/live": ".st-key-notice",
    "/cameras": "table.cameras",
    "/quality": "[data-testid=stExpander]",
    "/events": "[data-testid=stForm]",
    "/settings": "table.cameras",
    "/settings?section=Alerts": "[data-testid=stNumberInput]",
    "/settings?section=Users+and+roles": "[data-testid=stAlert]",
    "/settings?section=Audit+log": "[data-testid=stMultiSelect]",
}
"""The addresses of all pages, and what each contains once it is drawn."""

WIDTHS = (360, 390, 420)
"""Pixels of telephones."""

TOO_WIDE = """() => [...document.querySelectorAll('section *')].filter(each =>
    each.getBoundingClientRect().right > innerWidth + 1
    || (each.closest('[data-testid="stMetric"], table')
        && each.clientWidth && each.scrollWidth > each.clientWidth + 1)
).map(each => each.outerHTML.slice(0, 100))"""
"""What is beyond the right end of the window, and what is cut in a tile or a table."""

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
"""A `sitecustomize` that logs the hosts that its process looks up and connects to."""


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
    """A writer of a database with a history of twenty minutes."""
    now, writer = wall_clock_us(), Writer(engine)
    SHOP.register(engine, now - 20 * MINUTE_US)
    SHOP.write(writer, now - 20 * MINUTE_US, now)
    SHOP.report(writer, now + PATIENCE_US)
    return writer


def number(text: str) -> int:
    return int(text.replace(",", ""))


def fills(seen: OpenPage) -> set[str]:
    """The colours of all marks of all charts."""
    found: list[str] = seen.page.eval_on_selector_all(
        f"{CHARTS} .mark-rect path", "marks => marks.map(mark => mark.getAttribute('fill'))"
    )
    return {colour.upper() for colour in found if colour}


def test_figures_are_updated_without_a_reload_of_the_page(
    browser: Browser, writer: Writer, url: str, tmp_path: Path
) -> None:
    with (
        dashboard(tmp_path, url, refresh_seconds=0.5, suppress_below=1) as address,
        # No visit of the history leaves this period while the test runs, so that the figure only grows.
        visit(browser, f"{address}/?period=1+h") as seen,
    ):
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
        now = wall_clock_us()
        SHOP.write(writer, now - MINUTE_US, now)
        busy = Shop(visits_per_minute=40, seed=2)
        busy.write(writer, now - MINUTE_US, now)
        after = seen.wait_for_figure("Visits", other_than=before)
        assert number(after) > number(before)
        seen.settle()
        assert seen.page.evaluate("window.stayed") is True, "the page is not reloaded"
        kept = seen.page.eval_on_selector_all(CHARTS, "charts => charts.map(chart => chart.stayed === true)")
        assert kept == [True] * 5, "every chart is updated in place"
        assert seen.errors == []
        assert seen.foreign == []


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(15, 19, 25)")])
def test_the_dashboard_has_the_colour_scheme_of_the_viewer(
    scheme: str, ground: str, browser: Browser, writer: Writer, url: str, tmp_path: Path
) -> None:
    assert writer
    with (
        dashboard(tmp_path, url, suppress_below=1) as address,
        visit(browser, address + RECENT, scheme) as seen,
    ):  # type: ignore[arg-type]
        seen.wait_for_charts(5)
        app = seen.page.get_by_test_id("stApp")
        assert app.evaluate("app => getComputedStyle(app).backgroundColor") == ground
        colours = {"light": palette.LIGHT, "dark": palette.DARK}[scheme]
        assert {colours[name] for name in ("happiness", "neutral", "female", "male")} <= fills(seen)
        assert fills(seen) <= {colour.upper() for colour in colours.values()} | {"TRANSPARENT", "NONE"}
        # A refresh can replace the dot at any moment, so the page itself looks for the colour.
        seen.page.wait_for_function(
            "colour => getComputedStyle(document.querySelector('.freshness .dot')).color === colour",
            arg="rgb({}, {}, {})".format(*bytes.fromhex(colours["accent"][1:])),
        )
        assert seen.errors == []


def test_the_page_waits_for_the_database_and_continues_by_itself(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    with (
        dashboard(tmp_path, url, refresh_seconds=0.5, suppress_below=1) as address,
        visit(browser, address + RECENT) as seen,
    ):
        seen.wait_for_text("Waiting for the database")
        engine = open_database(url)
        seen.wait_for_text("No data yet")
        now, writer = wall_clock_us(), Writer(engine)
        SHOP.register(engine, now - 5 * MINUTE_US)
        SHOP.write(writer, now - 5 * MINUTE_US, now)
        seen.wait_for_charts(5)
        assert number(seen.figure("Visits")) > 50
        engine.dispose()
        assert seen.errors == []


def test_the_alarm_links_to_the_cameras_and_the_address_contains_the_choices(
    browser: Browser, writer: Writer, url: str, tmp_path: Path
) -> None:
    SHOP.report(writer, wall_clock_us() + PATIENCE_US, down="aisle", reason="no answer from <b>10.0.0.12</b>")
    with dashboard(tmp_path, url, refresh_seconds=1) as address, visit(browser, address + RECENT) as seen:
        seen.wait_for_text("is down")
        seen.page.get_by_role("combobox", name="Period").click()
        seen.page.get_by_role("option", name="1 h").click()
        seen.wait_for_text("by 5 minutes")
        seen.page.get_by_role("combobox", name="Cameras").click()
        seen.page.get_by_role("option", name="Checkout").click()
        address_of_view = r"period=1(\+|%20)h.*camera=Checkout|camera=Checkout.*period=1(\+|%20)h"
        seen.page.wait_for_url(re.compile(address_of_view))
        seen.page.keyboard.press("Escape")
        seen.page.get_by_text("See cameras").click()
        checkout = seen.page.locator("table.cameras tr").filter(has_text="Checkout")
        checkout.wait_for(state="visible")
        assert "5.1 of 5" in checkout.inner_text()
        assert re.search(address_of_view, seen.page.url), "the selection is kept from page to page"
        seen.page.goto(f"{address}/cameras")
        row = seen.page.locator("table.cameras tr").filter(has_text="Aisle")
        row.wait_for(state="visible")
        assert "retrying" in row.inner_text()
        assert "no answer from <b>10.0.0.12</b>" in row.inner_text()
        assert row.locator(".dot").is_visible()


@pytest.mark.timeout(900)
def test_the_pages_fit_on_a_telephone(browser: Browser, writer: Writer, url: str, tmp_path: Path) -> None:
    assert writer
    with dashboard(tmp_path, url, suppress_below=1) as address:
        for page, ready in PAGES.items():
            with visit(browser, address + page, width=WIDTHS[0]) as seen:
                seen.page.wait_for_selector(ready)
                for width in WIDTHS:
                    seen.page.set_viewport_size({"width": width, "height": 900})
                    found = seen.page.evaluate(TOO_WIDE)
                    for _ in range(PATIENCE_MS // 500):
                        if not found:
                            break
                        # Charts follow the width of the window some time later.
                        seen.page.wait_for_timeout(500)
                        found = seen.page.evaluate(TOO_WIDE)
                    assert found == [], f"{page} in {width} pixels"


def test_there_are_no_requests_to_other_machines(
    browser: Browser, writer: Writer, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert writer
    (tmp_path / "sitecustomize.py").write_text(LISTENING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with dashboard(tmp_path, url, suppress_below=1) as address, visit(browser, address + RECENT) as seen:
        seen.wait_for_charts(5)
        assert seen.foreign == []
    asked = (tmp_path / "log").read_text().splitlines()
    assert "listening" in asked
    assert [each for each in asked if each != "listening" and "127.0.0.1" not in each] == []
