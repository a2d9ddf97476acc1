"""The write side: results, coverage and positions of a batch in one transaction."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from bus.messages import (
    OFF,
    CameraHealth,
    CameraMinute,
    Estimate,
    LastFrame,
    Observation,
    Partition,
    Positions,
    Results,
    Visit,
    minute_of,
)
from bus.sinks import Store
from common.clock import wall_clock_us
from storage import tables
from storage.errors import Fenced, StorageError
from storage.fence import Fence
from storage.frame_fence import FrameFence
from storage.mood import mood_of
from storage.rollups import late_hours
from storage.visit_classes import classify

Row = dict[str, Any]
Merge = Callable[[Any, Any], Any]


class Writer(Store):
    """Stores results, coverage and camera states; thread-safe.

    One transaction runs at a time, and each write is atomic. If a connection breaks during a commit, the
    outcome is unknown until the same call is repeated.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._statements = _Statements(dialect)
        self._fence = Fence(dialect)
        self._frame_fence = FrameFence(dialect)
        self._committing: dict[Partition, Results] = {}
        self._counts_topic = f"counts/{uuid.uuid4().hex}"
        self._unconfirmed: defaultdict[Partition, list[CameraMinute]] = defaultdict(list)
        self._lock = threading.Lock()

    @override
    def write(self, results: Results, positions: Positions) -> None:
        """Store results and positions, all or nothing; visits that were closed stay unchanged.

        Each stored position must equal the one that this writer last read or wrote, or be missing. Writing an
        unchanged position checks this. Results with counts need a position that moves.

        Raises:
            StorageError: an estimate has other expressions than the tables.
            Fenced: another writer moved one of the positions, or stored later frames of one of the cameras.
            DatabaseUnavailable: the database cannot store at present; call again with the same arguments.
            DataRefused: the database refuses a value.
        """
        with self._lock:
            self._write(results, positions)

    @override
    def positions(self, partitions: Iterable[Partition]) -> Positions:
        """The stored positions of those partitions that have one; this writer may write from them on.

        Raises DatabaseUnavailable while the database cannot be read.
        """
        with self._lock, self._engine.connect() as connection:
            return self._fence.read(connection, partitions)

    @override
    def last_frames(self, camera_id: str) -> tuple[LastFrame, ...]:
        """The last stored frame of the latest epochs of a camera.

        Raises DatabaseUnavailable while the database cannot be read.
        """
        with self._lock, self._engine.connect() as connection:
            return self._frame_fence.read(connection, camera_id)

    @override
    def report(self, health: CameraHealth) -> None:
        """Store the state of one camera.

        Raises DatabaseUnavailable while the database cannot be written.
        """
        row = {name: getattr(health, name) for name in tables.camera_states.columns.keys()}  # noqa: SIM118
        row |= {"state": health.state.value, "reason": health.reason[: tables.REASON_LENGTH]}
        with self._lock, self._engine.begin() as connection:
            connection.execute(self._statements.camera_states, row)

    @override
    def count(self, minute: CameraMinute) -> None:
        """Add one increment of coverage.

        Raises DatabaseUnavailable while the database cannot be written; call again with these counts then, or
        with these and newer ones of the same minute.
        """
        # With a partition of its own, an increment of unknown outcome is found in the same way as a batch.
        partition = Partition(f"{self._counts_topic}/{minute.camera_id}", 0)
        with self._lock:
            # Increments that an earlier call stored although it raised: the new one includes them.
            unconfirmed = self._unconfirmed[partition]
            while True:
                same = [each for each in unconfirmed if each.minute == minute.minute]
                rest = Results(minutes=(minute, *map(_negative, same)))
                stored = self._write(rest, {partition: self._fence.last_known(partition) + 1})
                if stored is rest:
                    break
                unconfirmed.extend(stored.minutes)
            unconfirmed[:] = [each for each in unconfirmed if each.minute != minute.minute]

    def close_abandoned(self, before_us: int) -> int:
        """Close open visits last seen before `before_us`, whose worker has ended; the number of them."""
        visits = tables.visits
        abandoned = sa.select(visits).where(~visits.c.closed, visits.c.last_seen < before_us)
        with self._lock, self._engine.begin() as connection:
            rows = [{**row, "closed": True} for row in connection.execute(abandoned).mappings()]
            self._note_late(connection, self._store_visits(connection, rows))
        return len(rows)

    def _write(self, results: Results, positions: Positions) -> Results:
        """Store results unless an earlier attempt of unknown outcome did; the results that are stored."""
        visits = [_visit_row(visit) for visit in results.visits]
        observations = [_observation_row(seen) for seen in results.observations]
        with self._engine.begin() as connection:
            # First of all, so that of two writers of one partition the later one waits here.
            if self._fence.move(connection, positions):
                self._store_frames(connection, results.last_frames, positions)
                closed = self._store_visits(connection, visits)
                _execute(connection, self._statements.observations, observations)
                self._add_minutes(connection, results.minutes)
                self._note_late(connection, [*closed, *(each.minute for each in results.minutes)])
                self._fence.note_committing(positions)
                self._committing.update(dict.fromkeys(positions, results))
        self._fence.note_committed(positions)
        self._frame_fence.note_stored(results.last_frames)
        stored = [self._committing.pop(partition, results) for partition in positions]
        return stored[0] if stored else results

    def _store_frames(
        self, connection: sa.Connection, frames: Sequence[LastFrame], positions: Positions
    ) -> None:
        try:
            self._frame_fence.store(connection, frames)
        except Fenced:
            self._fence.refuse(positions)
            raise

    def _store_visits(self, connection: sa.Connection, rows: Sequence[Row]) -> list[int]:
        """Upsert visits, and add those that this statement closes to the rollup: each exactly once.

        Returns the start of each visit that it closes, in UTC microseconds.
        """
        _execute(connection, self._statements.visits, [row for row in rows if not row["closed"]])
        closing = {row["visit_id"]: row for row in rows if row["closed"]}
        if not closing:
            return []
        closed = connection.scalars(self._statements.closed_visits, list(closing.values()))
        rows = [closing[visit_id] for visit_id in closed]
        self._roll_up(connection, rows)
        return [row["first_seen"] for row in rows]

    def _roll_up(self, connection: sa.Connection, closed: Sequence[Row]) -> None:
        sums: dict[tuple[int, str, str, str], Row] = {}
        for visit in closed:
            # Of a visit without an estimate nothing is added.
            mood = 0.0 if visit["p_happiness"] is None else mood_of(visit)
            part: Row = {name: visit[name] or 0.0 for name in (*tables.PROBABILITIES, "p_female")}
            part |= {"visits": 1, "mood": mood, "mood_squared": mood**2}
            part["dwell_us"] = visit["last_seen"] - visit["first_seen"]
            key = (minute_of(visit["first_seen"]), visit["camera_id"], visit["expression"], visit["gender"])
            total = sums.setdefault(key, dict.fromkeys(part, 0))
            for name, value in part.items():
                total[name] += value
        keys = ("minute", "camera_id", "expression", "gender")
        rows = [dict(zip(keys, key, strict=True)) | total for key, total in sums.items()]
        _execute(connection, self._statements.visit_minutes, rows)
        _execute(connection, self._statements.visit_classes, classify(closed))

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

    def _note_late(self, connection: sa.Connection, times: Iterable[int]) -> None:
        """Note the hours that `storage.rollups` has to roll up again.

        Once in a transaction and at its end: a note stays locked until the commit, and all writers lock notes
        in the same order.
        """
        late = [{"hour": hour} for hour in sorted(late_hours(times, wall_clock_us()))]
        _execute(connection, self._statements.rollup_changes, late)


