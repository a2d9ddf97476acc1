"""Retention: deletion of rows after a number of full UTC days, without long locks.

On PostgreSQL day partitions of visits and observations are dropped; other rows are deleted in small batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from bus.messages import MICROSECONDS
from storage import day_partitions, tables
from storage.day_partitions import DAY_US, start_of_day
from storage.versions import require_owner

_BATCH = 5000
_POSITION_TIMES: tuple[sa.Column[int], ...] = (
    tables.offsets.c.written_at,
    tables.last_frames.c.written_at,
    tables.capture_processes.c.renewed_at,
    tables.processes.c.renewed_at,
    tables.alert_deliveries.c.created_at,
)
_POSITION_DAYS = 30
"""Days after its last write for which a position, a last frame or a process is kept."""

Cutoffs = dict[sa.Column[int], int]
"""The earliest time that is kept, by the time column of a table."""

_TIME_COLUMNS: tuple[sa.Column[int], ...] = (
    tables.visits.c.first_seen,
    tables.visit_minutes.c.minute,
    tables.camera_hours.c.hour,
    tables.camera_days.c.day,
    tables.rollup_changes.c.hour,
    tables.visit_classes.c.day,
    tables.observations.c.observed_at,
    tables.camera_minutes.c.minute,
    tables.camera_drops.c.minute,
    tables.dead_letters.c.hour,
    # A pause that lasts has no end, so it is kept.
    tables.camera_pauses.c.end_at,
)


@dataclass(frozen=True, slots=True)
class Retention:
    """The number of full UTC days for which rows are kept, by kind; observations no longer than visits."""

    visits: int = 400
    observations: int = 30
    coverage: int = 400
    audit: int = 400

    def cutoffs(self, now_us: int) -> Cutoffs:
        """The cutoffs at the time `now_us`."""
        observations = min(self.observations, self.visits)
        # Pauses tell what was scheduled, as long as any row tells what was watched.
        pauses = max(self.visits, self.coverage)
        kept = (*([self.visits] * 6), observations, *([self.coverage] * 3), pauses)
        days = dict(zip(_TIME_COLUMNS, kept, strict=True)) | dict.fromkeys(_POSITION_TIMES, _POSITION_DAYS)
        days[tables.audit_log.c.at] = self.audit
        return {time: start_of_day(now_us) - number * DAY_US for time, number in days.items()}


def cutoffs_before(time_us: int) -> Cutoffs:
    """Cutoffs that delete everything before the UTC day of `time_us`, except positions and the audit log."""
    return dict.fromkeys(_TIME_COLUMNS, start_of_day(time_us))


def purge(engine: sa.Engine, cutoffs: Cutoffs, progress: Callable[[], None] = lambda: None) -> dict[str, int]:
    """Delete the rows before the cutoffs; the number of deleted rows by table.

    `progress` is called between transactions; what it raises ends the deletion there.

    Raises:
        StorageError: the user does not own the tables.
        DatabaseUnavailable: the database is unavailable or in use for too long; call again later.
    """
    require_owner(engine)
    deleted = {
        time.table.description: _purge(engine, time, before, progress) for time, before in cutoffs.items()
    }
    observations = tables.observations.name
    deleted[observations] += _purge_orphans(engine, cutoffs[tables.visits.c.first_seen], progress)
    return deleted


def count_expired(engine: sa.Engine, cutoffs: Cutoffs) -> dict[str, int]:
    """The number of rows before the cutoffs by table; `purge` may delete a few more observations."""
    with engine.connect() as connection:
        return {
            time.table.description: connection.scalar(
                sa.select(sa.func.count()).select_from(time.table).where(time < before)
            )
            or 0
            for time, before in cutoffs.items()
        }


def _purge(engine: sa.Engine, time: sa.Column[int], before: int, progress: Callable[[], None]) -> int:
    deleted = 0
    if day_partitions.has_day_partitions(engine) and time in day_partitions.PARTITION_COLUMNS:
        deleted = day_partitions.drop_before(engine, time, before, progress)
    return deleted + sum(_delete(engine, time.table, time < before, progress))


def _purge_orphans(engine: sa.Engine, before: int, progress: Callable[[], None]) -> int:
    """Delete later observations of visits that started before `before` and lasted beyond it."""
    seen, visits = tables.observations.c, tables.visits.c
    later = seen.observed_at.between(before, before + DAY_US)
    kept = visits.first_seen.between(before, before + DAY_US + MICROSECONDS)
    visit = sa.exists().where(visits.visit_id == seen.visit_id, kept)
    return sum(_delete(engine, tables.observations, later & ~visit, progress))


def _delete(
    engine: sa.Engine,
    table: sa.FromClause,
    expired: sa.ColumnElement[bool],
    progress: Callable[[], None],
) -> Iterator[int]:
    """Delete rows in batches, each in its own transaction; yields the number of rows of each batch."""
    assert isinstance(table, sa.Table)
    key = (
        sa.tuple_(*table.primary_key.columns) if len(table.primary_key) > 1 else next(iter(table.primary_key))
    )
    batch = sa.select(*table.primary_key.columns).where(expired).limit(_BATCH)
    count = _BATCH
    while count == _BATCH:
        with engine.begin() as connection:
            count = connection.execute(sa.delete(table).where(expired, key.in_(batch))).rowcount
        progress()
        yield count
