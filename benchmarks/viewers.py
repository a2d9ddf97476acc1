"""Many viewers of one dashboard at once: how long a page takes after a change, and what looking costs.

    python -m benchmarks.viewers [--database sqlite:///simulated.db]

The sessions of all viewers but one speak the protocol of Streamlit's page (`benchmarks.viewer_session`), as
so many browsers would leave no processor for the dashboard. The last viewer is a real Chromium.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
import typer

from benchmarks.markdown import render_table
from benchmarks.processes import cpu_seconds
from benchmarks.viewer_browser import open_browser
from benchmarks.viewer_session import Choice, open_session
from bus.messages import MICROSECONDS
from common.clock import wall_clock_us
from dashboard.selection import PRESETS
from storage import tables
from storage.camera_status import read_camera_status
from storage.engine import open_database
from storage.local_time import date_of
from storage.simulation.load import load_history
from storage.simulation.scenario import create_scenario
from storage.writer import Writer
from tests.support.browser import started_dashboard
from tests.support.databases import results, visit

LIMIT_MS = 1000.0
"""The goal: the time after a change, 95th percentile."""

TIMEZONE = "Europe/Berlin"
PAGES = ("", "trends", "compare", "quality")
"""Overview, Trends, Compare, Quality & privacy: the pages with figures, by their path."""

_HEAD = """## Viewers at once

Milliseconds from a change until the page is complete, while {viewers} viewers use one dashboard of a
simulated history of {days} days and {cameras} cameras with {visits:,} visits (SQLite, one process). Each of
them changes the period, the cameras or the page again and again, and looks at the result for {least:g} to
{most:g} seconds before the next change; a visit is stored every second, so that there is always a newer
result. {sessions} viewers are sessions of Streamlit's protocol without a browser, one is a real Chromium,
whose time ends when all charts are drawn. All run on the same cores. Goal: {limit:g} ms at the 95th
percentile.
"""
_LOOKING = """
The same {viewers} viewers only look, at the first two of these pages in turn, and each page refreshes itself.
Percent of one core that the dashboard needs:
"""


@dataclass(frozen=True, slots=True)
class ViewersPlan:
    """Extent of the measurement: viewers, seconds of changes, seconds of looking, and between two changes."""

    viewers: int = 20
    changing_s: float = 120.0
    looking_s: float = 60.0
    think_s: tuple[float, float] = (2.0, 8.0)


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of a number of changes."""

    changes: int
    p50_ms: float
    p95_ms: float
    most_ms: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Times:
        """The percentiles of at least one time."""
        p50, p95 = np.percentile(milliseconds, [50, 95]).tolist()
        return cls(len(milliseconds), p50, p95, max(milliseconds))


@dataclass(frozen=True, slots=True)
class Viewing:
    """What was measured; processor times in percent of one core."""

    days: int
    cameras: int
    visits: int
    plan: ViewersPlan
    times: Mapping[str, Times]
    """By what changed, `all` for all sessions; `Chromium` for the browser."""
    changing_percent: float
    looking_percent: float
    alone_percent: float
    """Without any viewer."""
    refreshes_per_s: float
    """While viewers look."""


Changes = list[tuple[str, float]]
"""What was changed and the milliseconds until the page was complete."""


def measure(days: int, cameras: int, plan: ViewersPlan, database: str | None = None) -> Viewing:
    """Measure with the history of `database`, or with a new one of so many days and cameras."""
    with tempfile.TemporaryDirectory() as name:
        folder, now = Path(name), wall_clock_us()
        url = database or f"sqlite:///{folder / 'mien.db'}"
        engine = open_database(url)
        try:
            if not database:
                zone = ZoneInfo(TIMEZONE)
                load_history(engine, create_scenario(days, cameras, 1, date_of(now, zone)), TIMEZONE, now)
            names = [camera.name for camera in read_camera_status(engine, now)]
            visits = _count_visits(engine)
            with (
                started_dashboard(folder, url, timezone=_timezone_of(engine)) as (address, pid),
                _written(engine),
            ):
                return asyncio.run(_watch(address, pid, days, names, visits, plan))
        finally:
            engine.dispose()


def _count_visits(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(tables.visits)).scalar_one()


def _timezone_of(engine: sa.Engine) -> str:
    """That of the roll-ups of the history: a dashboard in another one reads hours instead of days."""
    with engine.connect() as connection:
        return str(connection.execute(sa.select(tables.rollup_state.c.timezone).limit(1)).scalar_one())


@contextmanager
def _written(engine: sa.Engine) -> Iterator[None]:
    """A visit is stored every second, as by a running Mien."""
    done, writer = threading.Event(), Writer(engine)
    with engine.connect() as connection:
        camera = connection.execute(sa.select(tables.cameras.c.id).limit(1)).scalar_one()

    def write() -> None:
        while not done.wait(1):
            seen = wall_clock_us() - MICROSECONDS
            writer.write(results([visit(uuid.uuid4().hex, camera=camera, first_seen=seen, closed=True)]), {})

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


