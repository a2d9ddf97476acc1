"""Cameras that send nothing for a while: slow ones keep their visits, interrupted ones gain none."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import pytest
from typing_extensions import override

from bus.embedded import EmbeddedBus
from bus.messages import MICROSECONDS, Frame, Positions
from bus.transport import Batch, FrameReader, Record
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.worker import LiveLimits, Worker
from tests.inference.test_analyser import ScriptedDetector
from tests.inference.test_worker import NOW, Sink, make_frame
from tests.support.people import count_every_face

FACE = (20.0, 20.0, 30.0, 36.0)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture(scope="module")
def frame() -> Frame:
    return make_frame()


class PacedReader(FrameReader):
    """A bus that gets each frame at its time of capture; `clock` passes with each poll, without waiting.

    The faces of `FACE` are in the frames whose numbers are in `visited`.
    """

    def __init__(self, frames: Iterable[Frame], sink: Sink, visited: set[int] | None = None) -> None:
        bus = EmbeddedBus()
        self._writer, self._reader = bus.writer(), bus.reader([0], sink.positions)
        self._frames = deque(enumerate(frames))
        self._visited = visited
        self.detector = ScriptedDetector([FACE], score=0.95)
        self.now_us = NOW

    @override
    def poll(self, limit: int, timeout: float) -> Batch:
        if not self._frames:
            self._writer.close()
        elif self.now_us >= self._frames[0][1].captured_at:
            number, frame = self._frames.popleft()
            self.detector.boxes = [FACE] if self._visited is None or number in self._visited else []
            self._writer.publish(frame)
        else:
            self.now_us += round(timeout * MICROSECONDS)
        return self._reader.poll(limit, 0)

    @override
    def acknowledge(self, positions: Positions) -> None:
        self._reader.acknowledge(positions)

    @override
    def resume(self, partitions: Iterable[object]) -> None:
        raise AssertionError("nothing is fenced or refused here")

    @override
    def hold(self, timeout: float) -> None:
        raise AssertionError("the sink is available")

    @override
    def reject(self, record: Record, reason: str) -> None:
        raise AssertionError(f"a record was rejected: {reason}")

    @override
    def close(self) -> None:
        self._reader.close()


def count_visits(
    frames: Iterable[Frame], classifier: Classifier, visited: set[int] | None = None
) -> list[int]:
    """The numbers of faces of the visits that a live worker stores and closes."""
    sink = Sink()
    reader = PacedReader(frames, sink, visited)
    worker = Worker(
        reader,
        sink,
        Analyser(reader.detector, classifier, "m"),
        live_limits=LiveLimits(),
        clock=lambda: reader.now_us,
        monotonic=lambda: reader.now_us / MICROSECONDS,
    )
    worker.run(threading.Event())
    return [visit.frames for part in sink.written for visit in part.visits if visit.closed]


@pytest.mark.parametrize("spacing_s", [5.0, 8.5, 10.0])
def test_a_camera_at_the_lowest_rates_counts_its_visitors(
    classifier: Classifier, frame: Frame, monkeypatch: pytest.MonkeyPatch, spacing_s: float
) -> None:
    count_every_face(monkeypatch)
    times = [NOW + round(number * spacing_s * MICROSECONDS) for number in range(30)]
    frames = [replace(frame, seq=number, captured_at=time) for number, time in enumerate(times)]
    visited = {number for number in range(30) if number % 6 in (2, 3)}
    assert count_visits(frames, classifier, visited) == [2] * 5


def connections(frame: Frame, count: int, pause_s: int, recorded: bool = False) -> list[Frame]:
    """Connections of six pictures, each too short for a movement, and pauses between them."""
    return [
        replace(frame, epoch=begin, seq=number, captured_at=begin + number * 200_000, recorded=recorded)
        for begin in range(NOW, NOW + count * pause_s * MICROSECONDS, pause_s * MICROSECONDS)
        for number in range(6)
    ]


def test_a_poster_is_no_visitor_of_a_live_camera_that_is_interrupted_again_and_again(
    classifier: Classifier, frame: Frame
) -> None:
    assert count_visits(connections(frame, 10, pause_s=30), classifier) == []


def test_a_short_recording_counts_its_clear_faces_when_it_ends_beside_other_cameras(
    classifier: Classifier, frame: Frame
) -> None:
    """The bus does not end with it: the worker closes it when no more frames come."""
    recording = connections(frame, 1, pause_s=1, recorded=True)
    other = [replace(each, camera_id="door") for each in connections(frame, 2, pause_s=30)]
    frames = sorted([*recording, *other], key=lambda each: each.captured_at)
    assert count_visits(frames, classifier) == [6]
