"""Worker: a loop that polls frames, analyses them, writes the results and acknowledges the positions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bus import codec
from bus.errors import BadFrame, BrokerUnavailable
from bus.messages import MICROSECONDS, Partition, Positions, Results, check_camera_id
from bus.sinks import ResultSink, SinkFenced, SinkRefused, SinkUnavailable
from bus.transport import Batch, FrameReader, Record
from common.clock import wall_clock_us
from inference.analyser import Analyser
from inference.frame_counts import FrameCounts
from inference.frame_order import FrameOrder, Order
from media.errors import ImageError
from media.images import decode_gray

_POLL_SECONDS = 0.25
_FIRST_RETRY_SECONDS = 0.2
_LAST_RETRY_SECONDS = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """Time limits for frames of live cameras.

    `max_age_us`: a frame that waited longer on the bus is stale: it is skipped and counted.
    `idle_seconds`: the visits of a camera that sends no frame for so long are closed; for a camera whose
    frames are far apart, it is the time of a few of them. A still scene sends a frame every few seconds
    (`ingest.motion`).
    """

    max_age_us: int = 2 * MICROSECONDS
    idle_seconds: float = 8.0


@dataclass(frozen=True, slots=True)
class _Part:
    """The results of one record, or of closing the visits of one camera."""

    partition: Partition
    results: Results
    record: Record | None = None

    @property
    def position(self) -> Positions:
        """The position after the record; empty without one."""
        return {self.partition: self.record.offset + 1} if self.record else {}


class _Stopped(Exception):
    """The worker must stop while the sink or the broker is unavailable."""


class Worker:
    """Reads the frames of its partitions, analyses them and stores the results.

    Args:
        reader: the source of frames; the worker closes it.
        sink: the destination of results.
        analyser: used by this worker only.
        live_limits: None for recordings: all frames are analysed, however old.
        max_ahead_us: how far `captured_at` of a frame may be in the future; None for recordings that are read
            faster than they were recorded.
        batch: largest number of frames in one write.
        clock: returns microseconds UTC.
        monotonic: returns seconds; tells how long a camera has sent no frame.
    """

    def __init__(
        self,
        reader: FrameReader,
        sink: ResultSink,
        analyser: Analyser,
        *,
        live_limits: LiveLimits | None,
        max_ahead_us: int | None = codec.MAX_AHEAD_US,
        batch: int = 16,
        clock: Callable[[], int] = wall_clock_us,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._sink = sink
        self._analyser = analyser
        self._live_limits = live_limits
        self._max_ahead_us = max_ahead_us
        self._batch = batch
        self._clock = clock
        self._monotonic = monotonic
        self.stopped_in_outage = False
        """Whether it had to stop with results that are not stored."""
        self._counts = FrameCounts()
        self._order = FrameOrder()
        self._partition_of: dict[str, Partition] = {}
        self._last_frame_at: dict[str, float] = {}
        self._is_recorded: dict[str, bool] = {}
        self._stored: dict[Partition, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set or the bus has ended; results of frames already analysed are stored.

        Raises:
            SinkRefused: the sink refuses even the count of a rejected frame.
        """
        try:
            while not stop.is_set():
                batch = self._reader.poll(self._batch, _POLL_SECONDS)
                self._process(batch, stop)
                if batch.ended:
                    break
            cameras = self._analyser.cameras
            self._store(self._close(cameras), self._stored_positions(cameras), stop)
        except _Stopped:
            self.stopped_in_outage = True
            _log.warning("stopped; the last batch is not stored, and is read again if the bus has it")
        finally:
            self._reader.close()

    def _process(self, batch: Batch, stop: threading.Event) -> None:
        self._drop_state(batch.revoked)
        parts = [self._analyse(record, stop) for record in batch.records]
        idle = self._idle_cameras()
        positions = {**self._stored_positions(idle), **batch.positions}
        self._store([*parts, *self._close(idle)], positions, stop)

    def _stored_positions(self, cameras: Iterable[str]) -> Positions:
        """The stored positions of these cameras' partitions.

        They are written again with results that no new record caused, so that the sink can fence a worker
        that lost a partition without noticing.
        """
        partitions = {self._partition_of[camera] for camera in cameras}
        return {each: self._stored[each] for each in partitions if each in self._stored}

    def _analyse(self, record: Record, stop: threading.Event) -> _Part:
        results = self._process_record(record, stop)
        return _Part(record.partition, replace(results, minutes=self._counts.take()), record)

    def _process_record(self, record: Record, stop: threading.Event) -> Results:
        now = self._clock()
        try:
            frame = codec.decode(record.headers, record.value, self._max_time(now))
        except BadFrame as error:
            return self._process_bad_frame(record, now, error, stop)
        order = self._find_order(frame.camera_id, frame.epoch, frame.seq, stop)
        if order is Order.REPEATED:
            self._counts.add_repeated(frame.camera_id, frame.captured_at)
            return Results()
        if order is Order.SUPERSEDED:
            self._counts.add_superseded(frame.camera_id, frame.captured_at)
            return self._note(frame.camera_id, frame.epoch, frame.seq)
        self._partition_of[frame.camera_id] = record.partition
        self._last_frame_at[frame.camera_id] = self._monotonic()
        self._is_recorded[frame.camera_id] = frame.recorded
        if self._live_limits and record.waited_us(now, frame.captured_at) > self._live_limits.max_age_us:
            self._counts.add_stale(frame.camera_id, frame.captured_at)
            return self._note(frame.camera_id, frame.epoch, frame.seq)
        try:
            gray = decode_gray(frame.jpeg)
        except ImageError as error:
            self._reject(record, frame.captured_at, error, stop)
            return self._note(frame.camera_id, frame.epoch, frame.seq)
        analysis = self._analyser.analyse(
            frame.camera_id, frame.captured_at, gray, frame.unchanged, frame.thorough, frame.switches
        )
        age = record.age_us(self._clock(), frame.captured_at) if self._live_limits else 0
        self._counts.add_analysed(frame.camera_id, frame.captured_at, analysis.faces, age, frame.unchanged)
        last = self._order.note(frame.camera_id, frame.epoch, frame.seq, analysed=True)
        return replace(analysis.results, last_frames=(last,))

    def _process_bad_frame(self, record: Record, now: int, error: BadFrame, stop: threading.Event) -> Results:
        """Reject a record that is no frame, unless it names a frame that was rejected before."""
        identity = codec.sequence_of(record.headers)
        if identity is None:
            self._reject(record, now, error, stop)
            return Results()
        camera_id, epoch, seq = identity
        if self._find_order(camera_id, epoch, seq, stop) is Order.REPEATED:
            self._counts.add_repeated(camera_id, now)
            return Results()
        self._reject(record, now, error, stop)
        return self._note(camera_id, epoch, seq)

    def _find_order(self, camera_id: str, epoch: int, seq: int, stop: threading.Event) -> Order:
        """The order of a frame; the first one of a camera reads what the sink has stored."""
        if not self._order.has(camera_id):

            def restore() -> None:
                self._order.restore(camera_id, self._sink.last_frames(camera_id))

            self._retry(restore, "the last frames of a camera cannot be read", stop)
        return self._order.classify(camera_id, epoch, seq)

    def _note(self, camera_id: str, epoch: int, seq: int) -> Results:
        """The results of a frame that was counted and not analysed."""
        return Results(last_frames=(self._order.note(camera_id, epoch, seq, analysed=False),))

    def _max_time(self, now: int) -> int:
        """The latest capture time that is accepted."""
        return codec.MAX_TIME_US if self._max_ahead_us is None else now + self._max_ahead_us

    def _reject(self, record: Record, time_us: int, error: Exception, stop: threading.Event) -> None:
        """Put a record into the dead-letter queue, then count it as failed."""
        self._retry(lambda: self._reader.reject(record, str(error)), "a record cannot be rejected", stop)
        try:
            self._counts.add_failed(check_camera_id(codec.camera_of(record.headers) or ""), time_us)
        except ValueError:
            _log.warning("a frame without a valid camera id was rejected: %s", error)

    def _store(self, parts: Sequence[_Part], positions: Positions, stop: threading.Event) -> None:
        """Store a batch in one write, or part by part if the sink refuses it."""
        try:
            self._write(_merge(part.results for part in parts), positions, stop)
        except SinkRefused as error:
            _log.error("the sink refuses a batch, its records are stored one by one: %s", error)
            self._isolate(parts, positions, stop)

    def _isolate(self, parts: Sequence[_Part], positions: Positions, stop: threading.Event) -> None:
        """Store a batch part by part, and reject the records whose results the sink refuses.

        The analyser has already seen the frames after a refused one. Its state is dropped, and the reader
        resumes after the refused record.
        """
        refused: set[Partition] = set()
        fenced: set[Partition] = set()
        for part in parts:
            if part.partition in refused | fenced:
                continue
            after = part.position or {each: n for each, n in positions.items() if each == part.partition}
            try:
                stored = self._write(part.results, after, stop)
            except SinkRefused as error:
                stored = self._reject_part(part, after, error, stop)
                if part.record is not None:
                    refused.add(part.partition)
            if not stored:
                fenced.add(part.partition)
        self._write(
            Results(), {each: n for each, n in positions.items() if each not in refused | fenced}, stop
        )
        if resumed := frozenset(refused - fenced):
            self._drop_state(resumed)
            self._retry(lambda: self._reader.resume(resumed), "positions cannot be read", stop)

    def _reject_part(self, part: _Part, after: Positions, error: SinkRefused, stop: threading.Event) -> bool:
        """Reject the record of a refused part and store that it failed; whether that is stored."""
        if part.record is None:
            _log.error("%s: the sink refuses the last results of closed visits: %s", part.partition, error)
        else:
            self._reject(part.record, self._clock(), error, stop)
        last = tuple(replace(each, analysed=False) for each in part.results.last_frames)
        return self._write(Results(minutes=self._counts.take(), last_frames=last), after, stop)

    def _write(self, results: Results, positions: Positions, stop: threading.Event) -> bool:
        """Write until it succeeds; False if another worker stores one of these partitions."""
        if results or positions:
            try:
                self._retry(lambda: self._sink.write(results, positions), "results cannot be stored", stop)
            except SinkFenced as error:
                self._handle_fence(frozenset(positions), error)
                return False
        self._stored.update(positions)
        self._reader.acknowledge(positions)
        return True

    def _handle_fence(self, partitions: frozenset[Partition], error: Exception) -> None:
        """Drop the state of partitions that another worker stores, and resume at the sink's positions."""
        _log.warning("results were dropped: %s", error)
        self._drop_state(partitions)
        try:
            self._reader.resume(partitions)
        except SinkUnavailable as outage:
            # The sink fences every write until its positions are read, so the next write leads here again.
            _log.error("positions cannot be read at present: %s", outage)

    def _retry(self, call: Callable[[], None], problem: str, stop: threading.Event) -> None:
        """Call with exponential back-off until sink and broker are available, and keep the partitions.

        Raises _Stopped if `stop` is set before that.
        """
        wait = _FIRST_RETRY_SECONDS
        while True:
            try:
                call()
            except (SinkUnavailable, BrokerUnavailable) as error:
                _log.error("%s, next attempt in %.1f s: %s", problem, wait, error)
                self._wait(wait, stop)
                wait = min(2 * wait, _LAST_RETRY_SECONDS)
            else:
                return

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        deadline = time.monotonic() + seconds
        while not stop.is_set() and (left := deadline - time.monotonic()) > 0:
            self._reader.hold(min(left, _POLL_SECONDS))
        if stop.is_set():
            raise _Stopped

    def _idle_cameras(self) -> list[str]:
        if self._live_limits is None:
            return []
        now = self._monotonic()
        return [
            camera
            for camera in self._analyser.cameras
            if now - self._last_frame_at[camera]
            > max(self._live_limits.idle_seconds, self._analyser.longest_wait_us(camera) / MICROSECONDS)
        ]

    def _close(self, cameras: Iterable[str]) -> list[_Part]:
        return [
            _Part(self._partition_of[camera], self._analyser.close(camera, ended=self._is_recorded[camera]))
            for camera in tuple(cameras)
        ]

    def _drop_state(self, lost: frozenset[Partition]) -> None:
        if lost:
            self._order.clear()  # Other workers may have stored frames of their cameras.
        for partition in lost:
            self._stored.pop(partition, None)
        for camera_id, partition in list(self._partition_of.items()):
            if partition in lost:
                del self._partition_of[camera_id]
                self._analyser.close(camera_id, ended=False)
                self._counts.forget(camera_id)


def _merge(parts: Iterable[Results]) -> Results:
    every = tuple(parts)
    return Results(
        visits=tuple(visit for part in every for visit in part.visits),
        observations=tuple(seen for part in every for seen in part.observations),
        minutes=tuple(minute for part in every for minute in part.minutes),
        last_frames=tuple(last for part in every for last in part.last_frames),
    )
