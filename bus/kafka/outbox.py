"""Buffer of a writer: bounded per camera, drops the oldest frame, counts every drop."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from bus.errors import TransportClosed
from bus.messages import Frame
from bus.transport import DROPPED_OLDEST

NOT_SENT = "closed before it was sent"


@dataclass(slots=True)
class _Camera:
    waiting: deque[Frame] = field(default_factory=deque)
    in_flight: int = 0
    turn: int = 0
    drops: Counter[str] = field(default_factory=Counter)


class Outbox:
    """Frames between captures, which put them in, and one sender, which takes them out. Thread-safe.

    A frame is waiting, then in flight, then acknowledged or dropped. Only the broker knows whether it has a
    frame in flight: none counts as dropped before the broker refuses it.

    The frame that the sender took last is in its hands until it takes the next one: the sender may still put
    it back.

    Args:
        capacity: how many frames of one camera may wait, and how many may be in flight.
        in_flight_bytes: JPEG bytes in flight of all cameras; one frame of each camera is always allowed, so
            that cameras whose broker does not answer cannot block the others.
    """

    def __init__(self, capacity: int, in_flight_bytes: int) -> None:
        if capacity < 1 or in_flight_bytes < 1:
            raise ValueError(
                f"capacity {capacity}, in_flight_bytes {in_flight_bytes}: expected at least 1 of each"
            )
        self._capacity = capacity
        self._in_flight_bytes = in_flight_bytes
        self._changed = threading.Condition()
        self._cameras: dict[str, _Camera] = {}
        self._bytes = 0
        self._in_hands: _Camera | None = None
        self._turn = 0
        self._acknowledged = 0
        self._closed = False
        self._stopped = False

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged frames."""
        with self._changed:
            return self._acknowledged

    def put(self, frame: Frame) -> bool:
        """Add a frame; False where the camera's oldest one was dropped for it.

        Raises:
            TransportClosed: after `close`.
        """
        with self._changed:
            if self._closed:
                raise TransportClosed(f"camera {frame.camera_id}: the writer is closed")
            camera = self._camera(frame.camera_id)
            fits = len(camera.waiting) < self._capacity
            if not fits:
                camera.waiting.popleft()
                camera.drops[DROPPED_OLDEST] += 1
            camera.waiting.append(frame)
            self._changed.notify_all()
            return fits

    def take(self) -> Frame | None:
        """The next frame, from the cameras in turn, once one may be in flight; None after `close`."""
        with self._changed:
            self._in_hands = None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stopped or self._ready())
            if self._stopped:
                return None
            self._in_hands = camera = min(self._ready(), key=lambda each: each.turn)
            self._turn = camera.turn = self._turn + 1
            frame = camera.waiting.popleft()
            camera.in_flight += 1
            self._bytes += len(frame.jpeg)
            self._changed.notify_all()
            return frame

    def put_back(self, frame: Frame) -> None:
        """Return a frame that could not be sent: it is the camera's oldest again."""
        with self._changed:
            self._in_hands = None
            camera = self._remove_in_flight(frame.camera_id, len(frame.jpeg))
            if camera is None:
                return
            if len(camera.waiting) < self._capacity:
                camera.waiting.appendleft(frame)
            else:
                camera.drops[DROPPED_OLDEST] += 1

    def acknowledge(self, camera_id: str, size: int) -> None:
        """Count a frame of `size` bytes that the broker has."""
        with self._changed:
            if self._remove_in_flight(camera_id, size):
                self._acknowledged += 1

    def drop(self, camera_id: str, size: int, reason: str) -> None:
        """Count a frame of `size` bytes that no broker has or will have."""
        with self._changed:
            if camera := self._remove_in_flight(camera_id, size):
                camera.drops[reason] += 1

    def forget(self, camera_id: str, size: int) -> None:
        """Do not count a frame of `size` bytes: whether the broker has it is unknown."""
        with self._changed:
            self._remove_in_flight(camera_id, size)

    def wait_for_room(self, camera_id: str, timeout: float) -> bool:
        """Wait until `put` would drop no frame of this camera; False after `timeout` seconds.

        Then there is also room for the frame in the sender's hands, should it be put back.
        """
        with self._changed:
            camera = self._camera(camera_id)
            return self._changed.wait_for(
                lambda: len(camera.waiting) + (camera is self._in_hands) < self._capacity, timeout
            )

    def wait_until_empty(self, timeout: float) -> bool:
        """Wait until no frame waits or is in flight; False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(self._is_empty, timeout)

    def take_drops(self, camera_id: str) -> Mapping[str, int]:
        """Frames of this camera that were dropped since the last call, by reason."""
        with self._changed:
            camera = self._camera(camera_id)
            drops, camera.drops = camera.drops, Counter()
            return dict(drops)

    def close(self, grace: float) -> int:
        """Refuse new frames, and wait up to `grace` seconds for the others.

        Frames that still wait then count as dropped. Returns the number of frames in flight: whether they
        arrive stays unknown.
        """
        with self._changed:
            self._closed = True
            self._changed.wait_for(self._is_empty, grace)
            cameras = self._cameras.values()
            for camera in cameras:
                camera.drops += Counter({NOT_SENT: len(camera.waiting)})
                camera.waiting.clear()
            self._stopped = True
            self._changed.notify_all()
            return sum(camera.in_flight for camera in cameras)

    def wait_until_stopped(self, timeout: float) -> bool:
        """Whether `close` has completed, after at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._stopped, timeout)

    def _camera(self, camera_id: str) -> _Camera:
        return self._cameras.setdefault(camera_id, _Camera())

    def _is_empty(self) -> bool:
        return not any(camera.waiting or camera.in_flight for camera in self._cameras.values())

    def _ready(self) -> list[_Camera]:
        """The cameras whose next frame may be sent."""
        room = self._in_flight_bytes - self._bytes
        return [
            camera
            for camera in self._cameras.values()
            if camera.waiting
            and camera.in_flight < self._capacity
            and (camera.in_flight == 0 or len(camera.waiting[0].jpeg) <= room)
        ]

    def _remove_in_flight(self, camera_id: str, size: int) -> _Camera | None:
        """The camera of a frame that is no longer in flight; None after `close`, which ends the counting."""
        if self._stopped:
            return None
        self._changed.notify_all()
        self._bytes -= size
        camera = self._cameras[camera_id]
        camera.in_flight -= 1
        return camera
