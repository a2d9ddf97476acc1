"""Hostile names of cameras in a real browser: they are shown as text, and nothing is fetched for them."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page

from bus.messages import MINUTE_US
from common.clock import wall_clock_us
from dashboard.security_headers import HEADERS
from storage.engine import open_database
from storage.registry import CameraRow
from storage.writer import Writer
from tests.support.browser import chromium, dashboard, visit
from tests.support.shop import Shop

pytestmark = pytest.mark.timeout(300)

RENDERED = """:is(.stMain, header) :is(
    a[href^='http']:not([href^='{url}']), a[href^='mailto'],
    img:not([src^='data:'], [src^='{url}']), del, sup, .katex
)"""
"""What a name could become on the page at `url`."""


def names(trap: int) -> list[str]:
    """Names that try to fetch from `trap`, and names that try to be more than text."""
    return [
        f"![x](http://127.0.0.1:{trap}/image) **bold** `code`",
        f"[a](http://127.0.0.1:{trap}/link) www.evil.example a@evil.example",
        f"<img src='http://127.0.0.1:{trap}/html'> ~~gone~~ $x^2$",
        f"http://127.0.0.1:{trap}/auto :material/bug_report: :red[x] -> --",
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def trap() -> Iterator[tuple[int, list[str]]]:
    """The port of a server that notes who asks it for something."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        done = threading.Event()

        def accept() -> None:
            while not done.is_set():
                with suppress(TimeoutError):
                    connection, _ = server.accept()
                    with connection:
                        asked.append(connection.recv(200).decode("latin-1"))

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1], asked
        done.set()
        thread.join()


@pytest.fixture
def url(tmp_path: Path, trap: tuple[int, list[str]]) -> Iterator[str]:
    """A dashboard of a shop whose cameras have hostile names, one of them down."""
    database = f"sqlite:///{tmp_path}/mien.db"
    engine = open_database(database)
    hostile = names(trap[0])
    cameras = [
        CameraRow(f"c{number}", f"demo://{number}", name, hostile[0][:200], hostile[1][:200], 5)
        for number, name in enumerate(hostile)
    ]
    shop, writer, now = Shop(visits_per_minute=20, cameras=cameras), Writer(engine), wall_clock_us()
    shop.register(engine, now - 20 * MINUTE_US)
    shop.write(writer, now - 20 * MINUTE_US, now)
    shop.report(writer, now + 10 * MINUTE_US, down="c0", reason=hostile[3])
    with dashboard(tmp_path, database, suppress_below=1) as address:
        yield address
    engine.dispose()


def shown(page: Page) -> str:
    return page.locator(".stMain").inner_text().replace("\u2060", "")


def pages(browser: Browser, url: str) -> list[str]:
    """The addresses of all pages of the navigation."""
    with visit(browser, url) as opened:
        links = opened.page.locator("header a[href]").all()
        return [url, *(urljoin(url, link.get_attribute("href") or "") for link in links)]


def test_names_are_text_on_every_page(browser: Browser, url: str, trap: tuple[int, list[str]]) -> None:
    port, asked = trap
    addresses = pages(browser, url)
    assert any(address.endswith("/cameras") for address in addresses)
    for address in addresses:
        with visit(browser, address) as opened:
            if address == url:
                opened.wait_for_text("is down")
                assert f"{names(port)[0]} is down: {names(port)[3]}" in shown(opened.page)
            elif address.endswith("/cameras"):
                opened.wait_for_text("evil.example")
                assert all(name in shown(opened.page) for name in names(port))
            assert opened.page.locator(RENDERED.format(url=url)).all() == [], address
            assert "code" not in opened.page.locator(":is(.stMain, header) code").all_inner_texts(), address
            assert [error for error in opened.errors if "Content Security Policy" in error] == []
            assert opened.foreign == []
    assert asked == []


def test_the_page_fetches_nothing_from_elsewhere_and_is_in_no_frame(
    browser: Browser, url: str, trap: tuple[int, list[str]]
) -> None:
    port, asked = trap
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    with visit(browser, url) as opened:
        opened.page.evaluate(
            """source => new Promise(done => {
                const image = new Image();
                image.onload = image.onerror = done;
                image.src = source;
                document.body.append(image);
            })""",
            f"http://127.0.0.1:{port}/image",
        )
        assert any("Content Security Policy" in error for error in opened.errors)
        opened.page.goto(f"data:text/html,<iframe src='{url}'></iframe>")
        assert opened.page.frames[-1].url.startswith("chrome-error:")
    assert asked == []
