"""The camera registry: what operators add, change, pause and remove while everything runs."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from bus.messages import check_camera_id
from storage import tables
from storage.errors import StorageError

# Up to the last @: a password may itself hold @, / or #. What follows an option's name is secret, too.
_LITERAL_PASSWORD = re.compile(
    r"://[^\s/:]*:(?!\$\{\w+\}@)[^\s?]*@"
    r"|[?&;](?:[\w.-]*(?:password|passwd|passphrase|pwd|secret|token)|pass|pw|auth|(?:api[_-]?)?key)"
    r"=(?!\$\{\w+\}(?:[&;]|$))[^&;\s]",
    re.IGNORECASE,
)
_TEXTS = ("name", "site", "zone", "source", "pause_reason")
_OPERATORS = ("enabled", "pause_reason")


@dataclass(frozen=True, slots=True)
class CameraRow:
    """One registered camera.

    `source` refers to passwords as `${NAME}`; `fps` None means the default; `partition` is the one of the
    bus that all its frames take, None where none was assigned.
    """

    id: str
    source: str
    name: str = ""
    site: str = ""
    zone: str = ""
    fps: float | None = None
    enabled: bool = True
    pause_reason: str = ""
    partition: int | None = None

    def __post_init__(self) -> None:
        try:
            check_camera_id(self.id)
        except ValueError as error:
            raise StorageError(str(error)) from error
        if _LITERAL_PASSWORD.search(self.source):
            raise StorageError(
                f"camera {self.id}: source holds a password; write ${{NAME}} in its place and set the "
                "environment variable NAME"
            )
        if self.fps is not None and not 0 < self.fps <= 120:
            raise StorageError(f"camera {self.id}: fps {self.fps}: expected more than 0, at most 120")
        if self.partition is not None and self.partition < 0:
            raise StorageError(f"camera {self.id}: partition {self.partition}: expected at least 0")
        for field in _TEXTS:
            length, most = len(getattr(self, field)), _most_characters(field)
            if length > most:
                raise StorageError(
                    f"camera {self.id}: {field} has {length} characters, at most {most} are kept"
                )


class CameraRegistry:
    """The registered cameras of one database. Removing a camera keeps what it saw."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def cameras(self) -> list[CameraRow]:
        """All cameras, by id."""
        names = [tables.cameras.c[name] for name in CameraRow.__dataclass_fields__]
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(*names).order_by(tables.cameras.c.id)).mappings().all()
        return [CameraRow(**row) for row in rows]

    def get(self, camera_id: str) -> CameraRow:
        """One camera.

        Raises StorageError where there is none of that id.
        """
        for camera in self.cameras():
            if camera.id == camera_id:
                return camera
        raise StorageError(f"camera {camera_id!r} is not registered; `mien cameras list` shows all")

    def add(self, camera: CameraRow, partitions: int | None = None) -> None:
        """Register a camera; where the bus's number of `partitions` is known, assign it one.

        Raises StorageError where the id is taken.
        """
        now = _now_us()
        row = asdict(camera) | {"created_at": now, "changed_at": now}
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(tables.cameras), [row])
                if partitions:
                    _assign(connection, partitions)
        except sa.exc.IntegrityError as error:
            raise StorageError(
                f"camera {camera.id!r} exists already; remove it first or choose another id"
            ) from error

    def sync(self, cameras: Iterable[CameraRow]) -> None:
        """Register or update those given; a pause that an operator set stays, and so does a partition."""
        known = {camera.id for camera in self.cameras()}
        for camera in cameras:
            if camera.id not in known:
                self.add(camera)
                continue
            kept = _OPERATORS if camera.partition is not None else (*_OPERATORS, "partition")
            self._update(camera.id, {k: v for k, v in asdict(camera).items() if k not in kept})

    def assign_partitions(self, count: int) -> dict[str, int]:
        """Give each camera that has no partition under `count` the one with the fewest cameras.

        Every other camera keeps its own. Any number of processes may call this side by side. Returns the
        partitions of all cameras, by id.
        """
        if count < 1:
            raise StorageError(f"partitions {count}: expected at least 1")
        with self._engine.begin() as connection:
            return _assign(connection, count)

    def pause(self, camera_id: str, reason: str) -> None:
        """Stop watching a camera, saying why.

        Raises StorageError where there is none of that id or the reason is too long, as `resume` and
        `remove` do.
        """
        camera = replace(self.get(camera_id), enabled=False, pause_reason=reason)
        self._update(camera_id, {name: getattr(camera, name) for name in _OPERATORS})

    def resume(self, camera_id: str) -> None:
        """Watch a camera again."""
        self.get(camera_id)
        self._update(camera_id, {"enabled": True, "pause_reason": ""})

    def remove(self, camera_id: str) -> None:
        """Forget a camera's registration."""
        self.get(camera_id)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(tables.cameras).where(tables.cameras.c.id == camera_id))
            connection.execute(
                sa.delete(tables.camera_states).where(tables.camera_states.c.camera_id == camera_id)
            )

    def _update(self, camera_id: str, values: dict[str, Any]) -> None:
        change = sa.update(tables.cameras).where(tables.cameras.c.id == camera_id)
        with self._engine.begin() as connection:
            connection.execute(change.values(**values, changed_at=_now_us()))


def _assign(connection: sa.Connection, count: int) -> dict[str, int]:
    cameras = tables.cameras
    if connection.dialect.name == "postgresql":
        # Two that assign at once would see the same partition as the least used.
        connection.exec_driver_sql(f"LOCK TABLE {cameras.name} IN SHARE ROW EXCLUSIVE MODE")
    found = connection.execute(sa.select(cameras.c.id, cameras.c.partition).order_by(cameras.c.id))
    assigned = dict(found.all())
    used = Counter(dict.fromkeys(range(count), 0))
    used.update(number for number in assigned.values() if number in used)
    for camera, number in assigned.items():
        if number not in used:
            fewest = min(used, key=lambda each: (used[each], each))
            used[fewest] += 1
            assigned[camera] = fewest
            change = sa.update(cameras).where(cameras.c.id == camera)
            connection.execute(change.values(partition=fewest))
    return {camera: number for camera, number in assigned.items() if number is not None}


def _most_characters(column: str) -> int:
    kind = tables.cameras.c[column].type
    assert isinstance(kind, sa.String)
    assert kind.length
    return kind.length


def _now_us() -> int:
    return time.time_ns() // 1000
