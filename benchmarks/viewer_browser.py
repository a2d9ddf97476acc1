"""A viewer with a real Chromium, who changes period and page with the mouse."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Page, WebSocket, async_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.servers import ServersUnavailable

PATIENCE_MS = 120_000

_DRAWN = """() => {
    const charts = [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')]
    const state = document.querySelector('[data-testid="stApp"]').dataset.testScriptState
    return state === 'notRunning' && charts.every(chart => chart.querySelector('svg'))
}"""
_PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Browser:
    """An open page; a change is complete when the server has sent all of it and every chart is drawn."""

    page: Page
    _is_whole: bool = False
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def choose_period(self, period: str) -> float:
        """Choose a period in the bar; returns the seconds from the click until the page is drawn."""
        await self.page.get_by_role("combobox", name="Period").click()
        return await self._complete(self.page.get_by_role("option", name=period, exact=True).click())

    async def choose_page(self, name: str) -> float:
        """Go to a page by the navigation; returns the seconds from the click until it is drawn."""
        link = self.page.get_by_role("link", name=re.compile(f"{name}$"))
        return await self._complete(link.click())

    async def wait_until_drawn(self) -> None:
        """Wait until the page is complete and painted."""
        async with asyncio.timeout(PATIENCE_MS / 1000):
            await self._settled.wait()
        await self.page.wait_for_function(_DRAWN)
        await self.page.evaluate(_PAINTED)

    def follow(self, socket: WebSocket) -> None:
        """Follow what the server sends."""
        socket.on("framereceived", self._note)

    def _note(self, payload: bytes | str) -> None:
        message = ForwardMsg.FromString(payload if isinstance(payload, bytes) else payload.encode())
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._is_whole = not message.metadata.run.fragment_ids
        elif (
            kind == "script_finished"
            and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
            and self._is_whole
        ):
            self._settled.set()

    async def _complete(self, click: Awaitable[None]) -> float:
        self._settled.clear()
        self._is_whole = False
        began = time.perf_counter()
        await click
        await self.wait_until_drawn()
        return time.perf_counter() - began


@asynccontextmanager
async def open_browser(address: str) -> AsyncIterator[Browser]:
    """Chromium with the drawn page at `address`. Raises ServersUnavailable where it is not installed."""
    path = shutil.which("chromium")
    if not path:
        raise ServersUnavailable("chromium is not installed")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        try:
            page = await chromium.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(PATIENCE_MS)
            browser = Browser(page)
            page.on("websocket", browser.follow)
            await page.goto(address)
            await browser.wait_until_drawn()
            yield browser
        finally:
            await chromium.close()
