"""Reader of a scripted source: pictures that are late, damaged, or arrive after the reader was cancelled."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from bus import codec
from bus.embedded import EmbeddedBus, EmbeddedReader
from bus.messages import MICROSECONDS, CameraState, Frame
from common.clock import wall_clock_us
from ingest.camera_lease import CameraLease
from ingest.camera_source import CameraSource, Pixels, UndecodedPicture
from ingest.cameras import Camera, CameraPolicy
from ingest.counts import CaptureCounts
from ingest.errors import SourceLost
from ingest.health import HealthMonitor
from ingest.policy import PolicyInForce
from ingest.publisher import Publisher
from ingest.reader import ReadSettings, SourceReader
from ingest.stillness import StillnessDetector
from media.errors import ImageError
from tests.support.captures import PATIENCE, SinkRecorder, valid_lease

SETTINGS = ReadSettings(
    fps=None, longest_side=640, open_timeout=5, read_timeout=5, fast=False, motion_gate=False
)


def gray() -> Pixels:
    return np.full((48, 64), 99, np.uint8)


def damaged() -> Pixels:
    raise ImageError("it is damaged")


def brighter() -> Pixels:
    return np.full((48, 64), 199, np.uint8)


class Clock:
    """A clock that a test sets, in place of the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class ScriptedSource(CameraSource):
    """A recording, or a `live` camera, whose pictures come from an iterator."""

    live = False

    def __init__(self, pictures: Iterator[UndecodedPicture], live: bool = False) -> None:
        self.live = live
        self._pictures = pictures
        self.closed = False

    def read(self) -> UndecodedPicture | None:
        return next(self._pictures, None)

    def close(self) -> None:
        self.closed = True


class Bench:
    """A reader with its publisher, bus and sink."""

    def __init__(
        self,
        source: ScriptedSource,
        settings: ReadSettings = SETTINGS,
        thorough: bool = False,
        lease: CameraLease | None = None,
    ) -> None:
        lease = lease or valid_lease()
        bus = EmbeddedBus(capacity=1000)
        self.source = source
        self.health, self.counts, self.sink = HealthMonitor("clip"), CaptureCounts("clip"), SinkRecorder()
        self.frames: EmbeddedReader = bus.reader([0], lambda _: {})
        self.changed = threading.Event()
        self.policy = PolicyInForce(CameraPolicy())
        camera = Camera("clip", "clip.mp4", None, thorough=thorough)
        publisher = Publisher(camera, lease, bus.writer(), self.health, self.counts, 85, self.policy)
        stillness = StillnessDetector(15)
        self.reader = SourceReader(
            lambda: source, settings, publisher, stillness, self.policy, self.changed.set
        )

    def run(self) -> None:
        self.reader.start()
        self.reader.join(PATIENCE)
        assert self.reader.is_done
        self.counts.store(self.sink)

    def received(self) -> list[Frame]:
        return [codec.decode(each.headers, each.value) for each in self.frames.poll(1000, 0).records]

    def published(self) -> list[int]:
        return [int(dict(record.headers)["seq"]) for record in self.frames.poll(1000, 0).records]


def test_late_pictures_are_dropped_and_counted() -> None:
    def stalling() -> Iterator[UndecodedPicture]:
        for number in range(80):
            if number == 10:
                time.sleep(2)
            yield UndecodedPicture(number / 20, gray)

    bench = Bench(ScriptedSource(stalling()))
    bench.run()
    published, dropped = bench.published(), bench.sink.dropped("clip")
    assert set(dropped) == {"read too late"}
    assert 5 < dropped.total() < 60
    assert bench.counts.captured == 80 == len(published) + dropped.total()
    assert published[:10] == list(range(10))
    assert published[-1] == 79
    assert bench.health.current.reason == "", "a short delay needs no attention"
    assert bench.reader.error is None
    assert bench.source.closed