class _Statements:
    """The statements of a writer, built once, since building takes longer than a small write."""

    def __init__(self, dialect: ModuleType) -> None:
        self._insert = dialect.insert
        self.observations = self._insert(tables.observations).on_conflict_do_nothing()
        self.rollup_changes = self._note()
        self.camera_states = self._upsert(tables.camera_states, _new)
        self.camera_minutes = self._upsert(tables.camera_minutes, _sum)
        self.camera_drops = self._upsert(tables.camera_drops, _sum)
        self.visit_minutes = self._upsert(tables.visit_minutes, _sum)
        self.visit_classes = self._upsert(tables.visit_classes, _sum)
        self.visits = self._upsert(tables.visits, _new, _is_newer)
        self.closed_visits = self.visits.returning(tables.visits.c.visit_id)

    def _note(self) -> Any:
        """Insert hours; one that is there is locked, so that no roll-up deletes it before the commit."""
        insert = self._insert(tables.rollup_changes)
        return insert.on_conflict_do_update(index_elements=["hour"], set_={"hour": insert.excluded.hour})

    def _upsert(self, table: sa.Table, merge: Merge, where: Merge | None = None) -> Any:
        """Insert rows; `merge` all columns but the key of existing ones, if `where` holds."""
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


def _is_newer(stored: Any, new: Any) -> Any:
    """Whether the stored visit is open and has no more frames than the new row."""
    return ~stored.closed & (new.frames >= stored.frames)


def _negative(minute: CameraMinute) -> CameraMinute:
    counts = {name: -getattr(minute, name) for name in tables.COUNTS if name != "dropped"}
    dropped = {reason: -frames for reason, frames in minute.dropped.items()}
    return replace(minute, dropped=dropped, **counts)


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
    if estimate.expression == OFF:
        return dict.fromkeys(tables.PROBABILITIES) | {"p_female": estimate.female}
    if set(estimate.expressions) != set(tables.EXPRESSIONS):
        raise StorageError(
            f"expressions {sorted(estimate.expressions)}: the tables have {sorted(tables.EXPRESSIONS)}; "
            "use a model that was trained on these"
        )
    return {f"p_{name}": p for name, p in estimate.expressions.items()} | {"p_female": estimate.female}
