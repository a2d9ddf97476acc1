"""The way of a sampled picture onto the bus, or into the books as dropped."""

from __future__ import annotations

import threading

from bus.messages import CameraState, Frame
from bus.transport import FrameWriter
from ingest.health import Health, Tally
from ingest.pictures import Gray, encode_jpeg


class Publisher:
    """Numbers, encodes and publishes the pictures of one opening of a source.

    Once it is closed nothing comes through any more, however late a reader that hung wakes up.

    Args:
        camera_id: whose pictures they are.
        epoch: when the source was opened, microseconds UTC; tells one opening from the next.
        writer: the capture's side of the bus.
        health: learns that the camera is online.
        tally: counts every picture.
        quality: of the JPEG, 1 to 100.
    """

    def __init__(
        self, camera_id: str, epoch: int, writer: FrameWriter, health: Health, tally: Tally, quality: int
    ) -> None:
        self.camera_id = camera_id
        self.epoch = epoch
        self._writer = writer
        self._health = health
        self._tally = tally
        self._quality = quality
        self._seq = 0
        self._lock = threading.Lock()
        self._closed = False

    def publish(self, gray: Gray, captured_at: int, reason: str = "") -> bool:
        """Publish a picture of a camera that is online, though for `reason` not all is well with it.

        Returns whether the camera's state or its reason is new.
        """
        jpeg = encode_jpeg(gray, self._quality)
        height, width = gray.shape
        with self._lock:
            if self._closed:
                return False
            self._tally.captured(captured_at)
            frame = Frame(self.camera_id, captured_at, self._seq, self.epoch, width, height, jpeg)
            self._seq += 1
            self._writer.publish(frame)
            self._health.published(captured_at)
            return self._health.become(CameraState.ONLINE, reason)

    def drop(self, captured_at: int, reason: str) -> None:
        """Count a picture that was sampled and is not published."""
        with self._lock:
            if not self._closed:
                self._tally.captured(captured_at)
                self._tally.dropped(captured_at, reason)
                self._seq += 1

    def wait_for_room(self, timeout: float) -> bool:
        """Wait until the bus takes a picture without dropping another, at most `timeout` seconds."""
        return self._writer.wait_for_room(self.camera_id, timeout)

    def close(self) -> None:
        """Let nothing through any more."""
        with self._lock:
            self._closed = True
