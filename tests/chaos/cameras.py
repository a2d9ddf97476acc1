"""Demo cameras that publish at a fixed rate through one writer, and what became of their frames."""

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
from common.clock import wall_clock_us
from ingest.demo.render import Renderer
from ingest.encoding import encode_jpeg
from storage.writer import Writer

CAMERAS = ("entrance", "shelf", "till", "aisle")
FPS = 5
_OPENING = 1_767_614_400
"""The time in the shop's day at which every recording begins, in seconds since the epoch."""
_QUALITY = 85
_CONNECT_SECONDS = 60.0


class DemoCamera:
    """One simulated camera: it renders the same pictures in every run."""

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
    """What was published: for each camera the capture time of each sequence number, from 0 on."""

    epoch: int
    captured_at: Mapping[str, list[int]] = field(default_factory=lambda: {each: [] for each in CAMERAS})

    def __len__(self) -> int:
        return sum(map(len, self.captured_at.values()))


class CameraGroup:
    """All cameras at `FPS` while the block runs; then each frame is acknowledged or counted as dropped."""

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
        self._threads = [threading.Thread(target=self._publish, args=(camera,)) for camera in CAMERAS]

    def __enter__(self) -> CameraGroup:
        assert self._writer.wait_until_connected(_CONNECT_SECONDS), "the cameras reach no broker"
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

    def store_counts(self, writer: Writer) -> None:
        """Store how many frames were dropped, as captures do; workers count the others."""
        for camera, dropped in self.drops.items():
            minute = minute_of(wall_clock_us())
            writer.count(CameraMinute(camera, minute, captured=dropped.total(), dropped=dict(dropped)))

    def _publish(self, camera: str) -> None:
        source, times = DemoCamera(camera), self.recording.captured_at[camera]
        due = time.monotonic()
        while not self._stop.wait(max(due - time.monotonic(), 0)):
            now = wall_clock_us()
            frame = source.frame(self.recording.epoch, len(times), now)
            times.append(now)
            self._writer.publish(frame)
            due += 1 / FPS


def republish(recording: Recording, cluster: KafkaSettings) -> None:
    """Publish a recording again, as fast as the broker accepts it and without loss."""
    with _lossless_writer(cluster) as writer:
        for camera, times in recording.captured_at.items():
            source = DemoCamera(camera)
            for seq, captured_at in enumerate(times):
                assert writer.wait_for_room(camera, _CONNECT_SECONDS), "the broker accepts no frames"
                writer.publish(source.frame(recording.epoch, seq, captured_at))


@contextmanager
def _lossless_writer(cluster: KafkaSettings) -> Iterator[KafkaWriter]:
    writer = KafkaWriter(cluster, CAMERAS.index, grace=_CONNECT_SECONDS)
    yield writer
    writer.close()
    drops = Counter(reason for camera in CAMERAS for reason in writer.take_drops(camera))
    assert not drops, f"the undisturbed run dropped frames: {dict(drops)}"
