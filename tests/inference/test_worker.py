"""The worker between a real embedded bus and a sink that fails on request."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bus import codec
from bus.embedded import EmbeddedBus, EmbeddedReader
from bus.errors import BrokerUnavailable
from bus.messages import CameraMinute, Frame, LastFrame, Partition, Positions, Results
from bus.sinks import SinkFenced, SinkRefused, SinkUnavailable
from bus.transport import Record
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Faces, ScoreLevels
from inference.worker import LiveLimits, Worker
from tests.support.people import count_every_face

NOW = 1_700_000_000_000_000


@dataclass
class OneFace:
    """A detector that always finds the same face."""

    levels = ScoreLevels(weak=0.3, face=0.5, sure=0.8)

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        return Faces(np.array([[20, 20, 30, 36]], np.float32), np.array([0.9], np.float32))


@dataclass
class Sink:
    """Keeps the written results; the first `failures` writes fail."""

    failures: int = 0
    attempts: int = 0
    written: list[Results] = field(default_factory=list)
    stored: dict[Partition, int] = field(default_factory=dict)
    frames: dict[str, list[LastFrame]] = field(default_factory=dict)

    def write(self, results: Results, positions: Positions) -> None:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise SinkUnavailable("database is unavailable")
        self.written.append(results)
        self.stored.update(positions)
        for last in results.last_frames:
            self.frames.setdefault(last.camera_id, []).append(last)

    def last_frames(self, camera_id: str) -> list[LastFrame]:
        return self.frames.get(camera_id, [])

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        return {each: self.stored[each] for each in partitions if each in self.stored}

    def total(self, name: str) -> int:
        return sum(getattr(minute, name) for part in self.written for minute in part.minutes)


@pytest.fixture(autouse=True)
def every_face_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    count_every_face(monkeypatch)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def make_frame() -> Frame:
    """The first frame of the camera `till`: noise."""
    pixels = np.random.default_rng(3).integers(0, 255, (96, 128), np.uint8)
    _, jpeg = cv2.imencode(".jpg", pixels)
    return Frame("till", NOW, 0, NOW, 128, 96, jpeg.tobytes())


@pytest.fixture(scope="module")
def frame() -> Frame:
    return make_frame()


def later(frame: Frame, count: int, step_us: int = 200_000) -> list[Frame]:
    return [replace(frame, seq=i, captured_at=NOW + i * step_us) for i in range(count)]


def work(
    frames: list[Frame], sink: Sink, classifier: Classifier, live_limits: LiveLimits | None = None
) -> None:
    """Run one worker over `frames` until the bus has ended."""
    bus = EmbeddedBus(capacity=1000)
    writer = bus.writer()
    for each in frames:
        writer.publish(each)
    writer.close()
    reader = bus.reader([0], sink.positions)
    analyser = Analyser(OneFace(), classifier, "m")
    clock = (lambda: NOW + 1_000_000) if live_limits else (lambda: NOW)
    worker = Worker(reader, sink, analyser, live_limits=live_limits, clock=clock)
    thread = threading.Thread(target=worker.run, args=(threading.Event(),))
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_every_frame_is_counted_and_the_visit_is_closed_at_the_end(
    classifier: Classifier, frame: Frame
) -> None:
    sink = Sink()
    work(later(frame, 40), sink, classifier)
    assert (sink.total("analysed"), sink.total("faces")) == (40, 40)
    assert sink.total("watched_us") == 39 * 200_000
    closed = [visit for part in sink.written for visit in part.visits if visit.closed]
    assert [visit.frames for visit in closed] == [40]
    assert sink.stored == {Partition("embedded", 0): 40}


def test_an_outage_of_the_sink_pauses_the_worker_and_loses_nothing(
    classifier: Classifier, frame: Frame
) -> None:
    sink = Sink(failures=2)
    work(later(frame, 10), sink, classifier)
    assert sink.attempts > 2
    assert sink.total("analysed") == 10


def test_partitions_are_held_while_the_sink_is_unavailable(
    classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[float] = []
    hold = EmbeddedReader.hold

    def noted(reader: EmbeddedReader, timeout: float) -> None:
        held.append(timeout)
        hold(reader, timeout)

    monkeypatch.setattr(EmbeddedReader, "hold", noted)
    work(later(frame, 10), Sink(failures=2), classifier)
    assert sum(held) == pytest.approx(0.2 + 0.4, rel=0.5)
    assert max(held) <= 0.25, "the reader is never silent for long"


def test_stale_frames_are_skipped_and_counted(classifier: Classifier, frame: Frame) -> None:
    sink = Sink()
    frames = [replace(frame, epoch=NOW - 9, captured_at=NOW - 5_000_000), *later(frame, 3)]
    work(frames, sink, classifier, LiveLimits(max_age_us=2_000_000))
    assert (sink.total("stale"), sink.total("analysed")) == (1, 3)
    assert sink.total("age_sum_us") == 1_000_000 + 800_000 + 600_000


def test_a_repeated_frame_is_counted_as_repeated_and_analysed_once(
    classifier: Classifier, frame: Frame
) -> None:
    sink, frames = Sink(), later(frame, 10)
    work([*frames, *frames[3:7], frames[9]], sink, classifier)
    assert (sink.total("analysed"), sink.total("repeated"), sink.total("failed")) == (10, 5, 0)
    assert sink.stored == {PARTITION: 15}


def test_a_frame_that_an_earlier_worker_stored_is_not_analysed_again(
    classifier: Classifier, frame: Frame
) -> None:
    """Each run of `work` is another worker, which knows what the sink has stored."""
    sink, frames = Sink(), later(frame, 10)
    for part in (frames[:6], frames):
        sink.stored.clear()  # The bus of each run is new.
        work(part, sink, classifier)
    assert (sink.total("analysed"), sink.total("repeated")) == (10, 6)


def test_frames_of_a_capture_that_was_replaced_are_counted_as_superseded(
    classifier: Classifier, frame: Frame
) -> None:
    sink, old = Sink(), later(frame, 6)
    new = [replace(each, epoch=frame.epoch + 1, captured_at=each.captured_at + 10_000_000) for each in old]
    work([*old[:3], *new[:2], *old[1:], *new], sink, classifier)
    assert (sink.total("analysed"), sink.total("superseded"), sink.total("repeated")) == (3 + 6, 3, 2 + 2)


@pytest.mark.parametrize("damage", [b"\xff\xd8 no picture", b"PNG"])
def test_a_damaged_frame_supersedes_no_frame_and_is_rejected_once(
    classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    rejected, sink, frames = RejectedRecords(monkeypatch), Sink(), later(frame, 5)
    poison = replace(frame, epoch=frame.epoch + 1_000_000, jpeg=damage)
    work([frames[0], poison, poison, *frames[1:]], sink, classifier)
    assert (sink.total("analysed"), sink.total("failed"), sink.total("repeated")) == (5, 1, 1)
    assert rejected.offsets == [(0, 1)]


def test_stale_frames_supersede_no_frame(classifier: Classifier, frame: Frame) -> None:
    sink = Sink()
    old = replace(frame, epoch=frame.epoch + 1_000_000, captured_at=NOW - 5_000_000)
    work([old, *later(frame, 3)], sink, classifier, LiveLimits(max_age_us=2_000_000))
    assert (sink.total("stale"), sink.total("analysed"), sink.total("superseded")) == (1, 3, 0)


def test_the_last_frames_are_read_until_the_sink_is_available(classifier: Classifier, frame: Frame) -> None:
    sink = Sink()
    failures = iter([SinkUnavailable("database is unavailable")] * 2)

    def last_frames(camera_id: str) -> list[LastFrame]:
        if failure := next(failures, None):
            raise failure
        return []

    sink.last_frames = last_frames  # type: ignore[method-assign]
    work(later(frame, 10), sink, classifier)
    assert sink.total("analysed") == 10


@pytest.mark.parametrize("damage", [b"\xff\xd8 no picture", b"PNG", None])
def test_a_damaged_frame_is_counted_and_the_others_are_analysed(
    classifier: Classifier, frame: Frame, damage: bytes | None
) -> None:
    sink = Sink()
    frames = later(frame, 5)
    frames[2] = replace(frames[2], jpeg=frame.jpeg[: len(frame.jpeg) // 2] if damage is None else damage)
    work(frames, sink, classifier)
    assert (sink.total("failed"), sink.total("analysed")) == (1, 4)


def test_the_visits_of_a_camera_without_frames_are_closed(classifier: Classifier, frame: Frame) -> None:
    sink, stop = Sink(), threading.Event()
    bus = EmbeddedBus()
    writer = bus.writer()
    analyser = Analyser(OneFace(), classifier, "m")
    live_limits = LiveLimits(max_age_us=10**16, idle_seconds=0.2)
    worker = Worker(bus.reader([0], sink.positions), sink, analyser, live_limits=live_limits)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    for each in later(frame, 4):
        writer.publish(each)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        closed = Counter(visit.closed for part in list(sink.written) for visit in part.visits)
        if closed[True]:
            break
        time.sleep(0.02)
    stop.set()
    thread.join(timeout=60)
    assert closed[True] == 1


def test_open_visits_are_stored_when_the_worker_stops(classifier: Classifier, frame: Frame) -> None:
    sink, stop = Sink(), threading.Event()
    bus = EmbeddedBus(capacity=100)
    writer = bus.writer()
    worker = Worker(
        bus.reader([0], sink.positions), sink, Analyser(OneFace(), classifier, "m"), live_limits=None
    )
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    for each in later(frame, 50):
        writer.publish(each)
    while sink.total("analysed") < 50:
        time.sleep(0.01)
    stop.set()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert [visit.frames for visit in sink.written[-1].visits if visit.closed] == [50]
    minutes: list[CameraMinute] = [minute for part in sink.written for minute in part.minutes]
    assert sum(minute.analysed for minute in minutes) == 50


class FencedSink(Sink):
    """Fences write number `at`; another worker has stored `elsewhere` before it."""

    def __init__(self, at: int, elsewhere: dict[Partition, int]) -> None:
        super().__init__()
        self.at = at
        self.elsewhere = elsewhere
        self.asked: list[set[Partition]] = []

    def write(self, results: Results, positions: Positions) -> None:
        if self.attempts + 1 == self.at:
            self.attempts += 1
            self.stored.update(self.elsewhere)
            raise SinkFenced("positions were moved")
        super().write(results, positions)

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        wanted = set(partitions)
        self.asked.append(wanted)
        return super().positions(wanted)


PARTITION = Partition("embedded", 0)


def work_fenced(frames: list[Frame], sink: Sink, classifier: Classifier, partitions: int = 1) -> None:
    """Run one worker over `frames`, four to a batch, until the bus has ended."""
    bus = EmbeddedBus(partitions, capacity=1000)
    writer = bus.writer()
    for each in frames:
        writer.publish(each)
    writer.close()
    reader = bus.reader(range(partitions), sink.positions)
    analyser = Analyser(OneFace(), classifier, "m")
    worker = Worker(reader, sink, analyser, live_limits=None, batch=4)
    thread = threading.Thread(target=worker.run, args=(threading.Event(),))
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_a_fenced_worker_drops_the_batch_and_resumes_at_the_position_of_the_sink(
    classifier: Classifier, frame: Frame
) -> None:
    """Batches of 4: the second is fenced, because another worker has stored up to 6."""
    sink = FencedSink(at=2, elsewhere={PARTITION: 6})
    work_fenced(later(frame, 20), sink, classifier)
    assert sink.stored == {PARTITION: 20}
    assert sink.total("analysed") == 4 + 14, "frames 4 and 5 are the other worker's"
    ids = [visit.visit_id for part in sink.written for visit in part.visits if visit.closed]
    assert len(ids) == 1, "the visit that was open when the partition was lost is not written again"
    first_seen = {visit.first_seen for part in sink.written[1:] for visit in part.visits}
    assert first_seen == {NOW + 6 * 200_000}


def test_time_that_another_worker_has_watched_is_not_counted_again(
    classifier: Classifier, frame: Frame
) -> None:
    """Frames 4 to 7 are fenced, and the other worker has stored them and those up to 19."""
    sink = FencedSink(at=2, elsewhere={PARTITION: 8})
    frames = later(frame, 30)
    work_fenced([*frames[:8], *frames[20:]], sink, classifier)
    assert sink.total("analysed") == 4 + 10
    assert sink.total("watched_us") == (3 + 9) * 200_000


def test_frames_that_were_fenced_by_mistake_are_analysed_again(classifier: Classifier, frame: Frame) -> None:
    sink = FencedSink(at=2, elsewhere={})
    work_fenced(later(frame, 20), sink, classifier)
    assert (sink.total("analysed"), sink.stored) == (20, {PARTITION: 20})


def test_a_fenced_batch_of_two_partitions_is_dropped_and_both_are_resumed(
    classifier: Classifier, frame: Frame
) -> None:
    other = Partition("embedded", 1)
    sink = FencedSink(at=2, elsewhere={other: 4})
    frames = [replace(each, camera_id=camera) for each in later(frame, 8) for camera in ("a", "b")]
    work_fenced(frames, sink, classifier, partitions=2)
    assert sink.asked == [{PARTITION, other}, {PARTITION, other}]
    assert sink.stored == {PARTITION: 8, other: 8}
    counted = Counter[str]()
    for part in sink.written:
        for minute in part.minutes:
            counted[minute.camera_id] += minute.analysed
    assert counted == {"a": 8, "b": 6}


def test_results_without_a_frame_are_fenced_too(classifier: Classifier, frame: Frame) -> None:
    """The visits that are closed at the end belong to the worker that has the partition."""
    sink = FencedSink(at=3, elsewhere={PARTITION: 9})
    work_fenced(later(frame, 8), sink, classifier)
    assert sink.attempts == 3
    assert not any(visit.closed for part in sink.written for visit in part.visits)


def test_a_worker_that_cannot_read_the_positions_tries_again(classifier: Classifier, frame: Frame) -> None:
    sink = FencedSink(at=2, elsewhere={})
    answer = sink.positions
    failures = iter([SinkUnavailable("database is unavailable")])

    def positions(partitions: Iterable[Partition]) -> Positions:
        if sink.attempts == 2 and (failure := next(failures, None)):
            sink.at = 3  # A sink fences a partition until its position is read.
            raise failure
        return answer(partitions)

    sink.positions = positions  # type: ignore[method-assign]
    work_fenced(later(frame, 20), sink, classifier)
    assert (sink.total("analysed"), sink.stored) == (20, {PARTITION: 20})


class RefusingSink(Sink):
    """Refuses every write that `is_bad`."""

    def __init__(self, is_bad: Callable[[Results], bool]) -> None:
        super().__init__()
        self.is_bad = is_bad

    def write(self, results: Results, positions: Positions) -> None:
        if self.is_bad(results):
            raise SinkRefused("value out of range")
        for partition, position in positions.items():
            assert position >= self.stored.get(partition, 0), "a position never moves back"
        super().write(results, positions)


class RejectedRecords:
    """The offsets of the records that a reader rejected; `failures` attempts fail first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failures: int = 0) -> None:
        self.offsets: list[tuple[int, int]] = []
        self.attempts = 0

        def reject(_: EmbeddedReader, record: Record, reason: str) -> None:
            self.attempts += 1
            if self.attempts <= failures:
                raise BrokerUnavailable("no broker answers")
            self.offsets.append((record.partition.number, record.offset))

        monkeypatch.setattr(EmbeddedReader, "reject", reject)


