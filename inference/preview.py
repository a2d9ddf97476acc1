"""Board of looks: the newest frame of each camera that somebody watches, in memory; thread-safe.

Workers put looks on it, the internal server and the window of `mien run --show` take them. A camera is
watched for some seconds after each request. Of any other camera no look is made, and its last one is dropped
when the next frame of any camera was analysed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

from inference.look import Look

WATCHED_S = 5.0
"""Seconds after the last request for which a camera is watched."""
_RATE_S = 10.0
"""Time over which the rate of analysed frames is measured."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A look, with its number, from 1, since the camera is watched.

    `at` is the time of `time.monotonic` at the end of its analysis; `fps` the rate of analysed frames, None
    while there are too few.
    """

    look: Look
    number: int
    at: float
    fps: float | None


@dataclass(slots=True)
class _Watched:
    until: float
    newest: Shown | None = None
    count: int = 0
    times: deque[float] = field(default_factory=deque)

    def show(self, look: Look, now: float) -> None:
        self.times.append(now)
        while now - self.times[0] > _RATE_S:
            self.times.popleft()
        passed = now - self.times[0]
        fps = (len(self.times) - 1) / passed if passed > 0 else None
        self.count += 1
        self.newest = Shown(look, self.count, now, fps)


class PreviewBoard:
    """The newest look of each watched camera of one process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[str, _Watched] = {}
        self._analysed: dict[str, float] = {}

    def is_watched(self, camera_id: str) -> bool:
        """Whether a look at the frame that was just analysed is wanted; called for every frame."""
        self._analysed[camera_id] = now = time.monotonic()
        if not self._watched:
            return False
        with self._changed:
            self._drop_unwatched(now)
            return camera_id in self._watched

    def show(self, look: Look) -> None:
        """Replace the look of a camera."""
        with self._changed:
            if watched := self._watched.get(look.camera_id):
                watched.show(look, time.monotonic())
                self._changed.notify_all()

    def watch(self, camera_id: str) -> None:
        """Note that somebody watches a camera now."""
        now = time.monotonic()
        with self._changed:
            self._drop_unwatched(now)
            self._watched.setdefault(camera_id, _Watched(0)).until = now + WATCHED_S

    def newest(self, camera_id: str, timeout: float = 0.0) -> Shown | None:
        """The newest look of a watched camera, None if there is none within `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest(camera_id) is not None, timeout)
            return self._newest(camera_id)

    def idle_s(self, camera_id: str) -> float | None:
        """Seconds since this process analysed a frame of a camera, None if it never did."""
        at = self._analysed.get(camera_id)
        return None if at is None else time.monotonic() - at

    def _drop_unwatched(self, now: float) -> None:
        for camera in [each for each, watched in self._watched.items() if watched.until < now]:
            del self._watched[camera]

    def _newest(self, camera_id: str) -> Shown | None:
        watched = self._watched.get(camera_id)
        return watched.newest if watched else None
