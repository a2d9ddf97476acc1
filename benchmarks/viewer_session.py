"""A session of the dashboard without a browser: the protocol that Streamlit's page speaks with its server.

It receives what a browser receives and answers as a browser does: it sends the state of its widgets and the
hashes of the messages that it has, and asks for every automatic refresh. It draws nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

PATIENCE_S = 120.0
_KEPT_RUNS = 2
"""Whole runs for which a browser keeps a message that is not used: `global.maxCachedMessageAge`."""
Choice = str | tuple[str, ...]
"""What is chosen in a widget of the bar: one option, or several."""


class PageFailed(RuntimeError):
    """The script of a page ended with an error, or was not ready in time."""


@dataclass
class Session:
    """One open page. `choices` are by the name that the address has for a widget, such as `period`."""

    connection: ClientConnection
    page: str = ""
    choices: dict[str, Choice] = field(default_factory=dict)
    charts: int = 0
    """Charts that the server has sent since the last choice, without those that it knows to be cached."""
    received_bytes: int = 0
    refreshes: int = 0
    """How often the server has refreshed the page by itself."""
    _pages: dict[str, str] = field(default_factory=dict)
    _widgets: dict[str, str] = field(default_factory=dict)
    _cached: dict[str, int] = field(default_factory=dict)
    """The number of whole runs when each message was last used, by its hash."""
    _runs: int = 0
    _timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """What asks for refreshes, by the part of the page."""
    _whole_run: str = ""
    """The run of the whole page that has begun since the last choice."""
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: str = ""
    _receiver: asyncio.Task[None] | None = None

    async def choose(self, page: str, choices: Mapping[str, Choice]) -> float:
        """Go to a page and choose in the bar; returns the seconds until the page is complete."""
        began = time.perf_counter()
        self.page, self.choices = page, dict(choices)
        await self._rerun()
        await self._wait()
        return time.perf_counter() - began

    def start(self) -> None:
        """Follow what the server sends."""
        self._receiver = asyncio.create_task(self._receive())

    async def close(self) -> None:
        """Stop following, and stop asking for refreshes."""
        self._stop_refreshing(self._timers)
        if self._receiver:
            self._receiver.cancel()
            with suppress(asyncio.CancelledError):
                await self._receiver

    async def _receive(self) -> None:
        async for data in self.connection:
            assert isinstance(data, bytes)
            self.received_bytes += len(data)
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if message.metadata.cacheable or kind == "ref_hash":
                self._cached[message.ref_hash or message.hash] = self._runs
            if kind == "new_session":
                self._begin(message)
            elif kind == "navigation":
                self._pages = {
                    each.url_pathname: each.page_script_hash for each in message.navigation.app_pages
                }
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self._note(message.delta.new_element)
            elif kind == "auto_rerun":
                self._refresh_every(message.auto_rerun.interval, message.auto_rerun.fragment_id)
            elif kind == "stop_auto_rerun":
                self._stop_refreshing(message.stop_auto_rerun.fragment_ids)
            elif kind == "script_finished":
                self._end(message)

    def _begin(self, message: ForwardMsg) -> None:
        run = message.metadata.run
        if not run.fragment_ids:
            self._whole_run = run.script_run_id
            self._stop_refreshing(self._timers)

    def _note(self, element: Element) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception":
            self._failure = f"{element.exception.type}: {element.exception.message}"
        elif kind == "vega_lite_chart":
            self.charts += 1
        elif kind in {"selectbox", "multiselect"}:
            widget = getattr(element, kind)
            if widget.query_param_key:
                self._widgets[widget.query_param_key] = widget.id

    def _end(self, message: ForwardMsg) -> None:
        is_whole = message.metadata.run.script_run_id == self._whole_run
        if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY and is_whole:
            self._runs += 1
            self._cached = {
                name: used for name, used in self._cached.items() if self._runs - used <= _KEPT_RUNS
            }
            self._settled.set()

    def _refresh_every(self, seconds: float, fragment: str) -> None:
        async def refresh() -> None:
            while True:
                await asyncio.sleep(seconds)
                self.refreshes += 1
                await self._send(fragment)

        self._stop_refreshing([fragment])
        self._timers[fragment] = asyncio.create_task(refresh())

    def _stop_refreshing(self, fragments: Iterable[str]) -> None:
        for fragment in list(fragments):
            if timer := self._timers.pop(fragment, None):
                timer.cancel()

    async def _rerun(self) -> None:
        self._settled.clear()
        self._stop_refreshing(self._timers)  # The run that is asked for begins them again.
        self._whole_run = ""
        self.charts = 0
        await self._send()

    async def _send(self, fragment: str = "") -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string = urlencode(self.choices, doseq=True)
        state.page_script_hash = self._pages.get(self.page, "")
        state.page_name = "" if state.page_script_hash else self.page
        state.cached_message_hashes.extend(self._cached)
        state.fragment_id, state.is_auto_rerun = fragment, bool(fragment)
        for name, widget_id in self._widgets.items():
            self._add_choice(state, widget_id, self.choices.get(name))
        await self.connection.send(message.SerializeToString())

    @staticmethod
    def _add_choice(state: object, widget_id: str, choice: Choice | None) -> None:
        if choice is None:
            return
        widget = state.widget_states.widgets.add(id=widget_id)  # type: ignore[attr-defined]
        if isinstance(choice, str):
            widget.string_value = choice
        else:
            widget.string_array_value.data.extend(choice)

    async def _wait(self) -> None:
        assert self._receiver
        settled = asyncio.create_task(self._settled.wait())
        done, _ = await asyncio.wait(
            {settled, self._receiver}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
        )
        if settled not in done:
            settled.cancel()
            if self._receiver.done():
                self._receiver.result()
            raise PageFailed(f"{self.page}: not ready within {PATIENCE_S:.0f} s")
        if self._failure:
            raise PageFailed(f"{self.page}: {self._failure}")


@asynccontextmanager
async def open_session(url: str, page: str, choices: Mapping[str, Choice]) -> AsyncIterator[Session]:
    """A session at `url` (http://...) whose page is complete."""
    address = f"ws{url.removeprefix('http')}/_stcore/stream"
    async with connect(address, subprotocols=["streamlit"], max_size=None) as connection:  # type: ignore[list-item]
        session = Session(connection)
        session.start()
        try:
            await session.choose(page, choices)
            yield session
        finally:
            await session.close()