@pytest.mark.parametrize("live", [True, False])
def test_a_machine_that_cannot_follow_a_recording_says_so_until_it_can(
    live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, reasons = Clock(), list[str]()
    monkeypatch.setattr("ingest.reader.time", clock)

    def slow() -> Iterator[UndecodedPicture]:
        for offset, late in enumerate((5, 30, 20, 5, 0)):
            clock.now = offset + late
            yield UndecodedPicture(offset, gray)
            reasons.append(bench.health.current.reason)

    bench = Bench(ScriptedSource(slow(), live))
    bench.run()
    too_slow = "this machine cannot read the recording at its own speed: use --fast, or a smaller recording"
    assert reasons == ["", *[too_slow if not live else ""] * 3, ""]
    assert bench.sink.dropped("clip") == {"read too late": 4}
    assert bench.published() == [4]


@pytest.mark.parametrize(("damaged_pictures", "lost"), [(2, False), (3, True)])
def test_a_slow_camera_is_not_given_up_for_a_damaged_picture(
    damaged_pictures: int, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 0.1 pictures per second a picture is expected as often as the read time-out lets one wait."""
    clock = Clock()
    monkeypatch.setattr("ingest.reader.time", clock)

    def pictures() -> Iterator[UndecodedPicture]:
        for decode in (gray, *[damaged] * damaged_pictures, brighter):
            yield UndecodedPicture(None, decode)
            clock.now += 10.1

    bench = Bench(ScriptedSource(pictures(), live=True), replace(SETTINGS, fps=0.1, read_timeout=10))
    bench.run()
    assert bench.published() == ([0] if lost else [0, 3])
    expected = "no picture that can be decoded: it is damaged" if lost else "2 pictures cannot be decoded"
    assert str(bench.reader.error).startswith(expected)


def test_a_recording_that_is_read_fast_is_dated_by_the_clock_however_high_its_token_is() -> None:
    began = wall_clock_us()
    token = began + 365 * 86_400 * MICROSECONDS
    lease = CameraLease(token)
    lease.extend(time.monotonic() + PATIENCE, began)
    pictures = (UndecodedPicture(float(number), gray) for number in range(3))
    bench = Bench(ScriptedSource(pictures), replace(SETTINGS, fast=True), lease=lease)
    bench.run()
    frames = bench.received()
    assert {frame.epoch for frame in frames} == {token}
    assert began <= frames[0].captured_at <= wall_clock_us()
    assert [frame.captured_at - frames[0].captured_at for frame in frames] == [
        number * MICROSECONDS for number in range(3)
    ]


def test_damaged_pictures_are_counted_and_reported_at_the_end() -> None:
    pictures = [UndecodedPicture(n / 100, damaged if n % 3 == 1 else gray) for n in range(10)]
    bench = Bench(ScriptedSource(iter(pictures)))
    bench.run()
    assert bench.published() == [0, 2, 3, 5, 6, 8, 9]
    assert bench.sink.dropped("clip") == {"damaged picture": 3}
    assert str(bench.reader.error) == "3 pictures cannot be decoded, the first: it is damaged"


def test_pictures_before_a_failure_of_the_source_are_published() -> None:
    def breaking() -> Iterator[UndecodedPicture]:
        yield UndecodedPicture(0, gray)
        raise SourceLost("it ends")

    bench = Bench(ScriptedSource(breaking()))
    bench.run()
    assert bench.published() == [0]
    assert str(bench.reader.error) == "it ends"
    assert bench.source.closed
    assert bench.health.current.state is CameraState.ONLINE


@pytest.mark.parametrize("thorough", [True, False])
def test_a_frame_says_whether_small_faces_are_searched_in_it(thorough: bool) -> None:
    bench = Bench(ScriptedSource(iter([UndecodedPicture(0, gray)])), thorough=thorough)
    bench.run()
    (record,) = bench.frames.poll(10, 0).records
    assert codec.decode(record.headers, record.value).thorough is thorough


@pytest.mark.parametrize(("motion_gate", "fast"), [(True, False), (False, False), (True, True)])
def test_pictures_without_a_change_are_counted_and_not_published(motion_gate: bool, fast: bool) -> None:
    """Each frame says how many such pictures are directly before it, so that no gap looks like a drop."""
    pictures = [UndecodedPicture(number / 20, gray) for number in range(80)]
    bench = Bench(ScriptedSource(iter(pictures)), replace(SETTINGS, motion_gate=motion_gate, fast=fast))
    bench.run()
    headers = [dict(each.headers) for each in bench.frames.poll(1000, 0).records]
    unchanged = [int(each.get("unchanged", 0)) for each in headers]
    left_out = bench.sink.unchanged("clip")
    assert bench.counts.captured == 80
    assert bench.sink.dropped("clip").total() + len(headers) + left_out == 80
    assert (left_out > 0) is (motion_gate and not fast)
    if left_out:
        numbers = [int(each["seq"]) for each in headers]
        steps = [0, *(after - before - 1 for before, after in itertools.pairwise(numbers))]
        assert unchanged == steps or bench.sink.dropped("clip")
        assert bench.health.current.state is CameraState.ONLINE


def test_a_wait_for_the_next_picture_ends_when_the_reader_is_cancelled() -> None:
    bench = Bench(ScriptedSource(iter([UndecodedPicture(0, gray), UndecodedPicture(3600, gray)])))
    bench.reader.start()
    assert bench.changed.wait(PATIENCE)
    began = time.monotonic()
    bench.reader.cancel()
    bench.reader.join(PATIENCE)
    assert time.monotonic() - began < 5
    assert bench.published() == [0]
    assert not bench.reader.is_stuck, "a reader that waits for the time of a picture is not stuck"


def test_a_source_that_does_not_return_is_stuck_and_its_later_pictures_are_not_published() -> None:
    release = threading.Event()

    def hanging() -> Iterator[UndecodedPicture]:
        yield UndecodedPicture(0, gray)
        release.wait(PATIENCE)
        yield UndecodedPicture(0.1, gray)

    settings = replace(SETTINGS, open_timeout=0.1, read_timeout=0.1)
    bench = Bench(ScriptedSource(hanging()), settings)
    bench.reader.start()
    until(lambda: bench.reader.is_stuck)
    bench.reader.cancel()
    release.set()
    bench.reader.join(PATIENCE)
    bench.counts.store(bench.sink)
    assert bench.published() == [0]
    assert bench.counts.captured == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_source_is_reported_as_an_error() -> None:
    def faulty() -> Iterator[UndecodedPicture]:
        yield UndecodedPicture(0, gray)
        raise ZeroDivisionError

    bench = Bench(ScriptedSource(faulty()))
    bench.run()
    assert str(bench.reader.error) == "the reader failed: see the log"


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
