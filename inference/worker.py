"""The loop that turns frames into rows: poll, analyse, write, acknowledge, nothing else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from bus import codec
from bus.errors import BadFrame
from bus.messages import MICROSECONDS, Frame, Partition, Positions, Results, check_camera_id
from bus.transport import Batch, FrameReader, Record
from inference.analyser import Analyser
from inference.errors import ImageError
from inference.ledger import Ledger
from media.images import decode_gray

_POLL_SECONDS = 0.25
_FIRST_RETRY_SECONDS = 0.2
_LAST_RETRY_SECONDS = 5.0

_log = logging.getLogger(__name__)


class ResultSink(Protocol):
    """Where results go."""

    def write(self, results: Results, positions: Positions) -> None:
        """Store results and positions, all or nothing.

        Raises one of the worker's `outages` where that is impossible for now; the worker then calls
        again with the same arguments. Raises one of its `fenced` where another worker moved a position
        since this one last wrote or read it, and from then on until the position is read again.
        """

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        """The stored positions of those partitions that have one."""


def wall_clock_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """What a worker does about time when its frames come from live cameras.

    `max_age_us`: a frame older than this when its turn comes is skipped and counted as stale.
    `idle_seconds`: a camera that sends nothing for so long has its visits closed.
    """

    max_age_us: int = 2 * MICROSECONDS
    idle_seconds: float = 5.0


class Worker:
    """Reads frames of some partitions, analyses them and stores what they amount to.

    Args:
        reader: where frames come from; the worker closes it when it is done.
        sink: where results go.
        analyser: this worker's own.
        pace: None for recordings, where every frame counts however late.
        outages: what the sink raises while it cannot store.
        fenced: what the sink raises where another worker stores the results of these partitions. They are
            dropped then, and what the sink lacks is read again where the partitions are still this one's.
            Anything else that the sink raises ends the worker.
        batch: frames for one write at most.
        clock: microseconds UTC.
    """

    def __init__(
        self,
        reader: FrameReader,
        sink: ResultSink,
        analyser: Analyser,
        *,
        pace: Pace | None,
        outages: tuple[type[Exception], ...] = (),
        fenced: tuple[type[Exception], ...] = (),
        batch: int = 16,
        clock: Callable[[], int] = wall_clock_us,
    ) -> None:
        self._reader = reader
        self._sink = sink
        self._analyser = analyser
        self._pace = pace
        self._outages = outages
        self._fenced = fenced
        self._batch = batch
        self._clock = clock
        self._ledger = Ledger()
        self._partition_of: dict[str, Partition] = {}
        self._heard_at: dict[str, float] = {}
        self._stored: dict[Partition, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set or the bus has ended; what was begun is stored before it returns."""
        try:
            while not stop.is_set():
                batch = self._reader.poll(self._batch, _POLL_SECONDS)
                if not self._store(*self._process(batch), stop):
                    return
                if batch.ended:
                    break
            cameras = self._analyser.cameras
            self._store(self._close(cameras), self._positions_of(cameras), stop)
        finally:
            self._reader.close()

    def _process(self, batch: Batch) -> tuple[Results, Positions]:
        self._forget(batch.revoked)
        parts = [self._take(record) for record in batch.records]
        idle = self._idle_cameras()
        parts.append(self._close(idle))
        results = Results(
            visits=tuple(visit for part in parts for visit in part.visits),
            observations=tuple(seen for part in parts for seen in part.observations),
            minutes=self._ledger.take(),
        )
        return results, {**self._positions_of(idle), **batch.positions}

    def _positions_of(self, cameras: Iterable[str]) -> Positions:
        """The stored positions of these cameras' partitions.

        They are written once more with what no new record brought about, so that a worker that lost a
        partition unawares is told there, too.
        """
        partitions = {self._partition_of[camera] for camera in cameras}
        return {each: self._stored[each] for each in partitions if each in self._stored}

    def _take(self, record: Record) -> Results:
        now = self._clock()
        try:
            frame = codec.decode(record.headers, record.value)
        except BadFrame as error:
            self._set_aside(record, codec.camera_of(record.headers), now, error)
            return Results()
        self._partition_of[frame.camera_id] = record.partition
        self._heard_at[frame.camera_id] = time.monotonic()
        if self._pace and now - frame.captured_at > self._pace.max_age_us:
            self._ledger.stale(frame.camera_id, frame.captured_at)
            return Results()
        return self._analyse(record, frame)

    def _analyse(self, record: Record, frame: Frame) -> Results:
        try:
            gray = decode_gray(frame.jpeg)
        except ImageError as error:
            self._set_aside(record, frame.camera_id, frame.captured_at, error)
            return Results()
        analysis = self._analyser.analyse(frame.camera_id, frame.captured_at, gray)
        age = max(self._clock() - frame.captured_at, 0) if self._pace else 0
        self._ledger.analysed(frame.camera_id, frame.captured_at, analysis.faces, age)
        return analysis.results

    def _set_aside(self, record: Record, camera_id: str | None, time_us: int, error: Exception) -> None:
        self._reader.reject(record, str(error))
        try:
            self._ledger.failed(check_camera_id(camera_id or ""), time_us)
        except ValueError:
            _log.warning("a frame of no known camera was set aside: %s", error)

    def _store(self, results: Results, positions: Positions, stop: threading.Event) -> bool:
        """Write until it succeeds; False where `stop` came while the sink could not store."""
        wait = _FIRST_RETRY_SECONDS
        while results or positions:
            try:
                self._sink.write(results, positions)
                break
            except self._fenced as error:
                self._give_up(frozenset(positions), error)
                return True
            except self._outages as error:
                _log.error("results cannot be stored, trying again in %.1f s: %s", wait, error)
                if not self._hold(wait, stop):
                    return False
                wait = min(2 * wait, _LAST_RETRY_SECONDS)
        self._stored.update(positions)
        self._reader.acknowledge(positions)
        return True

    def _give_up(self, partitions: frozenset[Partition], error: Exception) -> None:
        """Drop what is known of partitions whose results another worker stores, and ask where to go on."""
        _log.warning("results were dropped: %s", error)
        self._forget(partitions)
        try:
            self._reader.resume(partitions)
        except self._outages as outage:
            # Until it is resumed the sink refuses the partition, which leads here again.
            _log.error("where to go on cannot be asked for now: %s", outage)

    def _hold(self, seconds: float, stop: threading.Event) -> bool:
        """Let `seconds` pass with the partitions in hand; False as soon as `stop` is set."""
        deadline = time.monotonic() + seconds
        while not stop.is_set() and (left := deadline - time.monotonic()) > 0:
            self._reader.hold(min(left, _POLL_SECONDS))
        return not stop.is_set()

    def _idle_cameras(self) -> list[str]:
        if self._pace is None:
            return []
        latest = time.monotonic() - self._pace.idle_seconds
        return [camera for camera in self._analyser.cameras if self._heard_at[camera] < latest]

    def _close(self, cameras: Iterable[str]) -> Results:
        closed = [self._analyser.close(camera) for camera in tuple(cameras)]
        return Results(
            visits=tuple(visit for part in closed for visit in part.visits),
            observations=tuple(seen for part in closed for seen in part.observations),
        )

    def _forget(self, lost: frozenset[Partition]) -> None:
        for partition in lost:
            self._stored.pop(partition, None)
        for camera_id, partition in list(self._partition_of.items()):
            if partition in lost:
                del self._partition_of[camera_id]
                self._analyser.close(camera_id)
