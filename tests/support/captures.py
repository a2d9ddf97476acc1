"""Running captures for tests: a real bus, a consumer of the frames, and a sink that records reports."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from typing_extensions import override

from bus import codec
from bus.embedded import EmbeddedBus, EmbeddedReader, EmbeddedWriter
from bus.leases import Lease, LeaseSnapshot, LeaseStore
from bus.messages import CameraHealth, CameraMinute, CameraState, Frame
from bus.sinks import SinkUnavailable
from common.clock import wall_clock_us
from ingest.camera_lease import CameraLease
from ingest.cameras import Camera
from ingest.capture import CaptureSettings
from ingest.leases import LeaseKeeper
from ingest.sources import SourceRules
from ingest.supervisor import Supervisor
from media.native import configure_opencv

PATIENCE = 60.0
"""Seconds after which an expected event counts as missing: the machine may be busy."""

QUICK = CaptureSettings(
    longest_side=640, open_timeout=3.0, read_timeout=2.0, frozen_after=1.5, first_retry=0.1, last_retry=0.5
)


class Observed:
    """State that other threads change, with a way to wait for a change."""

    def __init__(self) -> None:
        self.changed = threading.Condition()

    def wait_for(self, happened: Callable[[], bool], timeout: float = PATIENCE) -> None:
        with self.changed:
            assert self.changed.wait_for(happened, timeout), f"did not happen within {timeout} s: {self}"


class SinkRecorder(Observed):
    """A sink that records everything, and that a test can make unavailable, or raise its `refusal`."""

    def __init__(self) -> None:
        super().__init__()
        self.unavailable = False
        self.refusal: Exception | None = None
        self.refused = 0
        self.healths: list[CameraHealth] = []
        self.minutes: list[CameraMinute] = []

    def __repr__(self) -> str:
        return "\n".join(f"{h.camera_id} {h.state} {h.reason} {h.fps:.1f}" for h in self.healths[-20:])

    def report(self, health: CameraHealth) -> None:
        with self._open():
            self.healths.append(health)

    def count(self, minute: CameraMinute) -> None:
        with self._open():
            self.minutes.append(minute)

    def wait_for_state(
        self, camera_id: str, state: CameraState, reason: str = "", after: int = 0
    ) -> CameraHealth:
        """The first report of this state after `after` reports; `reason` is a part of its reason."""

        def reports() -> list[CameraHealth]:
            healths = [each for each in self.healths[after:] if each.camera_id == camera_id]
            return [each for each in healths if each.state is state and reason in each.reason]

        self.wait_for(lambda: bool(reports()))
        return reports()[0]

    def captured(self, camera_id: str) -> int:
        """Stored as captured: pictures that were not published."""
        return sum(each.captured for each in self.minutes if each.camera_id == camera_id)

    def unchanged(self, camera_id: str) -> int:
        return sum(each.unchanged for each in self.minutes if each.camera_id == camera_id)

    def dropped(self, camera_id: str) -> Counter[str]:
        total: Counter[str] = Counter()
        for each in self.minutes:
            if each.camera_id == camera_id:
                total.update(each.dropped)
        return total

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self.changed:
            if self.unavailable:
                self.refused += 1
                self.changed.notify_all()
                raise SinkUnavailable("the database is unavailable")
            if self.refusal is not None:
                raise self.refusal
            yield
            self.changed.notify_all()


class FrameConsumer(Observed):
    """Reads frames from the bus in a thread of its own; waits `pause` seconds after each."""

    def __init__(self, reader: EmbeddedReader, pause: float) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self._reader = reader
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __repr__(self) -> str:
        return f"{Counter(frame.camera_id for frame in self.frames)}"

    def of(self, camera_id: str) -> list[Frame]:
        with self.changed:
            return [frame for frame in self.frames if frame.camera_id == camera_id]

    def wait_for_frames(self, camera_id: str, more: int) -> None:
        """Wait until so many more frames of a camera have arrived."""
        before = len(self.of(camera_id))
        self.wait_for(lambda: len(self.of(camera_id)) >= before + more)

    def finish(self) -> None:
        """Read the remaining frames, up to the end of the bus."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        ended = False
        while not ended:
            batch = self._reader.poll(1, 0.1)
            with self.changed:
                self.frames += [codec.decode(each.headers, each.value) for each in batch.records]
                self.changed.notify_all()
            self._reader.acknowledge(batch.positions)
            self._stop.wait(self._pause)
            ended = batch.ended
        self._reader.close()