async def _watch(
    address: str, pid: int, days: int, names: Sequence[str], visits: int, plan: ViewersPlan
) -> Viewing:
    alone = await _percent(pid, plan.looking_s / 3)
    looking, refreshes = await _look(address, pid, plan)
    began, used = time.monotonic(), cpu_seconds([pid])
    async with asyncio.TaskGroup() as group:
        sessions = [
            group.create_task(_use_session(address, names, plan, number))
            for number in range(plan.viewers - 1)
        ]
        browser = group.create_task(_use_browser(address, plan))
    changing = (cpu_seconds([pid]) - used) / (time.monotonic() - began)
    changes = [change for session in sessions for change in session.result()]
    by_kind: dict[str, list[float]] = {"all": [milliseconds for _, milliseconds in changes]}
    for kind, milliseconds in sorted(changes):
        by_kind.setdefault(kind, []).append(milliseconds)
    by_kind["Chromium"] = [milliseconds for _, milliseconds in browser.result()]
    times = {kind: Times.of(each) for kind, each in by_kind.items() if each}
    return Viewing(days, len(names), visits, plan, times, 100 * changing, looking, alone, refreshes)


async def _percent(pid: int, seconds: float) -> float:
    """Percent of one core that a process needs during some seconds."""
    began, used = time.monotonic(), cpu_seconds([pid])
    await asyncio.sleep(seconds)
    return 100 * (cpu_seconds([pid]) - used) / (time.monotonic() - began)


async def _look(address: str, pid: int, plan: ViewersPlan) -> tuple[float, float]:
    """All viewers look at a page: percent of one core, and refreshes per second."""
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(open_session(address, page, {}))
            for page in islice(cycle(PAGES[:2]), plan.viewers)
        ]
        before = sum(session.refreshes for session in sessions)
        percent = await _percent(pid, plan.looking_s)
        return percent, (sum(session.refreshes for session in sessions) - before) / plan.looking_s


async def _use_session(address: str, names: Sequence[str], plan: ViewersPlan, number: int) -> Changes:
    """One viewer's changes, the same at every measurement."""
    dice, changes = random.Random(number), Changes()
    page, choices = dice.choice(PAGES), dict[str, Choice]()
    async with open_session(address, page, choices) as session:
        end = time.monotonic() + plan.changing_s
        while (await _think(dice, plan)) < end:
            kind = dice.choice(("period", "period", "cameras", "page"))
            if kind == "period":
                choices["period"] = dice.choice([each for each in PRESETS if each != choices.get("period")])
            elif kind == "cameras":
                choices["camera"] = tuple(sorted(dice.sample(names, dice.choice((0, 1, 3)))))
            else:
                page = dice.choice([each for each in PAGES if each != page])
            changes.append((kind, 1000 * await session.choose(page, choices)))
    return changes


async def _use_browser(address: str, plan: ViewersPlan) -> Changes:
    """The changes of a viewer with Chromium: periods, and pages by the navigation."""
    dice, changes = random.Random(-1), Changes()
    async with open_browser(address) as browser:
        end = time.monotonic() + plan.changing_s
        period, page = "24 h", "Overview"
        while (await _think(dice, plan)) < end:
            if dice.random() < 0.6:
                period = dice.choice([each for each in PRESETS if each != period])
                changes.append(("period", 1000 * await browser.choose_period(period)))
            else:
                page = dice.choice([each for each in ("Overview", "Trends", "Compare") if each != page])
                changes.append(("page", 1000 * await browser.choose_page(page)))
    return changes


async def _think(dice: random.Random, plan: ViewersPlan) -> float:
    await asyncio.sleep(dice.uniform(*plan.think_s))
    return time.monotonic()


def to_dict(viewing: Viewing) -> dict[str, Any]:
    """The measurement as JSON types."""
    return asdict(viewing)


def render_section(result: Mapping[str, Any]) -> str:
    """The section of the page."""
    plan = result["plan"]
    least, most = plan["think_s"]
    head = _HEAD.format(
        **{name: result[name] for name in ("days", "cameras", "visits")},
        viewers=plan["viewers"],
        sessions=plan["viewers"] - 1,
        least=least,
        most=most,
        limit=LIMIT_MS,
    )
    rows = [
        (name, each.changes, *(f"{value:.0f}" for value in (each.p50_ms, each.p95_ms, each.most_ms)))
        for name, each in ((name, Times(**times)) for name, times in result["times"].items())
    ]
    costs = [
        ("without viewers", f"{result['alone_percent']:.0f}"),
        (
            f"{plan['viewers']} viewers look, {result['refreshes_per_s']:.1f} refreshes a second",
            f"{result['looking_percent']:.0f}",
        ),
        (f"{plan['viewers']} viewers change", f"{result['changing_percent']:.0f}"),
    ]
    times = render_table(("change", "number", "p50", "p95", "longest"), rows)
    looking = _LOOKING.format(viewers=plan["viewers"])
    return f"{head}\n{times}{looking}\n{render_table(('', '% of a core'), costs)}"


def main(
    database: Annotated[
        str | None, typer.Option(help="URL of a simulated history. [default: it is made, in minutes]")
    ] = None,
    days: Annotated[int, typer.Option(help="Days of the history.")] = 365,
    cameras: Annotated[int, typer.Option(help="Cameras of the history.")] = 50,
) -> None:
    """Measure, and print the section of the page."""
    print(render_section(to_dict(measure(days, cameras, ViewersPlan(), database))))


if __name__ == "__main__":
    typer.run(main)
