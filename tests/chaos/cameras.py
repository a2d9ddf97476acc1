"""Cameras of the demo shop that publish steadily into one writer, and what became of their frames."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from bus.kafka.settings import KafkaSettings
from bus.kafka.writer import KafkaWriter
from bus.messages import CameraMinute, Frame, minute_of
from ingest.demo.render import Renderer
from ingest.pictures import encode_jpeg
from storage.writer import Writer

CAMERAS = ("entrance", "shelf", "till", "aisle")
FPS = 5
_OPENING = 1_767_614_400
"""A moment of the shop's day, in seconds since the epoch: every recording begins with it."""
_QUALITY = 85
_CONNECT_SECONDS = 60.0


def wall_clock_us() -> int:
    return time.time_ns() // 1000


class Scene:
    """What one camera sees: the same pictures in every run."""

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._renderer = Renderer(camera)

    def frame(self, epoch: int, seq: int, captured_at: int) -> Frame:
        """The picture number `seq` as a frame."""
        picture = self._renderer.frame(_OPENING + seq / FPS)
        height, width = picture.shape
        return Frame(self._camera, captured_at, seq, epoch, width, height, encode_jpeg(picture, _QUALITY))


@dataclass
class Recording:
    """What was published, per camera: the time of capture of each `seq`, from 0 on."""

    epoch: int
    captured_at: Mapping[str, list[int]] = field(default_factory=lambda: {each: [] for each in CAMERAS})

    def __len__(self) -> int:
        return sum(map(len, self.captured_at.values()))


class Studio:
    """All cameras at `FPS` while the block runs; at the end everything is acknowledged or counted."""

    def __init__(self, cluster: KafkaSettings) -> None:
        self.recording = Recording(wall_clock_us())
        self.acknowledged: dict[str, set[int]] = {camera: set() for camera in CAMERAS}
        self.drops: dict[str, Counter[str]] = {camera: Counter() for camera in CAMERAS}
        self._stop = threading.Event()
        self._writer = KafkaWriter(
            cluster,
            CAMERAS.index,
            on_acknowledged=lambda camera, _, seq: self.acknowledged[camera].add(seq),
        )
        self._threads = [threading.Thread(target=self._film, args=(camera,)) for camera in CAMERAS]

    def __enter__(self) -> Studio:
        assert self._writer.wait_until_connected(_CONNECT_SECONDS), "no broker for the cameras"
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._writer.close()
        for camera in CAMERAS:
            self.drops[camera].update(self._writer.take_drops(camera))

    def tell(self, writer: Writer) -> None:
        """Store what became of the frames before they reached a worker, as captures do."""
        for camera in CAMERAS:
            published = len(self.recording.captured_at[camera])
            minute = minute_of(wall_clock_us())
            writer.count(CameraMinute(camera, minute, captured=published, dropped=dict(self.drops[camera])))

    def _film(self, camera: str) -> None:
        scene, times = Scene(camera), self.recording.captured_at[camera]
        due = time.monotonic()
        while not self._stop.wait(max(due - time.monotonic(), 0)):
            now = wall_clock_us()
            frame = scene.frame(self.recording.epoch, len(times), now)
            times.append(now)
            self._writer.publish(frame)
            due += 1 / FPS


def republish(recording: Recording, cluster: KafkaSettings) -> None:
    """Publish a recording anew, as quickly as it is taken in, nothing lost."""
    with _patient_writer(cluster) as writer:
        for camera, times in recording.captured_at.items():
            scene = Scene(camera)
            for seq, captured_at in enumerate(times):
                assert writer.wait_for_room(camera, _CONNECT_SECONDS), "the broker takes nothing in"
                writer.publish(scene.frame(recording.epoch, seq, captured_at))


@contextmanager
def _patient_writer(cluster: KafkaSettings) -> Iterator[KafkaWriter]:
    writer = KafkaWriter(cluster, CAMERAS.index, grace=_CONNECT_SECONDS)
    yield writer
    writer.close()
    lost = Counter(reason for camera in CAMERAS for reason in writer.take_drops(camera))
    assert not lost, f"the undisturbed run lost frames: {dict(lost)}"
