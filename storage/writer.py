"""The write side: everything that a batch amounts to in one transaction."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
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
from storage.fence import Fence
from storage.mood import mood_of

Row = dict[str, Any]

OUTAGES: tuple[type[Exception], ...] = (sa.exc.OperationalError, sa.exc.InterfaceError)
"""What a writer raises while the database is away, locked or full: the same call may succeed later."""


class Writer:
    """Stores results, coverage and camera states; any number of threads may share it.

    One transaction runs at a time. A write either succeeds whole or leaves nothing behind; where it is open
    which of the two (the connection broke during the commit), the same call finds out and does not store twice.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._lock = threading.Lock()
        self._fence = Fence(self._insert)
        self._counts = f"counts/{uuid.uuid4().hex}"

    def write(self, results: Results, positions: Positions) -> None:
        """Store results and positions, all or nothing; visits that were closed stay as they are.

        Each position must be where this writer last read or wrote it, or be missing; to write one again
        that has not moved finds out whether it still is. Results with counts need a position that moves.

        Raises:
            StorageError: an estimate has other expressions than the tables.
            Fenced: another writer moved one of the positions.
            OUTAGES: the database cannot be written for now; call again with the same arguments.
        """
        with self._lock:
            self._write(results, positions)

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        """The stored positions of those partitions that have one; from them on this writer may write.

        Raises OUTAGES while the database cannot be read.
        """
        with self._lock, self._engine.connect() as connection:
            return self._fence.read(connection, partitions)

    def report(self, health: CameraHealth) -> None:
        """Store the state of one camera.

        Raises OUTAGES while the database cannot be written.
        """
        row = {name: getattr(health, name) for name in tables.camera_states.columns.keys()}  # noqa: SIM118
        row |= {"state": health.state.value, "reason": health.reason[: tables.REASON_LENGTH]}
        with self._lock, self._engine.begin() as connection:
            self._replace(connection, tables.camera_states, [row])

    def count(self, minute: CameraMinute) -> None:
        """Add one increment of coverage.

        Raises OUTAGES while the database cannot be written; the next increment of this camera must then be
        the same one.
        """
        # A lane of its own makes an increment that was stored already as easy to tell as a batch.
        lane = Partition(f"{self._counts}/{minute.camera_id}", 0)
        with self._lock:
            self._write(Results(minutes=(minute,)), {lane: self._fence.known(lane) + 1})

    def close_abandoned(self, before_us: int) -> int:
        """Close the visits that a process which died left open before `before_us`; how many."""
        visits = tables.visits
        abandoned = sa.select(visits).where(~visits.c.closed, visits.c.last_seen < before_us)
        with self._lock, self._engine.begin() as connection:
            rows = [{**row, "closed": True} for row in connection.execute(abandoned).mappings()]
            self._store_visits(connection, rows)
        return len(rows)

    def _write(self, results: Results, positions: Positions) -> None:
        visits = [_visit_row(visit) for visit in results.visits]
        observations = [_observation_row(seen) for seen in results.observations]
        with self._engine.begin() as connection:
            # First of all, so that of two writers of one partition the later waits here and nowhere else.
            if self._fence.move(connection, positions):
                self._store_visits(connection, visits)
                self._keep(connection, tables.observations, observations)
                self._add_minutes(connection, results.minutes)
                self._fence.committing(positions)
        self._fence.confirm(positions)

    def _store_visits(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Upsert visits, and roll up those that this very statement closes, hence each once."""
        insert = self._insert(tables.visits)
        stored = tables.visits.c
        upsert = insert.on_conflict_do_update(
            index_elements=[stored.visit_id, stored.first_seen],
            set_={c.name: insert.excluded[c.name] for c in stored if not c.primary_key},
            where=(insert.excluded.frames >= stored.frames) & ~stored.closed,
        )
        open_ones = [row for row in rows if not row["closed"]]
        if open_ones:
            connection.execute(upsert, open_ones)
        closing = {row["visit_id"]: row for row in rows if row["closed"]}
        if closing:
            closed = connection.scalars(upsert.returning(stored.visit_id), list(closing.values()))
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
        self._add(connection, tables.visit_minutes, rows)

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
        self._add(connection, tables.camera_minutes, rows)
        dropped = [
            {"minute": m, "camera_id": c, "reason": reason, "frames": frames}
            for (m, c, reason), frames in drops.items()
        ]
        self._add(connection, tables.camera_drops, dropped)

    def _keep(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        """Insert what is not there yet."""
        if rows:
            connection.execute(self._insert(table).on_conflict_do_nothing(), rows)

    def _replace(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        self._upsert(connection, table, rows, lambda column, new: new)

    def _add(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        self._upsert(connection, table, rows, lambda column, new: column + new)

    def _upsert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], merge: Any) -> None:
        if not rows:
            return
        insert = self._insert(table)
        statement = insert.on_conflict_do_update(
            index_elements=[column for column in table.c if column.primary_key],
            set_={c.name: merge(c, insert.excluded[c.name]) for c in table.c if not c.primary_key},
        )
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
