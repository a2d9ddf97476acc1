"""The camera registry: cameras that operators add, change, pause and remove at run time.

Every change of a person takes an `Actor`, who must be an operator, and is in the audit log.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from bus.messages import check_camera_id
from common.access import Actor
from common.clock import wall_clock_us
from common.file_names import printable_name
from common.masks import Masks, covered_share, format_masks, parse_masks
from common.redaction import redact_source
from common.source_identity import identify
from common.source_parts import explain_literal_secret, find_literal_secret
from storage import audit, tables
from storage.camera_identities import assign_id, claim_identity, read_identity
from storage.errors import DataRefused, StorageError
from storage.open_hours import parse_open_hours
from storage.partition_assignment import assign_missing
from storage.pauses import begin_pause, end_pause

_TEXTS = ("name", "site", "zone", "source", "pause_reason", "open_hours", "purpose")
_EDITABLE = frozenset({"name", "site", "zone", "source", "fps", "thorough", "purpose", "notice_at"})
POLICIES = frozenset({"purpose", "notice_at", "open_hours", "masks", "read_expression", "read_gender"})
"""What `sync` changes only where it is given: a file without masks does not remove those of operators."""
_KEPT = frozenset({"id", "enabled", "pause_reason", *POLICIES})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CameraRow:
    """One registered camera.

    `source` contains passwords as `${NAME}`; `fps` None is the default; `partition` is the bus partition of
    all its frames, None if none is assigned. `thorough`: small faces are searched in large pictures.
    `open_hours`: see `storage.open_hours`. `purpose` is what the camera is for, `notice_at` the date since
    which visitors are informed (YYYY-MM-DD), empty where unknown. `masks` are never captured.
    `read_expression` and `read_gender`: whether these are estimated.
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
    thorough: bool = False
    open_hours: str = ""
    purpose: str = ""
    notice_at: str = ""
    masks: Masks = ()
    read_expression: bool = True
    read_gender: bool = True

    def __post_init__(self) -> None:
        try:
            check_camera_id(self.id)
        except ValueError as error:
            raise StorageError(str(error)) from error
        if self.fps is not None and not 0 < self.fps <= 120:
            raise StorageError(f"camera {self.id}: fps {self.fps}: expected more than 0, at most 120")
        if self.partition is not None and self.partition < 0:
            raise StorageError(f"camera {self.id}: partition {self.partition}: expected at least 0")
        for field in _TEXTS:
            if not _is_storable(text := getattr(self, field)):
                raise StorageError(
                    f"camera {self.id}: {field} {printable_name(text)!r}: expected UTF-8 text without NUL"
                )
            length, most = len(getattr(self, field)), _character_limit(field)
            if length > most:
                raise StorageError(f"camera {self.id}: {field} has {length} characters, the limit is {most}")
        parse_open_hours(self.open_hours)
        if self.notice_at and not _is_date(self.notice_at):
            raise StorageError(f"camera {self.id}: notice_at {self.notice_at!r}: expected YYYY-MM-DD")


