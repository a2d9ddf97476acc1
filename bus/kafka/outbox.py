"""The frames that a writer has not got rid of yet: bounded per camera, oldest first to go, all counted."""

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
    """Frames between captures, which put them in, and one sender, which takes them out.

    A frame is waiting, then in flight, then acknowledged or lost. Which of those in flight a broker has only
    that broker can tell: none counts as lost before it does. Safe for any number of threads.

    Args:
        capacity: frames of one camera that may wait, and as many that may be in flight.
        in_flight_bytes: of JPEG that may be in flight in all; one frame always may.
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
        self._turn = 0
        self._acknowledged = 0
        self._closed = False
        self._stopped = False

    @property
    def acknowledged(self) -> int:
        """Frames that arrived."""
        with self._changed:
            return self._acknowledged

    def put(self, frame: Frame) -> bool:
        """Let a frame wait; False where the camera's oldest had to go for it.

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
        """The next frame, the cameras in turn, as soon as one may be in flight; None after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._ready())
            if self._stopped:
                return None
            camera = min(self._ready(), key=lambda each: each.turn)
            self._turn = camera.turn = self._turn + 1
            frame = camera.waiting.popleft()
            camera.in_flight += 1
            self._bytes += len(frame.jpeg)
            self._changed.notify_all()
            return frame

    def put_back(self, frame: Frame) -> None:
        """The frame could not be sent after all: it is the camera's oldest again."""
        with self._changed:
            camera = self._landed(frame.camera_id, len(frame.jpeg))
            if camera is None:
                return
            if len(camera.waiting) < self._capacity:
                camera.waiting.appendleft(frame)
            else:
                camera.drops[DROPPED_OLDEST] += 1

    def arrived(self, camera_id: str, size: int) -> None:
        """A frame of `size` bytes was acknowledged."""
        with self._changed:
            if self._landed(camera_id, size):
                self._acknowledged += 1

    def lost(self, camera_id: str, size: int, reason: str) -> None:
        """A frame of `size` bytes is on no broker, and will be on none."""
        with self._changed:
            if camera := self._landed(camera_id, size):
                camera.drops[reason] += 1

    def unsure(self, camera_id: str, size: int) -> None:
        """Nobody will know here whether a frame of `size` bytes arrived."""
        with self._changed:
            self._landed(camera_id, size)

    def wait_for_room(self, camera_id: str, timeout: float) -> bool:
        """Whether a frame of this camera may wait, within `timeout` seconds, with none having to go."""
        with self._changed:
            camera = self._camera(camera_id)
            return self._changed.wait_for(lambda: len(camera.waiting) < self._capacity, timeout)

    def take_drops(self, camera_id: str) -> Mapping[str, int]:
        """Frames of this camera that were lost since the last call, by reason."""
        with self._changed:
            camera = self._camera(camera_id)
            drops, camera.drops = camera.drops, Counter()
            return dict(drops)

    def close(self, grace: float) -> int:
        """Take nothing more in, and wait up to `grace` seconds for what is on its way.

        What still waits then counts as lost. Returns how many frames are in flight: nobody will know here
        whether they arrive.
        """
        with self._changed:
            self._closed = True
            cameras = self._cameras.values()
            self._changed.wait_for(lambda: not any(c.waiting or c.in_flight for c in cameras), grace)
            for camera in cameras:
                camera.drops += Counter({NOT_SENT: len(camera.waiting)})
                camera.waiting.clear()
            self._stopped = True
            self._changed.notify_all()
            return sum(camera.in_flight for camera in cameras)

    def wait_until_stopped(self, timeout: float) -> bool:
        """Whether `close` has been called and is done, within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._stopped, timeout)

    def _camera(self, camera_id: str) -> _Camera:
        return self._cameras.setdefault(camera_id, _Camera())

    def _ready(self) -> list[_Camera]:
        """The cameras whose next frame may be in flight."""
        room = self._in_flight_bytes - self._bytes
        return [
            camera
            for camera in self._cameras.values()
            if camera.waiting
            and camera.in_flight < self._capacity
            and (self._bytes == 0 or len(camera.waiting[0].jpeg) <= room)
        ]

    def _landed(self, camera_id: str, size: int) -> _Camera | None:
        """The camera of a frame that is in flight no more; None after `close`, which ends the counting."""
        if self._stopped:
            return None
        self._changed.notify_all()
        self._bytes -= size
        camera = self._cameras[camera_id]
        camera.in_flight -= 1
        return camera
