"""The worker between a real embedded bus and a sink that can be told to fail."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bus.embedded import EmbeddedBus, EmbeddedReader
from bus.messages import CameraMinute, Frame, Partition, Positions, Results
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Faces, ScoreLevels
from inference.worker import Pace, Worker

NOW = 1_700_000_000_000_000


@dataclass
class OneFace:
    """A detector that always sees the same face."""

    levels = ScoreLevels(weak=0.3, face=0.5, sure=0.8)

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        return Faces(np.array([[20, 20, 30, 36]], np.float32), np.array([0.9], np.float32))


class Outage(Exception):
    pass


@dataclass
class Sink:
    """Keeps what is written; the first `failures` writes fail."""

    failures: int = 0
    attempts: int = 0
    written: list[Results] = field(default_factory=list)
    stored: dict[Partition, int] = field(default_factory=dict)

    def write(self, results: Results, positions: Positions) -> None:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise Outage("database is away")
        self.written.append(results)
        self.stored.update(positions)

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        return {each: self.stored[each] for each in partitions if each in self.stored}

    def total(self, name: str) -> int:
        return sum(getattr(minute, name) for part in self.written for minute in part.minutes)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture(scope="module")
def frame() -> Frame:
    pixels = np.random.default_rng(3).integers(0, 255, (96, 128), np.uint8)
    _, jpeg = cv2.imencode(".jpg", pixels)
    return Frame("till", NOW, 0, NOW, 128, 96, jpeg.tobytes())


def later(frame: Frame, count: int, step_us: int = 200_000) -> list[Frame]:
    return [replace(frame, seq=i, captured_at=NOW + i * step_us) for i in range(count)]


def work(frames: list[Frame], sink: Sink, classifier: Classifier, pace: Pace | None = None) -> None:
    """Run one worker over `frames` until the bus has ended."""
    bus = EmbeddedBus(capacity=1000)
    writer = bus.writer()
    for each in frames:
        writer.publish(each)
    writer.close()
    reader = bus.reader([0], sink.positions)
    analyser = Analyser(OneFace(), classifier, "m")
    clock = (lambda: NOW + 1_000_000) if pace else (lambda: NOW)
    worker = Worker(reader, sink, analyser, pace=pace, outages=(Outage,), clock=clock)
    thread = threading.Thread(target=worker.run, args=(threading.Event(),))
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_every_frame_is_counted_and_the_visit_closed_at_the_end(classifier: Classifier, frame: Frame) -> None:
    sink = Sink()
    work(later(frame, 40), sink, classifier)
    assert (sink.total("analysed"), sink.total("faces")) == (40, 40)
    assert sink.total("watched_us") == 39 * 200_000
    closed = [visit for part in sink.written for visit in part.visits if visit.closed]
    assert [visit.frames for visit in closed] == [40]
    assert sink.stored == {Partition("embedded", 0): 40}


def test_an_outage_of_the_sink_pauses_and_loses_nothing(classifier: Classifier, frame: Frame) -> None:
    sink = Sink(failures=2)
    work(later(frame, 10), sink, classifier)
    assert sink.attempts > 2
    assert sink.total("analysed") == 10


def test_partitions_are_held_while_the_sink_is_away(
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
    assert max(held) <= 0.25, "the reader is never out of touch for long"


def test_frames_that_are_too_old_are_skipped_and_counted(classifier: Classifier, frame: Frame) -> None:
    sink = Sink()
    frames = [replace(frame, captured_at=NOW - 5_000_000), *later(frame, 3)]
    work(frames, sink, classifier, Pace(max_age_us=2_000_000))
    assert (sink.total("stale"), sink.total("analysed")) == (1, 3)
    assert sink.total("age_sum_us") == 1_000_000 + 800_000 + 600_000


@pytest.mark.parametrize("damage", [b"\xff\xd8 no picture", b"PNG", None])
def test_a_poison_frame_is_counted_and_the_rest_goes_on(
    classifier: Classifier, frame: Frame, damage: bytes | None
) -> None:
    sink = Sink()
    frames = later(frame, 5)
    frames[2] = replace(frames[2], jpeg=frame.jpeg[: len(frame.jpeg) // 2] if damage is None else damage)
    work(frames, sink, classifier)
    assert (sink.total("failed"), sink.total("analysed")) == (1, 4)


def test_a_camera_that_falls_silent_has_its_visits_closed(classifier: Classifier, frame: Frame) -> None:
    sink, stop = Sink(), threading.Event()
    bus = EmbeddedBus()
    writer = bus.writer()
    analyser = Analyser(OneFace(), classifier, "m")
    pace = Pace(max_age_us=10**16, idle_seconds=0.2)
    worker = Worker(bus.reader([0], sink.positions), sink, analyser, pace=pace)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    for each in later(frame, 4):
        writer.publish(each)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        closed = Counter(visit.closed for part in list(sink.written) for visit in part.visits)
        if closed[True]:
            break
        time.sleep(0.02)
    stop.set()
    thread.join(timeout=5)
    assert closed[True] == 1


def test_stopping_stores_what_was_begun(classifier: Classifier, frame: Frame) -> None:
    sink, stop = Sink(), threading.Event()
    bus = EmbeddedBus(capacity=100)
    writer = bus.writer()
    worker = Worker(bus.reader([0], sink.positions), sink, Analyser(OneFace(), classifier, "m"), pace=None)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    for each in later(frame, 50):
        writer.publish(each)
    while sink.total("analysed") < 50:
        time.sleep(0.01)
    stop.set()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert [visit.frames for visit in sink.written[-1].visits if visit.closed] == [50]
    minutes: list[CameraMinute] = [minute for part in sink.written for minute in part.minutes]
    assert sum(minute.analysed for minute in minutes) == 50


class Lost(Exception):
    pass


class FencedSink(Sink):
    """Refuses the n-th write; somebody else stored `elsewhere` in the meantime."""

    def __init__(self, at: int, elsewhere: dict[Partition, int]) -> None:
        super().__init__()
        self.at = at
        self.elsewhere = elsewhere
        self.asked: list[set[Partition]] = []

    def write(self, results: Results, positions: Positions) -> None:
        if self.attempts + 1 == self.at:
            self.attempts += 1
            self.stored.update(self.elsewhere)
            raise Lost("positions were moved")
        super().write(results, positions)

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        wanted = set(partitions)
        self.asked.append(wanted)
        return super().positions(wanted)


LANE = Partition("embedded", 0)


def work_fenced(frames: list[Frame], sink: Sink, classifier: Classifier, partitions: int = 1) -> None:
    """Run one worker over `frames`, four to a batch, until the bus has ended."""
    bus = EmbeddedBus(partitions, capacity=1000)
    writer = bus.writer()
    for each in frames:
        writer.publish(each)
    writer.close()
    reader = bus.reader(range(partitions), sink.positions)
    analyser = Analyser(OneFace(), classifier, "m")
    worker = Worker(reader, sink, analyser, pace=None, outages=(Outage,), fenced=(Lost,), batch=4)
    thread = threading.Thread(target=worker.run, args=(threading.Event(),))
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_a_fenced_worker_drops_the_batch_and_goes_on_from_where_the_sink_is(
    classifier: Classifier, frame: Frame
) -> None:
    """Batches of 4: the second is refused, since another worker stored up to 6 by then."""
    sink = FencedSink(at=2, elsewhere={LANE: 6})
    work_fenced(later(frame, 20), sink, classifier)
    assert sink.stored == {LANE: 20}
    assert sink.total("analysed") == 4 + 14, "frames 4 and 5 are the other worker's"
    ids = [visit.visit_id for part in sink.written for visit in part.visits if visit.closed]
    assert len(ids) == 1, "the visit that was open when the partition was lost is not told any further"
    first_seen = {visit.first_seen for part in sink.written[1:] for visit in part.visits}
    assert first_seen == {NOW + 6 * 200_000}


def test_what_was_fenced_by_mistake_is_analysed_again(classifier: Classifier, frame: Frame) -> None:
    sink = FencedSink(at=2, elsewhere={})
    work_fenced(later(frame, 20), sink, classifier)
    assert (sink.total("analysed"), sink.stored) == (20, {LANE: 20})


def test_a_batch_of_two_partitions_is_dropped_whole_and_both_are_resumed(
    classifier: Classifier, frame: Frame
) -> None:
    other = Partition("embedded", 1)
    sink = FencedSink(at=2, elsewhere={other: 4})
    frames = [replace(each, camera_id=camera) for each in later(frame, 8) for camera in ("a", "b")]
    work_fenced(frames, sink, classifier, partitions=2)
    assert sink.asked == [{LANE, other}, {LANE, other}]
    assert sink.stored == {LANE: 8, other: 8}
    counted = Counter[str]()
    for part in sink.written:
        for minute in part.minutes:
            counted[minute.camera_id] += minute.analysed
    assert counted == {"a": 8, "b": 6}


def test_what_no_frame_brought_about_is_fenced_as_well(classifier: Classifier, frame: Frame) -> None:
    """The visits that are closed at the end belong to whoever has the partition then."""
    sink = FencedSink(at=3, elsewhere={LANE: 9})
    work_fenced(later(frame, 8), sink, classifier)
    assert sink.attempts == 3
    assert not any(visit.closed for part in sink.written for visit in part.visits)


def test_a_worker_that_cannot_ask_where_to_go_on_asks_again(classifier: Classifier, frame: Frame) -> None:
    sink = FencedSink(at=2, elsewhere={})
    answer = sink.positions
    failures = iter([Outage("database is away")])

    def positions(partitions: Iterable[Partition]) -> Positions:
        if sink.attempts == 2 and (failure := next(failures, None)):
            sink.at = 3  # A sink refuses the partition until it was asked about it.
            raise failure
        return answer(partitions)

    sink.positions = positions  # type: ignore[method-assign]
    work_fenced(later(frame, 20), sink, classifier)
    assert (sink.total("analysed"), sink.stored) == (20, {LANE: 20})


def test_being_fenced_ends_a_worker_that_was_not_told_of_it(classifier: Classifier, frame: Frame) -> None:
    bus, sink = EmbeddedBus(capacity=100), FencedSink(at=1, elsewhere={})
    writer = bus.writer()
    writer.publish(frame)
    writer.close()
    worker = Worker(bus.reader([0], sink.positions), sink, Analyser(OneFace(), classifier, "m"), pace=None)
    with pytest.raises(Lost):
        worker.run(threading.Event())
