"""What is deleted when: whole UTC days, without holding anybody up.

PostgreSQL drops the partitions of visits and observations; everything else is deleted in small batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from bus.messages import MICROSECONDS
from storage import partitions, tables
from storage.partitions import DAY_US, day_of
from storage.versions import require_owner

_BATCH = 5000
_STILL_POSITIONS = 30
"""Days after which a position that nobody wrote is of no use: the bus has long lost the frames behind it."""

Cutoffs = dict[sa.Column[int], int]
"""The first moment that is kept, by the time column of a table."""

_SEEN: tuple[sa.Column[int], ...] = (
    tables.visits.c.first_seen,
    tables.visit_minutes.c.minute,
    tables.observations.c.observed_at,
    tables.camera_minutes.c.minute,
    tables.camera_drops.c.minute,
)


@dataclass(frozen=True, slots=True)
class Retention:
    """How many full UTC days rows are kept, by kind; observations no longer than visits."""

    visits: int = 400
    observations: int = 30
    coverage: int = 400

    def cutoffs(self, now_us: int) -> Cutoffs:
        """What this means now."""
        observations = min(self.observations, self.visits)
        kept = (self.visits, self.visits, observations, self.coverage, self.coverage)
        days = dict(zip(_SEEN, kept, strict=True)) | {tables.offsets.c.written_at: _STILL_POSITIONS}
        return {time: day_of(now_us) - number * DAY_US for time, number in days.items()}


def cutoffs_before(time_us: int) -> Cutoffs:
    """Everything that was seen before the UTC day of `time_us` goes."""
    return dict.fromkeys(_SEEN, day_of(time_us))


def purge(engine: sa.Engine, cutoffs: Cutoffs) -> dict[str, int]:
    """Delete what lies before the cutoffs; rows deleted, by table.

    Raises:
        StorageError: the user does not own the tables.
        storage.writer.OUTAGES: the database is away or in use for too long; call again later.
    """
    require_owner(engine)
    deleted = {time.table.description: _purge(engine, time, before) for time, before in cutoffs.items()}
    observations = tables.observations.name
    deleted[observations] += _purge_cut_off(engine, cutoffs[tables.visits.c.first_seen])
    return deleted


def count(engine: sa.Engine, cutoffs: Cutoffs) -> dict[str, int]:
    """What `purge` would delete, at least: rows by table."""
    with engine.connect() as connection:
        return {
            time.table.description: connection.scalar(
                sa.select(sa.func.count()).select_from(time.table).where(time < before)
            )
            or 0
            for time, before in cutoffs.items()
        }


def _purge(engine: sa.Engine, time: sa.Column[int], before: int) -> int:
    deleted = 0
    if partitions.are_used(engine) and time in partitions.TIMES:
        deleted = partitions.drop_days(engine, time, before)
    return deleted + sum(_delete(engine, time.table, time < before))


def _purge_cut_off(engine: sa.Engine, before: int) -> int:
    """Delete the observations of visits that began before `before` and lasted until after it."""
    seen, visits = tables.observations.c, tables.visits.c
    late = seen.observed_at.between(before, before + DAY_US)
    begun = visits.first_seen.between(before, before + DAY_US + MICROSECONDS)
    visit = sa.exists().where(visits.visit_id == seen.visit_id, begun)
    return sum(_delete(engine, tables.observations, late & ~visit))


def _delete(engine: sa.Engine, table: sa.FromClause, doomed: sa.ColumnElement[bool]) -> Iterator[int]:
    """Delete rows batch by batch, each in a transaction of its own; how many each was."""
    assert isinstance(table, sa.Table)
    key = (
        sa.tuple_(*table.primary_key.columns) if len(table.primary_key) > 1 else next(iter(table.primary_key))
    )
    batch = sa.select(*table.primary_key.columns).where(doomed).limit(_BATCH)
    count = _BATCH
    while count == _BATCH:
        with engine.begin() as connection:
            count = connection.execute(sa.delete(table).where(doomed, key.in_(batch))).rowcount
        yield count
