"""Time from saving the first camera in a browser to its first visit on the page.

    python -m benchmarks.first_visit

`mien run` starts without cameras and with default settings (embedded mode, SQLite). In Chromium the wizard of
the page Cameras adds a simulated camera, in whose view somebody is nine tenths of the time. Measured is the
time from the audit log's row about the new camera until its first visit is stored, and until the page
Overview, which is open meanwhile, shows that there are visits.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from playwright.sync_api import Browser

from bus.messages import MICROSECONDS
from common.access import LOCAL
from common.clock import wall_clock_us
from storage import tables
from storage.audit import read_audit
from storage.engine import Database, open_database
from tests.support.browser import chromium, visit
from tests.support.processes import free_port, running
from tests.support.wizard import add_camera

_PATIENCE_S = 300.0
_LOOK_EVERY_S = 0.05
_FEW = "hidden"
"""What the tile shows instead of the number of the first visits, which might describe single persons."""


@dataclass(frozen=True, slots=True)
class FirstVisit:
    """Seconds from the audit log's row until the first visit was stored, and until the page showed it."""

    stored_s: float
    shown_s: float


def measure() -> FirstVisit:
    """Start Mien, add a camera, wait for its first visit."""
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder, port = Path(name), free_port()
        url = f"sqlite:///{folder / 'mien.db'}"
        with running(folder, "run", "--database", url, "--port", port) as process:
            address = f"http://127.0.0.1:{port}"
            assert process.stdout
            assert any(address in line for line in process.stdout), "it ended before it printed its address"
            database = open_database(url, read_only=True)
            try:
                return _wait(browser, address, database)
            finally:
                database.dispose()
                process.terminate()


def _wait(browser: Browser, address: str, database: Database) -> FirstVisit:
    with (
        visit(browser, f"{address}/?period=15+min") as overview,
        visit(browser, f"{address}/cameras", height=1400) as cameras,
    ):
        overview.wait_for_text("No camera is registered yet")
        add_camera(cameras.page, "Front door", "demo://entrance", "trends of visitors")
        stored = shown = 0.0
        deadline = time.monotonic() + _PATIENCE_S
        few = overview.page.get_by_test_id("stMetricValue").get_by_text(_FEW, exact=True)
        while not (stored and shown):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no visit within {_PATIENCE_S:.0f} s")
            stored = stored or _time_if(_has_visits(database))
            shown = shown or _time_if(few.count() > 0)
            overview.page.wait_for_timeout(1000 * _LOOK_EVERY_S)
    (added,) = [each.at for each in read_audit(database, LOCAL) if each.action == "camera.add"]
    return FirstVisit(*((time_us - added) / MICROSECONDS for time_us in (stored, shown)))


def _time_if(holds: bool) -> float:
    return wall_clock_us() if holds else 0.0


def _has_visits(database: Database) -> bool:
    with database.connect() as connection:
        return connection.scalar(sa.select(sa.exists(sa.select(tables.visits.c.visit_id)))) is True


def main(repeats: Annotated[int, typer.Option(min=1, help="How often Mien is started.")] = 5) -> None:
    """Measure several times, and print every time."""
    print(f"{'saved to stored':>16}{'saved to shown':>16}   s")
    for _ in range(repeats):
        found = measure()
        print(f"{found.stored_s:>16.1f}{found.shown_s:>16.1f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
