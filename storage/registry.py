"""The camera registry: cameras that operators add, change, pause and remove at run time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from bus.messages import check_camera_id
from common.clock import wall_clock_us
from storage import tables
from storage.errors import DataRefused, StorageError

# Up to the last @, since a password may contain @, / or #. The values of some options are secret as well.
_LITERAL_PASSWORD = re.compile(
    r"://[^\s/:]*:(?!\$\{\w+\}@)[^\s?]*@"
    r"|[?&;](?:[\w.-]*(?:password|passwd|passphrase|pwd|secret|token)|pass|pw|auth|(?:api[_-]?)?key)"
    r"=(?!\$\{\w+\}(?:[&;]|$))[^&;\s]",
    re.IGNORECASE,
)
_TEXTS = ("name", "site", "zone", "source", "pause_reason")
_SET_BY_OPERATORS = ("enabled", "pause_reason")


@dataclass(frozen=True, slots=True)
class CameraRow:
    """One registered camera.

    `source` contains passwords as `${NAME}`; `fps` None is the default; `partition` is the bus partition of
    all its frames, None if none is assigned.
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
                f"camera {self.id}: source contains a password; write ${{NAME}} in its place and set the "
                "environment variable NAME"
            )
        if self.fps is not None and not 0 < self.fps <= 120:
            raise StorageError(f"camera {self.id}: fps {self.fps}: expected more than 0, at most 120")
        if self.partition is not None and self.partition < 0:
            raise StorageError(f"camera {self.id}: partition {self.partition}: expected at least 0")
        for field in _TEXTS:
            length, most = len(getattr(self, field)), _character_limit(field)
            if length > most:
                raise StorageError(f"camera {self.id}: {field} has {length} characters, the limit is {most}")


class CameraRegistry:
    """The registered cameras of one database. The results of a removed camera are kept."""

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

        Raises StorageError where no camera has this id.
        """
        for camera in self.cameras():
            if camera.id == camera_id:
                return camera
        raise StorageError(f"camera {camera_id!r} is not registered; `mien cameras list` shows all")

    def add(self, camera: CameraRow, partitions: int | None = None) -> None:
        """Register a camera; with the number of bus `partitions` given, assign one.

        Raises StorageError where the id is taken.
        """
        now = wall_clock_us()
        row = asdict(camera) | {"created_at": now, "changed_at": now}
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(tables.cameras), [row])
                if partitions:
                    _assign(connection, partitions)
        except DataRefused as error:
            if all(each.id != camera.id for each in self.cameras()):
                raise
            raise StorageError(
                f"camera {camera.id!r} exists already; remove it first or choose another id"
            ) from error

    def sync(self, cameras: Iterable[CameraRow]) -> None:
        """Register or update the given cameras, without a change to pauses of operators and to partitions."""
        known = {camera.id for camera in self.cameras()}
        for camera in cameras:
            if camera.id not in known:
                self.add(camera)
                continue
            kept = _SET_BY_OPERATORS if camera.partition is not None else (*_SET_BY_OPERATORS, "partition")
            self._update(camera.id, {k: v for k, v in asdict(camera).items() if k not in kept})

    def assign_partitions(self, count: int) -> dict[str, int]:
        """Assign each camera without a partition below `count` the one with the fewest cameras.

        Other cameras keep theirs. Any number of processes may call this at the same time. Returns the
        partitions of all cameras, by id.
        """
        if count < 1:
            raise StorageError(f"partitions {count}: expected at least 1")
        with self._engine.begin() as connection:
            return _assign(connection, count)

    def pause(self, camera_id: str, reason: str) -> None:
        """Pause a camera for a reason.

        Raises StorageError where no camera has this id or the reason is too long.
        """
        camera = replace(self.get(camera_id), enabled=False, pause_reason=reason)
        self._update(camera_id, {name: getattr(camera, name) for name in _SET_BY_OPERATORS})

    def resume(self, camera_id: str) -> None:
        """Resume a camera. Raises StorageError where no camera has this id."""
        self.get(camera_id)
        self._update(camera_id, {"enabled": True, "pause_reason": ""})

    def remove(self, camera_id: str) -> None:
        """Remove a camera's registration. Raises StorageError where no camera has this id."""
        self.get(camera_id)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(tables.cameras).where(tables.cameras.c.id == camera_id))
            connection.execute(
                sa.delete(tables.camera_states).where(tables.camera_states.c.camera_id == camera_id)
            )

    def _update(self, camera_id: str, values: dict[str, Any]) -> None:
        change = sa.update(tables.cameras).where(tables.cameras.c.id == camera_id)
        with self._engine.begin() as connection:
            connection.execute(change.values(**values, changed_at=wall_clock_us()))


def _assign(connection: sa.Connection, count: int) -> dict[str, int]:
    cameras = tables.cameras
    if connection.dialect.name == "postgresql":
        # Without the lock two processes would assign the same least used partition.
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


def _character_limit(column: str) -> int:
    kind = tables.cameras.c[column].type
    assert isinstance(kind, sa.String)
    assert kind.length
    return kind.length
