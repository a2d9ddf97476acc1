"""What the settings mean for the database's upkeep."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from mien.settings import Settings
from storage.maintenance import maintain
from storage.retention import Retention
from storage.versions import is_owner
from storage.writer import OUTAGES

_AGAIN_S = 30.0
"""How soon upkeep is tried again when the database was away."""
_TICK_S = 1.0

_log = logging.getLogger(__name__)


def retention(settings: Settings) -> Retention:
    """How long rows are kept."""
    return Retention(settings.keep_visits_days, settings.keep_observations_days, settings.keep_coverage_days)


def keep_up(engine: sa.Engine, settings: Settings) -> None:
    """Maintain the database where this process may; elsewhere `mien db maintain` does it.

    Raises storage.writer.OUTAGES while the database is away.
    """
    if is_owner(engine):
        maintain(engine, retention(settings), now_us())


def repeat(upkeep: Callable[[], None], every: float, stop: threading.Event, beat: Callable[[], None]) -> None:
    """Call `upkeep` every so many seconds until `stop` is set; `beat` each second while it waits.

    While the database is away it is tried again sooner, and whatever else it raises ends the loop.
    """
    while not stop.is_set():
        pause = every
        try:
            upkeep()
        except OUTAGES as error:
            pause = min(every, _AGAIN_S)
            reason = str(error).partition("\n")[0]
            _log.warning("upkeep: the database is away, trying again in %.0f s: %s", pause, reason)
        due = time.monotonic() + pause
        beat()
        while time.monotonic() < due and not stop.wait(min(_TICK_S, pause)):
            beat()


def now_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000
