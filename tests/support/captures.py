"""Captures at work in a test: a real bus, a viewer that takes the frames, books that record what is told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bus import codec
from bus.embedded import EmbeddedBus, EmbeddedReader, EmbeddedWriter
from bus.messages import CameraHealth, CameraMinute, CameraState, Frame
from ingest.cameras import Camera
from ingest.capture import CaptureSettings
from ingest.native import prepare_opencv
from ingest.supervisor import Supervisor

PATIENCE = 30.0
"""Seconds after which something that should have happened has not: the machine may be busy."""

QUICK = CaptureSettings(
    longest_side=640, open_timeout=3.0, read_timeout=2.0, frozen_after=1.5, first_retry=0.1, last_retry=0.5
)


class Outage(Exception):
    """What books and lists raise while they are away."""


class Observed:
    """Something that changes in other threads and can be waited for."""

    def __init__(self) -> None:
        self.changed = threading.Condition()

    def wait_for(self, happened: Callable[[], bool], timeout: float = PATIENCE) -> None:
        with self.changed:
            assert self.changed.wait_for(happened, timeout), f"did not happen within {timeout} s: {self}"


class Books(Observed):
    """A sink that remembers, and that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
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
        """The first report after the first `after` that says so; `reason` is a part of what is told."""

        def reports() -> list[CameraHealth]:
            told = [each for each in self.healths[after:] if each.camera_id == camera_id]
            return [each for each in told if each.state is state and reason in each.reason]

        self.wait_for(lambda: bool(reports()))
        return reports()[0]

    def captured(self, camera_id: str) -> int:
        return sum(each.captured for each in self.minutes if each.camera_id == camera_id)

    def dropped(self, camera_id: str) -> Counter[str]:
        total: Counter[str] = Counter()
        for each in self.minutes:
            if each.camera_id == camera_id:
                total.update(each.dropped)
        return total

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self.changed:
            if self.away:
                self.refused += 1
                self.changed.notify_all()
                raise Outage("the books are away")
            yield
            self.changed.notify_all()


class Viewer(Observed):
    """Takes frames from the bus in a thread of its own; waits `pause` seconds after each."""

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
        """Wait until so many more frames of a camera have come."""
        before = len(self.of(camera_id))
        self.wait_for(lambda: len(self.of(camera_id)) >= before + more)

    def finish(self) -> None:
        """Take what is left, up to the end of the bus."""
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


class CameraShelf:
    """A list of cameras that a test changes, and that can be away."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self.now = list(cameras)
        self.away = False

    def cameras(self) -> list[Camera]:
        if self.away:
            raise Outage("the list is away")
        return list(self.now)

    def change(self, camera_id: str, changed: Camera) -> None:
        self.now = [changed if each.id == camera_id else each for each in self.now]


@dataclass
class Scene:
    """Everything at work."""

    shelf: CameraShelf
    books: Books
    viewer: Viewer
    supervisor: Supervisor
    writer: EmbeddedWriter

    def finish(self) -> None:
        """Stop, and take what is left."""
        self.supervisor.stop()
        self.writer.close()
        self.viewer.finish()


@contextmanager
def capturing(
    *cameras: Camera,
    settings: CaptureSettings = QUICK,
    capacity: int = 1000,
    pause: float = 0.0,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Scene]:
    """Capture these cameras until the block ends."""
    prepare_opencv()
    bus = EmbeddedBus(capacity=capacity)
    shelf, books, writer = CameraShelf(cameras), Books(), bus.writer()
    supervisor = Supervisor(
        shelf, writer, books, settings, outages=(Outage,), follow_every=0.1, environ=environ or {}
    )
    scene = Scene(shelf, books, Viewer(bus.reader([0], lambda _: {}), pause), supervisor, writer)
    supervisor.start()
    try:
        yield scene
    finally:
        scene.finish()


def write_video(path: Path, pictures: int = 50, fps: float = 25.0, size: tuple[int, int] = (128, 96)) -> Path:
    """A video in which a bright bar moves on noise; the number of a picture can be told from the bar."""
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
    """Where the bar of `write_video` stands in a frame: 0 at the left, 1 at the right."""
    gray = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    brightness = gray.mean(axis=0)
    return float(np.argmax(np.convolve(brightness, np.ones(8), "valid")) / (gray.shape[1] - 8))
