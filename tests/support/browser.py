"""A headless Chromium and a dashboard process, for tests of the rendered pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from dashboard.launch import LOOPBACK, command
from tests.support.processes import free_port, surroundings

PATIENCE_MS = 60_000
"""The time-out of every step, long enough for a busy machine."""
SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'
"""Selects the page while its script does not run."""

_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; without Chromium the test is skipped, or fails in CI."""
    path = shutil.which("chromium")
    if not path:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def dashboard(folder: Path, database: str, **settings: object) -> Iterator[str]:
    """The address of a dashboard process that reads `database` and runs in `folder`.

    `settings` become environment variables: `refresh_seconds=1` is MIEN_REFRESH_SECONDS=1.
    """
    with started_dashboard(folder, database, **settings) as (address, _):
        yield address


@contextmanager
def started_dashboard(folder: Path, database: str, **settings: object) -> Iterator[tuple[str, int]]:
    """The address of a dashboard process, as `dashboard` starts it, and its process id."""
    port = free_port()
    given = {f"MIEN_{name.upper()}": str(value) for name, value in settings.items()}
    with (folder / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(
            command(port),
            cwd=folder,
            env=surroundings(folder) | {"MIEN_DATABASE": database} | given,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(process, port)
            yield f"http://{LOOPBACK}:{port}", process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, "the dashboard ended"
            assert time.monotonic() < deadline, "the dashboard does not respond"
            time.sleep(0.1)


@dataclass
class OpenPage:
    """A page with its console errors and its requests."""

    page: Page
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Requests to other machines."""

    def note_message(self, message: ConsoleMessage) -> None:
        """Record a console error."""
        if message.type == "error":
            self.errors.append(message.text)

    def note_request(self, request: Request) -> None:
        """Record a request to another machine."""
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.hostname != LOOPBACK:
            self.foreign.append(request.url)

    def settle(self) -> None:
        """Wait until the script of the page has ended."""
        self.page.wait_for_selector(SETTLED, timeout=PATIENCE_MS)

    def figure(self, label: str) -> str:
        """The value of the tile with this label."""
        tile = self.page.get_by_test_id("stMetric").filter(has=self.page.get_by_text(label, exact=True))
        return tile.get_by_test_id("stMetricValue").inner_text().strip()

    def wait_for_figure(self, label: str, other_than: str) -> str:
        """The value of a tile once it has changed."""
        tile = self.page.get_by_test_id("stMetric").filter(has=self.page.get_by_text(label, exact=True))
        value = tile.get_by_test_id("stMetricValue")
        expect(value).not_to_have_text(other_than, timeout=PATIENCE_MS)
        return value.inner_text().strip()

    def wait_for_text(self, text: str) -> None:
        """Wait until a text is visible."""
        self.page.get_by_text(text).first.wait_for(state="visible", timeout=PATIENCE_MS)

    def wait_for_charts(self, count: int) -> None:
        """Wait until this number of charts is drawn, each with marks."""
        self.page.wait_for_function(
            """count => [...document.querySelectorAll('[data-testid="stVegaLiteChart"] svg')].filter(
                svg => svg.querySelector('.mark-rect path, .mark-text text')).length >= count""",
            arg=count,
            timeout=PATIENCE_MS,
        )


@contextmanager
def visit(
    browser: Browser,
    url: str,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1440,
    height: int = 900,
) -> Iterator[OpenPage]:
    """An open, drawn page; the viewer's system prefers the colour scheme `scheme`."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = context.new_page()
        opened = OpenPage(page)
        page.on("console", opened.note_message)
        page.on("pageerror", lambda error: opened.errors.append(str(error)))
        page.on("request", opened.note_request)
        page.goto(url)
        opened.settle()
        yield opened
    finally:
        context.close()
