"""Live pictures for a viewer: from the process that analyses a camera, as far as the viewer may see them.

Access is checked here, and by the process for faces without blur. Pictures go from memory to memory: they are
inside the page that the viewer's browser gets, and at no address of their own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from common.access import AccessDenied, Actor
from dashboard import queries
from dashboard.internal_client import ProcessError, ProcessUnreachable, call
from mien.settings import Settings
from storage.processes import Process
from storage.unblurred import record_unblurred

UNBLURRED_MINUTES = 10
"""How long faces are shown after the audit log has recorded it; who watches longer is recorded again."""

_ANSWER_S = 4.0
_FRESH_S = 5.0
"""Seconds since its last frame up to which the process that answered before is asked alone."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class LiveTrack:
    """One track, as `inference.look.TrackLook` describes it; labels are None for what is no person."""

    number: int
    age_s: float
    absent_s: float
    faces: int
    size: float
    score: float
    counted: bool
    explanation: str
    expression: str | None
    gender: str | None


@dataclass(frozen=True, slots=True)
class LivePicture:
    """The newest frame: a data URL of a JPEG, and what is known about it.

    `age_s` is its age, `fps` the rate of analysed frames (None while it is not known yet), `unchanged` the
    number of pictures without a change that were left out before it.
    """

    url: str
    blurred: bool
    number: int
    age_s: float
    fps: float | None
    unchanged: int
    tracks: tuple[LiveTrack, ...]


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What the processes that analyse said about one camera.

    `processes` is their number, `problems` says which do not answer and what to check. `analysed_by` is the
    process that analyses the camera, None where none does; `picture` is None where it has no frame yet.
    """

    processes: int
    problems: tuple[str, ...]
    analysed_by: Process | None = None
    picture: LivePicture | None = None


@dataclass(frozen=True, slots=True)
class Unblurred:
    """The permission to see the faces of one camera, recorded in the audit log; see `open_unblurred`."""

    actor: Actor
    camera_id: str
    until: float

    def allows(self, actor: Actor, camera_id: str) -> bool:
        """Whether this actor may see the faces of a camera now."""
        return (actor, camera_id) == (self.actor, self.camera_id) and time.monotonic() < self.until


def open_unblurred(settings: Settings, actor: Actor, camera_id: str) -> Unblurred:
    """Record in the audit log that an operator watches a camera without blur, and permit it for a while.

    Raises AccessDenied for analysts and where the setting `live_unblurred` is off, StorageError where it
    cannot be recorded.
    """
    actor.require_operator("see faces in live pictures")
    if not settings.live_unblurred:
        raise AccessDenied("faces are always blurred: the setting live_unblurred is off")
    engine = queries.writable_database(settings)
    try:
        record_unblurred(engine, actor, camera_id, UNBLURRED_MINUTES)
    finally:
        engine.dispose()
    return Unblurred(actor, camera_id, time.monotonic() + 60 * UNBLURRED_MINUTES)


def read_live(
    settings: Settings,
    actor: Actor,
    camera_id: str,
    before: Process | None = None,
    unblurred: Unblurred | None = None,
) -> LiveAnswer:
    """Ask the processes that analyse for the newest frame of a camera, which is watched thereby.

    The process that answered `before` is asked first, the others only if it does not analyse the camera any
    more. Faces are blurred without a valid permission `unblurred`.

    Raises AccessDenied where the actor may not read the camera, StorageError while the database is
    unavailable.
    """
    queries.restrict(settings, actor, frozenset({camera_id}))
    shows_faces = unblurred is not None and unblurred.allows(actor, camera_id)
    ask = partial(_ask, camera_id=camera_id, shows_faces=shows_faces)
    processes = [each for each in queries.read_running_processes(settings) if each.analyses]
    if before in processes:
        answer, problem = ask(before)
        if (
            not problem
            and answer is not None
            and answer["idle_s"] is not None
            and answer["idle_s"] < _FRESH_S
        ):
            return _to_answer(len(processes), [(before, answer, "")])
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="live") as pool:
        answers = [(each, *found) for each, found in zip(processes, pool.map(ask, processes), strict=True)]
    return _to_answer(len(processes), answers)


def _ask(process: Process, camera_id: str, shows_faces: bool) -> tuple[Mapping[str, Any] | None, str]:
    """The answer of a process, or why there is none."""
    query = {"camera": camera_id} | ({"unblurred": "1"} if shows_faces else {})
    try:
        answer = call(process, "GET", "/preview", query, timeout_s=_ANSWER_S)
        _check(process, answer)
    except ProcessError as error:
        return None, str(error)
    return answer, ""


def _check(process: Process, answer: Mapping[str, Any]) -> None:
    """Raise ProcessUnreachable where an answer cannot be read."""
    try:
        if answer["idle_s"] is not None:
            float(answer["idle_s"])
        if "look" in answer:
            _to_picture(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise ProcessUnreachable(
            f"{process.name} at {process.address}: its answer cannot be read; run the same version of Mien "
            "everywhere"
        ) from error


def _to_answer(
    processes: int, answers: Sequence[tuple[Process, Mapping[str, Any] | None, str]]
) -> LiveAnswer:
    """The answer of the process that analysed a frame of the camera last, and the problems of the others."""
    problems = tuple(problem for _, _, problem in answers if problem)
    found = [
        (float(answer["idle_s"]), number)
        for number, (_, answer, _) in enumerate(answers)
        if answer is not None and answer["idle_s"] is not None
    ]
    if not found:
        return LiveAnswer(processes, problems)
    process, answer, _ = answers[min(found)[1]]
    picture = _to_picture(answer) if answer and "look" in answer else None
    return LiveAnswer(processes, problems, process, picture)


def _to_picture(answer: Mapping[str, Any]) -> LivePicture:
    look = answer["look"]
    return LivePicture(
        url=f"data:image/jpeg;base64,{answer['picture']}",
        blurred=bool(answer["blurred"]),
        number=int(look["number"]),
        age_s=float(look["age_s"]),
        fps=None if look["fps"] is None else float(look["fps"]),
        unchanged=int(look["unchanged"]),
        tracks=tuple(LiveTrack(**track) for track in look["tracks"]),
    )
