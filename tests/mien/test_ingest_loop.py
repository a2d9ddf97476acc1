"""The loop of `mien ingest`: with --fast it waits for Kafka at its end; an error of its threads ends it."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import pytest

from mien.loops.ingest import capture
from mien.metrics import Metrics
from mien.wiring.scaled import IngestParts
from storage.errors import DatabaseError

PATIENCE_S = 60.0


class Supervisor:
    """Captures that have read their recordings, unless `is_live`; `error` is what `check` raises."""

    def __init__(self) -> None:
        self.is_live = False
        self.checked = threading.Event()
        self.ended = threading.Event()
        self.error: Exception | None = None

    def start(self) -> None:
        if not self.is_live:
            self.ended.set()

    def stop(self, timeout: float) -> None:
        pass

    def check(self) -> None:
        self.checked.set()
        if self.error is not None:
            raise self.error

    def captured(self) -> dict[str, int]:
        return {}


class Frames:
    """A writer whose frames wait until the test lets them arrive; `error` is what `check` raises."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.arrived = threading.Event()
        self.waited = threading.Event()
        self.lost: bool | None = None

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def wait_until_empty(self, timeout: float) -> bool:
        empty = self.arrived.wait(timeout)
        self.waited.set()
        return empty

    def close(self) -> None:
        self.lost = not self.arrived.is_set()


class Registry:
    """A registry without cameras."""

    def cameras(self) -> list[Any]:
        return []


class Ingestion:
    """A run of the loop in a thread."""

    def __init__(self, pool: ThreadPoolExecutor, drain: bool) -> None:
        self.supervisor, self.frames, self.stop = Supervisor(), Frames(), threading.Event()
        self._pool, self._drain = pool, drain

    def start(self) -> Future[None]:
        parts = IngestParts(
            cast(Any, self.supervisor), cast(Any, self.frames), cast(Any, Registry()), cast(Any, None)
        )
        return self._pool.submit(capture, parts, Metrics(), self.stop, self._drain)


def test_recordings_that_are_read_fast_wait_until_kafka_has_every_frame() -> None:
    with ThreadPoolExecutor() as pool:
        ingestion = Ingestion(pool, drain=True)
        running = ingestion.start()
        assert ingestion.frames.waited.wait(PATIENCE_S)
        assert ingestion.frames.lost is None, "the writer is still open"
        ingestion.frames.arrived.set()
        running.result(PATIENCE_S)
        assert ingestion.frames.lost is False


def test_a_signal_ends_the_wait_for_kafka() -> None:
    with ThreadPoolExecutor() as pool:
        ingestion = Ingestion(pool, drain=True)
        running = ingestion.start()
        assert ingestion.frames.waited.wait(PATIENCE_S)
        ingestion.stop.set()
        running.result(PATIENCE_S)
        assert ingestion.frames.lost is True


def test_recordings_at_their_own_speed_do_not_wait() -> None:
    with ThreadPoolExecutor() as pool:
        ingestion = Ingestion(pool, drain=False)
        ingestion.start().result(PATIENCE_S)
        assert ingestion.frames.lost is True


@pytest.mark.parametrize("drain", [True, False])
def test_what_ended_the_supervisor_ends_the_run_with_its_error(drain: bool) -> None:
    with ThreadPoolExecutor() as pool:
        ingestion = Ingestion(pool, drain)
        ingestion.supervisor.error = DatabaseError("no permission")
        with pytest.raises(DatabaseError, match="no permission"):
            ingestion.start().result(PATIENCE_S)
        assert ingestion.frames.lost is True


@pytest.mark.parametrize("drain", [True, False])
def test_what_ended_the_writer_ends_the_run_with_its_error(drain: bool) -> None:
    with ThreadPoolExecutor() as pool:
        ingestion = Ingestion(pool, drain)
        ingestion.frames.error = KeyError("door")
        running = ingestion.start()
        try:
            with pytest.raises(KeyError, match="door"):
                running.result(PATIENCE_S)
        finally:
            ingestion.stop.set()
        assert ingestion.frames.lost is True


def test_what_ends_the_writer_of_a_live_camera_ends_the_run_with_its_error() -> None:
    with ThreadPoolExecutor() as pool:
        ingestion = Ingestion(pool, drain=False)
        ingestion.supervisor.is_live = True
        running = ingestion.start()
        try:
            assert ingestion.supervisor.checked.wait(PATIENCE_S)
            ingestion.frames.error = KeyError("door")
            with pytest.raises(KeyError, match="door"):
                running.result(PATIENCE_S)
        finally:
            ingestion.stop.set()