def captured_at(number: int) -> int:
    """When frame `number` of `later` was captured."""
    return NOW + number * 200_000


@pytest.mark.parametrize("poison", [0, 3, 5, 18])
def test_a_record_whose_results_are_refused_is_rejected_and_every_other_frame_counts(
    classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch, poison: int
) -> None:
    rejected = RejectedRecords(monkeypatch)
    sink = RefusingSink(lambda results: any(m.analysed and is_poison(m) for m in results.minutes))
    frames = later(frame, 20)
    frames[poison] = replace(frames[poison], captured_at=frames[poison].captured_at + 3600_000_000)

    def is_poison(minute: CameraMinute) -> bool:
        return minute.minute > NOW + 1800_000_000

    work_fenced(frames, sink, classifier)
    assert rejected.offsets == [(0, poison)]
    assert (sink.total("analysed"), sink.total("failed"), sink.stored) == (19, 1, {PARTITION: 20})


def test_a_refused_record_ends_its_visit_and_the_next_frames_begin_another_one(
    classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected = RejectedRecords(monkeypatch)
    sink = RefusingSink(lambda results: any(visit.last_seen == captured_at(5) for visit in results.visits))
    work_fenced(later(frame, 20), sink, classifier)
    assert rejected.offsets == [(0, 5)]
    assert (sink.total("analysed"), sink.total("failed")) == (19, 1)
    closed = [visit for part in sink.written for visit in part.visits if visit.closed]
    assert [visit.first_seen for visit in closed] == [captured_at(6)]


def test_a_refused_record_leaves_other_partitions_as_they_are(
    classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected = RejectedRecords(monkeypatch)
    sink = RefusingSink(
        lambda results: any(
            visit.camera_id == "a" and visit.last_seen == captured_at(5) for visit in results.visits
        )
    )
    frames = [replace(each, camera_id=camera) for each in later(frame, 12) for camera in ("a", "b")]
    work_fenced(frames, sink, classifier, partitions=2)
    assert rejected.offsets == [(0, 5)]
    assert sink.stored == {PARTITION: 12, Partition("embedded", 1): 12}
    closed = {visit.camera_id: visit for part in sink.written for visit in part.visits if visit.closed}
    assert (closed["a"].frames, closed["b"].frames) == (6, 12)
    assert (sink.total("analysed"), sink.total("failed")) == (23, 1)


def test_closing_results_that_are_refused_are_dropped(classifier: Classifier, frame: Frame) -> None:
    sink = RefusingSink(lambda results: any(visit.closed for visit in results.visits))
    work_fenced(later(frame, 8), sink, classifier)
    assert (sink.total("analysed"), sink.total("failed"), sink.stored) == (8, 0, {PARTITION: 8})


def test_a_sink_that_refuses_the_count_of_a_rejected_record_ends_the_worker(
    classifier: Classifier, frame: Frame
) -> None:
    bus, sink = EmbeddedBus(capacity=100), RefusingSink(bool)
    bus.writer().publish(frame)
    worker = Worker(
        bus.reader([0], sink.positions), sink, Analyser(OneFace(), classifier, "m"), live_limits=None
    )
    with pytest.raises(SinkRefused):
        worker.run(threading.Event())
    assert sink.stored == {}


def test_a_record_that_cannot_be_rejected_yet_is_tried_again(
    classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected, sink = RejectedRecords(monkeypatch, failures=2), Sink()
    frames = later(frame, 5)
    frames[2] = replace(frames[2], jpeg=b"PNG")
    work(frames, sink, classifier)
    assert (rejected.attempts, rejected.offsets) == (3, [(0, 2)])
    assert (sink.total("failed"), sink.total("analysed"), sink.stored) == (1, 4, {PARTITION: 5})


def test_no_position_passes_a_record_that_could_not_be_rejected(
    classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected, sink, stop = RejectedRecords(monkeypatch, failures=10**6), Sink(), threading.Event()
    bus = EmbeddedBus(capacity=100)
    writer = bus.writer()
    writer.publish(frame)
    writer.publish(replace(frame, seq=1, jpeg=b"PNG"))
    worker = Worker(
        bus.reader([0], sink.positions), sink, Analyser(OneFace(), classifier, "m"), live_limits=None
    )
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    while rejected.attempts < 3:
        time.sleep(0.01)
    stop.set()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert sink.stored.get(PARTITION, 0) <= 1
    offsets = [record.offset for record in bus.reader([0], sink.positions).poll(10, 1).records]
    assert offsets[-1] == 1, "the record is delivered again"


@pytest.mark.parametrize(("max_ahead_us", "failed"), [(codec.MAX_AHEAD_US, 1), (None, 0)])
def test_a_frame_more_than_a_day_in_the_future_is_rejected_unless_it_is_recorded(
    classifier: Classifier,
    frame: Frame,
    monkeypatch: pytest.MonkeyPatch,
    max_ahead_us: int | None,
    failed: int,
) -> None:
    rejected, sink, bus = RejectedRecords(monkeypatch), Sink(), EmbeddedBus(capacity=100)
    writer = bus.writer()
    for seq, ahead in enumerate((0, codec.MAX_AHEAD_US, codec.MAX_AHEAD_US + 1)):
        writer.publish(replace(frame, seq=seq, captured_at=NOW + ahead))
    writer.close()
    analyser = Analyser(OneFace(), classifier, "m")
    reader = bus.reader([0], sink.positions)
    worker = Worker(reader, sink, analyser, live_limits=None, max_ahead_us=max_ahead_us, clock=lambda: NOW)
    worker.run(threading.Event())
    assert rejected.offsets == [(0, 2)] * failed
    assert (sink.total("analysed"), sink.total("failed")) == (3 - failed, failed)
    assert all(m.minute <= NOW for part in sink.written for m in part.minutes if m.failed)
