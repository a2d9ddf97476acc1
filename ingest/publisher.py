"""Publisher: sampled pictures become numbered frames on the bus, or are counted as unchanged or dropped."""

from __future__ import annotations

import threading

from bus.messages import CameraState, Frame
from bus.transport import FrameWriter
from ingest.camera_lease import CameraLease
from ingest.cameras import Camera
from ingest.counts import CaptureCounts
from ingest.encoding import encode_jpeg
from ingest.health import HealthMonitor
from ingest.policy import PolicyInForce
from media.images import Gray

NO_LEASE = "lease expired"
"""The reason for a drop while another process may capture the camera."""


class Publisher:
    """Numbers, encodes and publishes the pictures of one opening of a source.

    While the lease is not valid, pictures are dropped. After `close` nothing is published or counted, however
    late a reader that was stuck resumes.

    Args:
        camera: of the frames.
        lease: of the camera; each publisher is one opening of the source, with an epoch of its own.
        writer: the capture's side of the bus.
        health: is set to online.
        counts: count every picture.
        quality: of the JPEG, 1 to 100.
        policy: what is to be estimated.
        recorded: the source is a recording, which ends.
    """

    def __init__(
        self,
        camera: Camera,
        lease: CameraLease,
        writer: FrameWriter,
        health: HealthMonitor,
        counts: CaptureCounts,
        quality: int,
        policy: PolicyInForce,
        recorded: bool = False,
    ) -> None:
        self.camera_id = camera.id
        self.epoch = lease.next_epoch()
        self._lease = lease
        self._writer = writer
        self._health = health
        self._counts = counts
        self._quality = quality
        self._thorough = camera.thorough
        self._policy = policy
        self._recorded = recorded
        self._seq = 0
        self._unchanged = 0
        self._lock = threading.Lock()
        self._closed = False

    def publish(self, gray: Gray, captured_at: int, reason: str = "") -> bool:
        """Publish a picture and set the camera to online, with `reason` if there is a problem with it.

        Returns whether the camera's state or its reason is new.
        """
        jpeg = encode_jpeg(gray, self._quality)
        height, width = gray.shape
        with self._lock:
            if not self._may_publish(captured_at):
                return False
            frame = Frame(
                self.camera_id,
                captured_at,
                self._seq,
                self.epoch,
                width,
                height,
                jpeg,
                self._unchanged,
                self._thorough,
                self._policy.switches,
                self._recorded,
            )
            self._seq += 1
            self._unchanged = 0
            self._writer.publish(frame)
            self._health.count_published(captured_at)
            return self._health.set_state(CameraState.ONLINE, reason)

    def pass_over(self, captured_at: int, reason: str = "") -> bool:
        """Count a picture that shows what the frame before it shows; otherwise as `publish`."""
        with self._lock:
            if not self._may_publish(captured_at):
                return False
            self._counts.add_unchanged(captured_at)
            self._seq += 1
            self._unchanged += 1
            self._health.count_published(captured_at)
            return self._health.set_state(CameraState.ONLINE, reason)

    def drop(self, captured_at: int, reason: str, problem: str = "") -> bool:
        """Count a picture that was sampled and is not published; a `problem` is the reason of the state.

        Returns whether the camera's state or its reason is new.
        """
        with self._lock:
            if not self._may_publish(captured_at):
                return False
            self._drop(captured_at, reason)
            return bool(problem) and self._health.set_state(CameraState.ONLINE, problem)

    def wait_for_room(self, timeout: float) -> bool:
        """Wait until a frame can be published without dropping another, at most about `timeout` seconds."""
        return self._lease.wait_until_valid(timeout) and self._writer.wait_for_room(self.camera_id, timeout)

    def close(self) -> None:
        """Publish and count nothing from now on."""
        with self._lock:
            self._closed = True

    def _may_publish(self, captured_at: int) -> bool:
        """Count a picture as captured; drop it without a valid lease. Nothing is counted after `close`."""
        if self._closed:
            return False
        self._counts.add_captured()
        if not self._lease.is_valid:
            self._drop(captured_at, NO_LEASE)
            return False
        return True

    def _drop(self, captured_at: int, reason: str) -> None:
        self._counts.add_dropped(captured_at, reason)
        self._seq += 1
