"""What the settings mean for the database's upkeep."""

from __future__ import annotations

import time

import sqlalchemy as sa

from mien.settings import Settings
from storage.maintenance import maintain
from storage.retention import Retention
from storage.versions import is_owner


def retention(settings: Settings) -> Retention:
    """How long rows are kept."""
    return Retention(settings.keep_visits_days, settings.keep_observations_days, settings.keep_coverage_days)


def keep_up(engine: sa.Engine, settings: Settings) -> None:
    """Maintain the database where this process may; elsewhere `mien db maintain` does it.

    Raises storage.writer.OUTAGES while the database is away.
    """
    if is_owner(engine):
        maintain(engine, retention(settings), now_us())


def now_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000