class MemoryLeases(LeaseStore):
    """Leases that no other process competes for, and that a test can make unavailable or another's.

    A test can also let them raise a `refusal`.
    """

    holder = "this process"

    def __init__(self) -> None:
        self.unavailable = False
        self.refusal: Exception | None = None
        self.leases: dict[str, Lease] = {}

    @override
    def exchange(self) -> LeaseSnapshot:
        self._check_available()
        return LeaseSnapshot(wall_clock_us(), dict(self.leases), ())

    @override
    def take(self, seen: Mapping[str, Lease | None]) -> Mapping[str, int]:
        self._check_available()
        now = wall_clock_us()
        self.leases |= {
            camera: Lease(camera, self.holder, self.holder, now, now, expired=False) for camera in seen
        }
        return dict.fromkeys(seen, now)

    @override
    def release(self, next_tokens: Mapping[str, int]) -> None:
        self._check_available()
        for camera in next_tokens:
            self.leases.pop(camera, None)

    @override
    def leave(self) -> None:
        self._check_available()

    def _check_available(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        if self.unavailable:
            raise SinkUnavailable("the database is unavailable")


def valid_lease() -> CameraLease:
    """A lease that stays valid for a test without renewal; its first epoch is about now."""
    lease = CameraLease(wall_clock_us())
    lease.extend(time.monotonic() + PATIENCE, wall_clock_us())
    return lease


class ChangingCameraList:
    """A list of cameras that a test changes or makes unavailable."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self.now = list(cameras)
        self.unavailable = False

    def cameras(self) -> list[Camera]:
        if self.unavailable:
            raise SinkUnavailable("the database is unavailable")
        return list(self.now)

    def change(self, camera_id: str, changed: Camera) -> None:
        self.now = [changed if each.id == camera_id else each for each in self.now]


@dataclass
class RunningCaptures:
    """A supervisor with its list of cameras, leases, sink, bus and consumer."""

    camera_list: ChangingCameraList
    sink: SinkRecorder
    consumer: FrameConsumer
    supervisor: Supervisor
    writer: EmbeddedWriter
    leases: MemoryLeases
    keeper: LeaseKeeper

    def captured(self, camera_id: str) -> int:
        """Number of sampled pictures so far."""
        return self.supervisor.captured().get(camera_id, 0)

    def finish(self) -> None:
        """Stop the captures and read the remaining frames."""
        self.supervisor.stop()
        self.keeper.stop(PATIENCE)
        self.writer.close()
        self.consumer.finish()


@contextmanager
def capturing(
    *cameras: Camera,
    settings: CaptureSettings = QUICK,
    capacity: int = 1000,
    pause: float = 0.0,
    environ: Mapping[str, str] | None = None,
) -> Iterator[RunningCaptures]:
    """Capture these cameras until the block ends."""
    configure_opencv()
    bus = EmbeddedBus(capacity=capacity)
    camera_list, sink, writer = ChangingCameraList(cameras), SinkRecorder(), bus.writer()
    rules = SourceRules(environ or {}, variables=("*",))
    leases = MemoryLeases()
    keeper = LeaseKeeper(leases, shares=True)
    supervisor = Supervisor(camera_list, keeper, writer, sink, settings, follow_every=0.1, rules=rules)
    consumer = FrameConsumer(bus.reader([0], lambda _: {}), pause)
    running = RunningCaptures(camera_list, sink, consumer, supervisor, writer, leases, keeper)
    keeper.start()
    supervisor.start()
    try:
        yield running
    finally:
        running.finish()


def write_video(path: Path, pictures: int = 50, fps: float = 25.0, size: tuple[int, int] = (128, 96)) -> Path:
    """A video in which a bright bar moves on noise; its position gives the number of the picture."""
    codec_name = "MJPG" if path.suffix == ".avi" else "mp4v"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec_name), fps, size)
    assert video.isOpened()
    width, height = size
    for number in range(pictures):
        picture = np.full((height, width, 3), 60, np.uint8)
        left = number * (width - 8) // max(pictures - 1, 1)
        picture[:, left : left + 8] = 230
        video.write(picture)
    video.release()
    return path


def bar_position(frame: Frame) -> float:
    """Position of the bar of `write_video` in a frame: 0 at the left, 1 at the right."""
    gray = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    brightness = gray.mean(axis=0)
    return float(np.argmax(np.convolve(brightness, np.ones(8), "valid")) / (gray.shape[1] - 8))
