"""Upkeep of the database as the settings demand: once, or repeatedly until a signal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from bus.sinks import SinkUnavailable
from common.clock import wall_clock_us
from mien.protection import effective_settings
from mien.settings import Settings
from storage import maintenance
from storage.engine import Database
from storage.retention import Retention
from storage.rollups import roll_up
from storage.versions import is_owner

_RETRY_S = 30.0
"""Seconds until the next attempt while the database is unavailable."""
_TICK_S = 1.0

_log = logging.getLogger(__name__)

Progress = Callable[[], None]
"""Called between two transactions of an upkeep; it raises UpkeepEnded to end the upkeep there."""


class UpkeepEnded(Exception):
    """An upkeep ended between two transactions, because the process is to stop; the next one continues."""


def until_stopped(stop: threading.Event, note: Callable[[], None]) -> Progress:
    """A progress that calls `note`, and ends the upkeep once `stop` is set."""

    def progress() -> None:
        note()
        if stop.is_set():
            raise UpkeepEnded

    return progress


def read_retention(engine: Database, settings: Settings) -> Retention:
    """How long rows are kept now: as the settings say, or shorter where operators chose that.

    Raises DatabaseError where the database cannot be read.
    """
    applied = effective_settings(engine, settings)
    return Retention(
        applied.keep_visits_days,
        applied.keep_observations_days,
        applied.keep_coverage_days,
        applied.keep_audit_days,
    )


def maintain_if_owner(engine: Database, settings: Settings, progress: Progress) -> None:
    """Maintain the database where this process owns its tables; elsewhere `mien db maintain` does it.

    Raises SinkUnavailable while the database is unavailable, and what `progress` raises.
    """
    if is_owner(engine):
        maintenance.maintain(engine, read_retention(engine, settings), wall_clock_us(), progress)
        roll_up(engine, wall_clock_us(), settings.timezone, lambda _: progress())


def repeat(
    maintain: Callable[[Progress], None], every: float, stop: threading.Event, heartbeat: Callable[[], None]
) -> None:
    """Call `maintain` every `every` seconds until `stop` is set, and `heartbeat` each second in between.

    During an upkeep the heart beats between its transactions. While the database is unavailable the next
    attempt comes sooner. Any other exception ends the loop.
    """
    progress = until_stopped(stop, heartbeat)
    while not stop.is_set():
        pause = every
        try:
            maintain(progress)
        except UpkeepEnded:
            return
        except SinkUnavailable as error:
            pause = min(every, _RETRY_S)
            reason = str(error).partition("\n")[0]
            _log.warning("upkeep: the database is unavailable, next attempt in %.0f s: %s", pause, reason)
        due = time.monotonic() + pause
        heartbeat()
        while time.monotonic() < due and not stop.wait(min(_TICK_S, pause)):
            heartbeat()