def _is_storable(text: str) -> bool:
    """Whether both databases can store the text; an argument of a command may be no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


class CameraRegistry:
    """The registered cameras of one database. The results of a removed camera are kept.

    An id belongs to one source, also after the camera was removed, so that the visits of two cameras are
    never counted as those of one. No secret that is written out in a source is stored; rows that an older
    version stored with one remain.

    Args:
        engine: the database.
        parameters: parameters of sources, in lower case, whose values are no secrets.
    """

    def __init__(self, engine: sa.Engine, parameters: Collection[str] = ()) -> None:
        self._engine = engine
        self._parameters = parameters

    def cameras(self) -> list[CameraRow]:
        """All cameras, by id."""
        names = [tables.cameras.c[name] for name in CameraRow.__dataclass_fields__]
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(*names).order_by(tables.cameras.c.id)).mappings().all()
        return [CameraRow(**{**row, "masks": parse_masks(row["masks"])}) for row in rows]

    def get(self, camera_id: str) -> CameraRow:
        """One camera.

        Raises StorageError where no camera has this id.
        """
        for camera in self.cameras():
            if camera.id == camera_id:
                return camera
        raise _not_registered(camera_id)

    def add(
        self,
        actor: Actor,
        camera: CameraRow,
        partitions: int | None = None,
        *,
        continue_history: bool = False,
    ) -> None:
        """Register a camera; with the number of bus `partitions` given, assign one.

        With `continue_history` the id may have belonged to another source before.

        Raises AccessDenied for analysts, and StorageError where the id is taken, belongs to another source,
        or the source contains a secret.
        """
        actor.require_operator("add cameras")
        self._check_source(camera)
        now = wall_clock_us()
        row = _row(camera) | {"created_at": now, "changed_at": now}
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(tables.cameras), [row])
                if not camera.enabled:
                    begin_pause(connection, camera.id, now)
                # A process may have reported a camera of this id for seconds after it was removed.
                _forget_state(connection, camera.id)
                if partitions:
                    assign_missing(connection, partitions)
                claim_identity(connection, camera.id, camera.source, continue_history)
                audit.record(connection, actor, "camera.add", camera.id, _describe(camera))
        except DataRefused as error:
            if all(each.id != camera.id for each in self.cameras()):
                raise
            raise StorageError(
                f"camera {camera.id!r} exists already; remove it first or choose another id"
            ) from error

    def sync(
        self,
        actor: Actor,
        cameras: Iterable[CameraRow],
        policies: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        """Register or update the given cameras, without a change to pauses of operators and to partitions.

        `policies` are the fields in `POLICIES` that are given, by camera; all others are kept. A camera whose
        source changed keeps its id and its history; this is logged. Raises AccessDenied for analysts, and
        StorageError where a source contains a secret.
        """
        cameras = [replace(camera, **policies.get(camera.id, {})) for camera in cameras]
        for camera in cameras:
            self._check_source(camera)
        known = {camera.id: camera for camera in self.cameras()}
        for camera in cameras:
            before = known.get(camera.id) or self._add_unless_there(actor, camera)
            if before is None:
                continue
            self._warn_if_changed(camera, before.source)
            kept = _KEPT - policies.get(camera.id, {}).keys()
            if camera.partition is None:
                kept |= {"partition"}
            given = {name: value for name, value in _fields(camera).items() if name not in kept}
            self._change(actor, "camera.sync", before, given, continue_history=True)

    def _add_unless_there(self, actor: Actor, camera: CameraRow) -> CameraRow | None:
        """Register a camera; its row where another process with the same file has just done so."""
        self._warn_if_changed(camera, None)
        try:
            self.add(actor, camera, continue_history=True)
        except StorageError:
            found = {each.id: each for each in self.cameras()}.get(camera.id)
            if found is None:
                raise
            return found
        return None

    def assign_id(self, source: str, stem: str, used: Collection[str] = ()) -> str:
        """The id of a camera that is named by its source alone; it will never belong to another source.

        It is the id that the source has, registered or not, otherwise the first of `stem`, `stem-2`, ... that
        no source ever had. Ids in `used` are passed over.
        """
        with self._engine.begin() as connection:
            return assign_id(connection, source, stem, used)

    def assign_partitions(self, count: int) -> dict[str, int]:
        """Assign each camera without a partition below `count` the one with the fewest cameras.

        Other cameras keep theirs. Any number of processes may call this at the same time. Returns the
        partitions of all cameras, by id.
        """
        if count < 1:
            raise StorageError(f"partitions {count}: expected at least 1")
        with self._engine.begin() as connection:
            return assign_missing(connection, count)

    def details(self, actor: Actor, camera_id: str) -> CameraRow:
        """One camera with its source, for operators.

        Raises AccessDenied for analysts, and StorageError where no camera has this id.
        """
        actor.require_operator("read the sources of cameras")
        return self.get(camera_id)

    def edit(
        self, actor: Actor, camera_id: str, changes: Mapping[str, Any], *, continue_history: bool = False
    ) -> None:
        """Change name, site, zone, source, fps, thorough, purpose or notice_at; others stay as they are.

        With `continue_history` the source may be another one, whose visits continue under this id.

        Raises AccessDenied for analysts, and StorageError where no camera has this id or a value is wrong.
        """
        actor.require_operator("edit cameras")
        if other := changes.keys() - _EDITABLE:
            raise StorageError(f"camera {camera_id}: {min(other)} cannot be edited")
        self._change(actor, "camera.edit", camera_id, changes, continue_history=continue_history)

    def set_schedule(self, actor: Actor, camera_id: str, open_hours: str) -> None:
        """Set the hours in which a camera is captured, empty for always (`storage.open_hours`).

        Raises AccessDenied for analysts, and StorageError where no camera has this id or the text is wrong.
        """
        actor.require_operator("change schedules of cameras")
        self._change(actor, "camera.schedule", camera_id, {"open_hours": open_hours.strip()})

    def set_masks(self, actor: Actor, camera_id: str, masks: Masks) -> None:
        """Set the regions that are never captured, in place of the former ones.

        Raises AccessDenied for analysts, and StorageError where no camera has this id.
        """
        actor.require_operator("change masks of cameras")
        self._change(actor, "camera.masks", camera_id, {"masks": masks})

    def set_switches(self, actor: Actor, camera_id: str, *, expression: bool, gender: bool) -> None:
        """Set what is estimated of the visitors of a camera.

        Raises AccessDenied for analysts, and StorageError where no camera has this id.
        """
        actor.require_operator("change what cameras estimate")
        values = {"read_expression": expression, "read_gender": gender}
        self._change(actor, "camera.switches", camera_id, values)

    def pause(self, actor: Actor, camera_id: str, reason: str) -> None:
        """Pause a camera for a reason.

        Raises AccessDenied for analysts, and StorageError where no camera has this id or the reason is too
        long.
        """
        actor.require_operator("pause cameras")
        self._change(actor, "camera.pause", camera_id, {"enabled": False, "pause_reason": reason})

    def resume(self, actor: Actor, camera_id: str) -> None:
        """Resume a camera. Raises AccessDenied for analysts, StorageError where no camera has this id."""
        actor.require_operator("resume cameras")
        self._change(actor, "camera.resume", camera_id, {"enabled": True, "pause_reason": ""})

    def remove(self, actor: Actor, camera_id: str) -> None:
        """Remove a camera's registration; its visits stay.

        Raises AccessDenied for analysts, StorageError where no camera has this id.
        """
        actor.require_operator("remove cameras")
        camera = self.get(camera_id)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(tables.cameras).where(tables.cameras.c.id == camera_id))
            end_pause(connection, camera_id, wall_clock_us())
            _forget_state(connection, camera_id)
            audit.record(connection, actor, "camera.remove", camera_id, _describe(camera))

    def _change(
        self,
        actor: Actor,
        action: str,
        camera: str | CameraRow,
        changes: Mapping[str, Any],
        *,
        continue_history: bool = False,
    ) -> None:
        """Change fields of a camera, given by its id or its present row, and record what was changed.

        Nothing happens where all are equal.
        """
        actor.require_operator("change cameras")
        before = self.get(camera) if isinstance(camera, str) else camera
        camera_id = before.id
        after = replace(before, **changes)
        if "source" in changes:
            self._check_source(after)
        old, new = _fields(before), _fields(after)
        changed = {name: value for name, value in _row(after).items() if old[name] != new[name]}
        if not changed:
            return
        now = wall_clock_us()
        if "enabled" in changed:
            changed["changed_at"] = now
        with self._engine.begin() as connection:
            change = sa.update(tables.cameras).where(tables.cameras.c.id == camera_id)
            if not connection.execute(change.values(**changed)).rowcount:
                raise _not_registered(camera_id)  # Another process has just removed it.
            if "enabled" in changed:
                (end_pause if after.enabled else begin_pause)(connection, camera_id, now)
            if "source" in changed:
                claim_identity(connection, camera_id, after.source, continue_history)
            shown_before, shown_after = _describe(before), _describe(after)
            details = {
                name: f"{shown_before[name]} -> {shown_after[name]}" for name in new if name in changed
            }
            audit.record(connection, actor, action, camera_id, details)

    def _check_source(self, camera: CameraRow) -> None:
        if literal := find_literal_secret(camera.source, self._parameters):
            raise StorageError(f"camera {camera.id}: {explain_literal_secret(literal)}")

    def _warn_if_changed(self, camera: CameraRow, before: str | None) -> None:
        with self._engine.connect() as connection:
            belongs_to = read_identity(connection, camera.id)
        if belongs_to in (None, identify(camera.source)):
            return
        _log.warning(
            "camera %s: its source changed from %s to %s; its visits continue under the same id. If this is "
            "another camera, give it another id",
            camera.id,
            "one that is not registered any more" if before is None else redact_source(before),
            redact_source(camera.source),
        )


def _forget_state(connection: sa.Connection, camera_id: str) -> None:
    connection.execute(sa.delete(tables.camera_states).where(tables.camera_states.c.camera_id == camera_id))


def _not_registered(camera_id: str) -> StorageError:
    return StorageError(f"camera {camera_id!r} is not registered; `mien cameras list` shows all")


def _fields(camera: CameraRow) -> dict[str, Any]:
    return {name: getattr(camera, name) for name in CameraRow.__dataclass_fields__}


def _row(camera: CameraRow) -> dict[str, Any]:
    return asdict(camera) | {"masks": format_masks(camera.masks)}


def _describe(camera: CameraRow) -> dict[str, object]:
    """What the audit log says about a camera."""
    count, share = len(camera.masks), covered_share(camera.masks)
    masks = f"{count} of {share:.0%} of the picture, {format_masks(camera.masks)}" if count else "none"
    return _fields(camera) | {"source": redact_source(camera.source), "masks": masks}


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _character_limit(column: str) -> int:
    kind = tables.cameras.c[column].type
    assert isinstance(kind, sa.String)
    assert kind.length
    return kind.length
