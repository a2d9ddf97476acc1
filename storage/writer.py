"""The write side: everything that a batch amounts to in one transaction."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bus.messages import (
    CameraHealth,
    CameraMinute,
    Estimate,
    Observation,
    Partition,
    Positions,
    Results,
    Visit,
    minute_of,
)
from storage import tables
from storage.errors import StorageError
from storage.mood import mood_of

Row = dict[str, Any]
Merge = Callable[[Any, Any], Any]

OUTAGES: tuple[type[Exception], ...] = (sa.exc.OperationalError, sa.exc.InterfaceError)
"""What a writer raises while the database is away, locked or full: the same call may succeed later."""


class Writer:
    """Stores results, coverage and camera states; any number of threads may share it.

    One transaction runs at a time. A write either succeeds whole or leaves nothing behind.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._statements = _Statements(postgresql if engine.dialect.name == "postgresql" else sqlite)
        self._lock = threading.Lock()

    def write(self, results: Results, positions: Positions) -> None:
        """Store results and positions, all or nothing; visits that were closed stay as they are.

        Raises:
            StorageError: an estimate has other expressions than the tables.
            OUTAGES: the database cannot be written for now.
        """
        visits = [_visit_row(visit) for visit in results.visits]
        observations = [_observation_row(seen) for seen in results.observations]
        with self._lock, self._engine.begin() as connection:
            self._store_visits(connection, visits)
            _execute(connection, self._statements.observations, observations)
            self._add_minutes(connection, results.minutes)
            rows = [{"topic": p.topic, "partition": p.number, "next_offset": n} for p, n in positions.items()]
            _execute(connection, self._statements.offsets, rows)

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        """The stored positions of those partitions that have one."""
        wanted = set(partitions)
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(tables.offsets)).all()
        stored = {Partition(row.topic, row.partition): row.next_offset for row in rows}
        return {partition: offset for partition, offset in stored.items() if partition in wanted}

    def report(self, health: CameraHealth) -> None:
        """Store the state of one camera.

        Raises OUTAGES while the database cannot be written.
        """
        row = {name: getattr(health, name) for name in tables.camera_states.columns.keys()}  # noqa: SIM118
        row |= {"state": health.state.value, "reason": health.reason[: tables.REASON_LENGTH]}
        with self._lock, self._engine.begin() as connection:
            connection.execute(self._statements.camera_states, row)

    def count(self, minute: CameraMinute) -> None:
        """Add one increment of coverage.

        Raises OUTAGES while the database cannot be written.
        """
        with self._lock, self._engine.begin() as connection:
            self._add_minutes(connection, [minute])

    def close_abandoned(self, before_us: int) -> int:
        """Close the visits that a process which died left open before `before_us`; how many."""
        visits = tables.visits
        abandoned = sa.select(visits).where(~visits.c.closed, visits.c.last_seen < before_us)
        with self._lock, self._engine.begin() as connection:
            rows = [{**row, "closed": True} for row in connection.execute(abandoned).mappings()]
            self._store_visits(connection, rows)
        return len(rows)

    def _store_visits(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Upsert visits, and roll up those that this very statement closes, hence each once."""
        _execute(connection, self._statements.visits, [row for row in rows if not row["closed"]])
        closing = {row["visit_id"]: row for row in rows if row["closed"]}
        if closing:
            closed = connection.scalars(self._statements.closed_visits, list(closing.values()))
            self._roll_up(connection, [closing[visit_id] for visit_id in closed])

    def _roll_up(self, connection: sa.Connection, closed: Sequence[Row]) -> None:
        sums: dict[tuple[int, str, str, str], Row] = {}
        for visit in closed:
            mood = mood_of(visit)
            part: Row = {name: visit[name] for name in (*tables.PROBABILITIES, "p_female")}
            part |= {"visits": 1, "mood": mood, "mood_squared": mood**2}
            part["dwell_us"] = visit["last_seen"] - visit["first_seen"]
            key = (minute_of(visit["first_seen"]), visit["camera_id"], visit["expression"], visit["gender"])
            total = sums.setdefault(key, dict.fromkeys(part, 0))
            for name, value in part.items():
                total[name] += value
        keys = ("minute", "camera_id", "expression", "gender")
        rows = [dict(zip(keys, key, strict=True)) | total for key, total in sums.items()]
        _execute(connection, self._statements.visit_minutes, rows)

    def _add_minutes(self, connection: sa.Connection, minutes: Iterable[CameraMinute]) -> None:
        counts: defaultdict[tuple[int, str], Row] = defaultdict(lambda: dict.fromkeys(tables.COUNTS, 0))
        drops: defaultdict[tuple[int, str, str], int] = defaultdict(int)
        for each in minutes:
            total = counts[each.minute, each.camera_id]
            for name in tables.COUNTS:
                total[name] += sum(each.dropped.values()) if name == "dropped" else getattr(each, name)
            for reason, frames in each.dropped.items():
                drops[each.minute, each.camera_id, reason] += frames
        rows = [{"minute": m, "camera_id": c, **total} for (m, c), total in counts.items()]
        _execute(connection, self._statements.camera_minutes, rows)
        dropped = [
            {"minute": m, "camera_id": c, "reason": reason, "frames": frames}
            for (m, c, reason), frames in drops.items()
        ]
        _execute(connection, self._statements.camera_drops, dropped)


class _Statements:
    """What a writer says to the database, built once: building takes longer than a small write."""

    def __init__(self, dialect: ModuleType) -> None:
        self._insert = dialect.insert
        self.observations = self._insert(tables.observations).on_conflict_do_nothing()
        self.camera_states = self._upsert(tables.camera_states, _new)
        self.offsets = self._upsert(tables.offsets, _new)
        self.camera_minutes = self._upsert(tables.camera_minutes, _sum)
        self.camera_drops = self._upsert(tables.camera_drops, _sum)
        self.visit_minutes = self._upsert(tables.visit_minutes, _sum)
        self.visits = self._upsert(tables.visits, _new, _goes_on)
        self.closed_visits = self.visits.returning(tables.visits.c.visit_id)

    def _upsert(self, table: sa.Table, merge: Merge, where: Merge | None = None) -> Any:
        """Insert rows; of those that are there already, `merge` all but the key, `where` given."""
        insert = self._insert(table)
        return insert.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={c.name: merge(c, insert.excluded[c.name]) for c in table.c if not c.primary_key},
            where=where and where(table.c, insert.excluded),
        )


def _new(_stored: Any, new: Any) -> Any:
    return new


def _sum(stored: Any, new: Any) -> Any:
    return stored + new


def _goes_on(stored: Any, new: Any) -> Any:
    """Whether a visit is still open, and the row the newest of it."""
    return ~stored.closed & (new.frames >= stored.frames)


def _execute(connection: sa.Connection, statement: Any, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(statement, rows)


def _visit_row(visit: Visit) -> Row:
    estimate = visit.estimate
    return {
        "visit_id": visit.visit_id,
        "camera_id": visit.camera_id,
        "first_seen": visit.first_seen,
        "last_seen": visit.last_seen,
        "frames": visit.frames,
        "face_size": visit.face_size,
        "quality": visit.quality,
        **_probabilities(estimate),
        "expression": estimate.expression,
        "gender": estimate.gender,
        "model": visit.model,
        "closed": visit.closed,
    }


def _observation_row(seen: Observation) -> Row:
    return {
        "visit_id": seen.visit_id,
        "observed_at": seen.observed_at,
        "camera_id": seen.camera_id,
        **_probabilities(seen.estimate),
    }


def _probabilities(estimate: Estimate) -> Row:
    if set(estimate.expressions) != set(tables.EXPRESSIONS):
        raise StorageError(
            f"expressions {sorted(estimate.expressions)}: the tables hold {sorted(tables.EXPRESSIONS)}; "
            "use a model that was trained on these"
        )
    return {f"p_{name}": p for name, p in estimate.expressions.items()} | {"p_female": estimate.female}
