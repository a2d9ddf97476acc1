"""What is deleted when: small batches, so that nobody waits for a long lock."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from storage import tables

DAY_US = 86_400 * 1_000_000
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days rows are kept, by kind."""

    visits: int = 400
    observations: int = 30
    coverage: int = 400


def purge(engine: sa.Engine, retention: Retention, now_us: int) -> dict[str, int]:
    """Delete what is older than its days; rows deleted, by table."""
    plan = {
        tables.visits.c.first_seen: retention.visits,
        tables.visit_minutes.c.minute: retention.visits,
        tables.observations.c.observed_at: retention.observations,
        tables.camera_minutes.c.minute: retention.coverage,
        tables.camera_drops.c.minute: retention.coverage,
    }
    return {time.table.name: _purge(engine, time, now_us - days * DAY_US) for time, days in plan.items()}


def _purge(engine: sa.Engine, time: sa.Column[int], before_us: int) -> int:
    table = time.table
    assert isinstance(table, sa.Table)
    key = (
        sa.tuple_(*table.primary_key.columns) if len(table.primary_key) > 1 else next(iter(table.primary_key))
    )
    batch = sa.select(*table.primary_key.columns).where(time < before_us).limit(_BATCH)
    deleted = 0
    while True:
        with engine.begin() as connection:
            count = connection.execute(sa.delete(table).where(key.in_(batch))).rowcount
        deleted += count
        if count < _BATCH:
            return deleted
