"""What operators do with cameras from a page: changes of the registry, and tests by processes that capture.

Each function takes the actor; the storage functions behind them check the role and record the change.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from common.access import Actor
from common.masks import Masks
from dashboard import queries
from dashboard.internal_client import ProcessRefused, ProcessUnreachable, call
from mien.settings import Settings
from storage.camera_history import CameraHistory, read_history
from storage.errors import StorageError
from storage.figures.timeline import Timeline
from storage.registry import CameraRegistry, CameraRow

PROBE_S = 55.0
"""How long a test may take, with the start of its process."""
_CHECK_S = 15.0
_NOT_IN_AN_ID = re.compile(r"[^a-z0-9]+")
_LONGEST_STEM = 58
_JPEG = "data:image/jpeg;base64,"


class TestFailed(Exception):
    """A camera could not be tested, or delivers nothing; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a test, and whether it is good enough."""

    fine: bool
    text: str


@dataclass(frozen=True, slots=True)
class CameraTest:
    """The result of a test; `preview` is a data URL of a JPEG with blurred faces, None without one."""

    verdict: str
    findings: tuple[Finding, ...]
    preview: str | None = field(repr=False)
    width: int = 0
    height: int = 0

    @property
    def preview_bytes(self) -> bytes:
        """The JPEG of the preview; empty without one."""
        return decode_picture(self.preview) if self.preview else b""


@dataclass(frozen=True, slots=True)
class NewCamera:
    """What an operator entered for a new camera; its id follows from name and source."""

    name: str
    source: str
    site: str = ""
    zone: str = ""
    fps: float | None = None
    purpose: str = ""
    notice_at: str = ""
    read_expression: bool = True
    read_gender: bool = True


def change(settings: Settings, act: Callable[[CameraRegistry], None]) -> None:
    """Change the registry by `act`, which passes the actor on.

    Raises AccessDenied for analysts, StorageError where the change is refused or the database cannot be
    written.
    """
    _with_registry(settings, act)
    queries.forget_status()


def read_details(settings: Settings, actor: Actor, camera_id: str) -> CameraRow:
    """One camera with its source.

    Raises AccessDenied for analysts, StorageError where it was removed or the database is unavailable.
    """
    return CameraRegistry(queries.readable_database(settings)).details(actor, camera_id)


def read_camera_history(
    settings: Settings, actor: Actor, camera_id: str, timeline: Timeline
) -> CameraHistory:
    """The history of a camera. Raises AccessDenied and StorageError as `storage.camera_history` does."""
    return read_history(queries.readable_database(settings), actor, camera_id, timeline)


def add_camera(settings: Settings, actor: Actor, new: NewCamera) -> str:
    """Judge the source of a new camera and register it; returns its id.

    Raises AccessDenied for analysts, TestFailed where its source is refused or nothing can judge it, and
    StorageError where it is registered already or cannot be stored.
    """
    source = judge_source(settings, actor, new.source)
    camera_id = ""

    def add(registry: CameraRegistry) -> None:
        nonlocal camera_id
        camera_id = registry.assign_id(source, _stem(new.name))
        if any(each.id == camera_id for each in registry.cameras()):
            raise StorageError(f"this source is registered already, as the camera {camera_id}")
        row = CameraRow(
            camera_id,
            source,
            new.name.strip(),
            new.site.strip(),
            new.zone.strip(),
            new.fps,
            purpose=new.purpose.strip(),
            notice_at=new.notice_at,
            read_expression=new.read_expression,
            read_gender=new.read_gender,
        )
        registry.add(actor, row)

    change(settings, add)
    return camera_id


def judge_source(settings: Settings, actor: Actor, source: str) -> str:
    """The source as it is to be stored.

    Raises AccessDenied for analysts, TestFailed where it is refused or no process that captures answers.
    """
    actor.require_operator("add cameras")
    answer = _ask(settings, {"source": source, "check": True}, "", _CHECK_S)
    return str(answer["source"])


def check_camera(
    settings: Settings, actor: Actor, *, source: str = "", camera_id: str = "", masks: Masks | None = None
) -> CameraTest:
    """Test a source, or a registered camera with `masks` instead of its own ones. Stores nothing.

    Raises AccessDenied for analysts, and TestFailed with the reason where there is no result.
    """
    actor.require_operator("test cameras")
    wanted: dict[str, Any] = {"camera": camera_id} if camera_id else {"source": source}
    if masks is not None:
        wanted["masks"] = masks
    captured_by = ""
    if camera_id:
        status = queries.read_status(settings, actor)
        captured_by = next((each.captured_by for each in status.cameras if each.camera_id == camera_id), "")
    answer = _ask(settings, wanted, captured_by, PROBE_S)
    preview = answer.get("preview")
    return CameraTest(
        str(answer["verdict"]),
        tuple(Finding(bool(each["fine"]), str(each["text"])) for each in answer["lines"]),
        f"{_JPEG}{preview}" if preview else None,
        int(answer["width"]),
        int(answer["height"]),
    )


def _ask(settings: Settings, wanted: Mapping[str, Any], first: str, timeout_s: float) -> Mapping[str, Any]:
    """The answer of a process that captures, of the one named `first` if it answers."""
    processes = [each for each in queries.read_running_processes(settings) if each.captures]
    if not processes:
        raise TestFailed("No process captures at present: start `mien run` or `mien ingest`.")
    problem = ""
    for process in sorted(processes, key=lambda each: each.name != first):
        try:
            return call(process, "POST", "/probe", content=wanted, timeout_s=timeout_s)
        except ProcessRefused as error:
            raise TestFailed(str(error)) from error
        except ProcessUnreachable as error:
            problem = str(error)
    raise TestFailed(problem)


def _with_registry(settings: Settings, act: Callable[[CameraRegistry], None]) -> None:
    database = queries.writable_database(settings)
    try:
        act(CameraRegistry(database, settings.source_parameters))
    finally:
        database.dispose()


def _stem(name: str) -> str:
    """The beginning of an id that follows from a name: lower case letters, digits and dashes."""
    return _NOT_IN_AN_ID.sub("-", name.lower())[:_LONGEST_STEM].strip("-") or "camera"


def decode_picture(url: str) -> bytes:
    """The JPEG of a data URL."""
    return b64decode(url.removeprefix(_JPEG))
