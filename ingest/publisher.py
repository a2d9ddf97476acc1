"""Publisher: sampled pictures become numbered frames on the bus, or are counted as dropped."""

from __future__ import annotations

import threading

from bus.messages import CameraState, Frame
from bus.transport import FrameWriter
from ingest.counts import CaptureCounts
from ingest.encoding import encode_jpeg
from ingest.health import HealthMonitor
from media.images import Gray


class Publisher:
    """Numbers, encodes and publishes the pictures of one opening of a source.

    After `close` nothing is published, however late a reader that was stuck resumes.

    Args:
        camera_id: of the frames.
        epoch: when the source was opened, microseconds UTC; distinguishes one opening from the next.
        writer: the capture's side of the bus.
        health: is set to online.
        counts: count every picture.
        quality: of the JPEG, 1 to 100.
    """

    def __init__(
        self,
        camera_id: str,
        epoch: int,
        writer: FrameWriter,
        health: HealthMonitor,
        counts: CaptureCounts,
        quality: int,
    ) -> None:
        self.camera_id = camera_id
        self.epoch = epoch
        self._writer = writer
        self._health = health
        self._counts = counts
        self._quality = quality
        self._seq = 0
        self._lock = threading.Lock()
        self._closed = False

    def publish(self, gray: Gray, captured_at: int, reason: str = "") -> bool:
        """Publish a picture and set the camera to online, with `reason` if there is a problem with it.

        Returns whether the camera's state or its reason is new.
        """
        jpeg = encode_jpeg(gray, self._quality)
        height, width = gray.shape
        with self._lock:
            if self._closed:
                return False
            self._counts.add_captured(captured_at)
            frame = Frame(self.camera_id, captured_at, self._seq, self.epoch, width, height, jpeg)
            self._seq += 1
            self._writer.publish(frame)
            self._health.count_published(captured_at)
            return self._health.set_state(CameraState.ONLINE, reason)

    def drop(self, captured_at: int, reason: str) -> None:
        """Count a picture that was sampled and is not published."""
        with self._lock:
            if not self._closed:
                self._counts.add_captured(captured_at)
                self._counts.add_dropped(captured_at, reason)
                self._seq += 1

    def wait_for_room(self, timeout: float) -> bool:
        """Wait until the bus accepts a frame without dropping another, at most `timeout` seconds."""
        return self._writer.wait_for_room(self.camera_id, timeout)

    def close(self) -> None:
        """Publish and count nothing from now on."""
        with self._lock:
            self._closed = True
