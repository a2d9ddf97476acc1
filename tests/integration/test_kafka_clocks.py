"""Clocks that differ: a worker compares with the clock of the broker, and the log names the clock."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from bus.codec import MAX_AHEAD_US
from bus.kafka import broker_clock
from bus.kafka.broker_clock import ClockAlarm, SmallestSample
from bus.kafka.reader import KafkaReader
from bus.kafka.writer import KafkaWriter
from bus.messages import MICROSECONDS, Frame, LastFrame, Partition, Positions, Results
from bus.sinks import ResultSink
from common.clock import wall_clock_us
from inference.worker import LiveLimits, Worker
from mien.wiring.parts import AnalyserFactory
from tests.support.brokers import Broker
from tests.support.buses import KAFKA, PATIENCE_SECONDS, Shelf, eventually, fresh_topic, gather
from tests.support.processes import running

pytestmark = KAFKA

JPEG = cv2.imencode(".jpg", np.full((48, 64), 128, np.uint8))[1].tobytes()
SKEW_US = 3600 * MICROSECONDS


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class CountingSink(ResultSink):
    """Counts the outcomes that a worker writes."""

    def __init__(self) -> None:
        self.stale = self.analysed = 0
        self.ages: list[int] = []

    def write(self, results: Results, positions: Positions) -> None:
        for minute in results.minutes:
            self.stale += minute.stale
            self.analysed += minute.analysed
            self.ages.append(minute.age_sum_us)

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        return {}

    def last_frames(self, camera_id: str) -> Sequence[LastFrame]:
        return ()


def clock(offset_us: int) -> Callable[[], int]:
    return lambda: wall_clock_us() + offset_us


def picture(seq: int, captured_at: int) -> Frame:
    return Frame("till", captured_at, seq, 1, 64, 48, JPEG)


@pytest.mark.parametrize("offset_us", [SKEW_US, -SKEW_US, 0], ids=["ahead", "behind", "right"])
def test_a_worker_analyses_live_frames_whatever_its_clock_shows(
    broker: Broker, stack: ExitStack, offset_us: int
) -> None:
    sink = run_live(broker, stack, worker_offset_us=offset_us, frames=6)
    assert (sink.analysed, sink.stale) == (6, 0)
    assert max(sink.ages) < PATIENCE_SECONDS * MICROSECONDS, "ages are those of the broker's clock"


def test_a_worker_analyses_live_frames_of_a_machine_whose_clock_is_behind(
    broker: Broker, stack: ExitStack
) -> None:
    sink = run_live(broker, stack, camera_offset_us=-SKEW_US, frames=4)
    assert (sink.analysed, sink.stale) == (4, 0)


def run_live(
    broker: Broker, stack: ExitStack, *, frames: int, worker_offset_us: int = 0, camera_offset_us: int = 0
) -> CountingSink:
    """Publish frames one by one, each after the one before it was counted."""
    settings, sink, stop = fresh_topic(broker), CountingSink(), threading.Event()
    writer = stack.enter_context(closing(KafkaWriter(settings, lambda _: 0)))
    reader = KafkaReader(settings, sink.positions, clock=clock(worker_offset_us))
    limits = LiveLimits(max_age_us=round(PATIENCE_SECONDS) * MICROSECONDS)
    worker = Worker(
        reader,
        sink,
        AnalyserFactory().create(),
        live_limits=limits,
        clock=clock(worker_offset_us),
        max_ahead_us=MAX_AHEAD_US,
    )
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    stack.callback(thread.join, PATIENCE_SECONDS)
    stack.callback(stop.set)
    for seq in range(frames):
        writer.publish(picture(seq, wall_clock_us() + camera_offset_us))
        eventually(lambda: sink.analysed + sink.stale > seq, "the frame is counted")  # noqa: B023
    return sink


def test_frames_that_have_waited_are_stale_whatever_the_clock_shows(
    broker: Broker, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_clock, "_ASK_SECONDS", PATIENCE_SECONDS)  # The broker may be busy.
    settings = fresh_topic(broker)
    writer = stack.enter_context(closing(KafkaWriter(settings, lambda _: 0)))
    writer.publish(picture(0, wall_clock_us()))
    eventually(lambda: writer.acknowledged == 1, "the first frame arrives")
    time.sleep(1.5)
    writer.publish(picture(1, wall_clock_us()))
    eventually(lambda: writer.acknowledged == 2, "the second frame arrives")
    for offset_us in (SKEW_US, 0, -SKEW_US):
        with closing(KafkaReader(settings, Shelf(), drain=True, clock=clock(offset_us))) as reader:
            old, new = gather(reader, 2).records
            now = wall_clock_us() + offset_us
            waited = old.waited_us(now, 0) - new.waited_us(now, 0)
            assert 1.4 * MICROSECONDS < waited < PATIENCE_SECONDS * MICROSECONDS
            assert old.waited_us(now, 0) >= 1.4 * MICROSECONDS


@pytest.mark.parametrize(("offset_us", "side"), [(SKEW_US, "ahead of"), (-SKEW_US, "behind")])
def test_the_log_of_a_capturing_machine_names_its_clock(
    broker: Broker, caplog: pytest.LogCaptureFixture, offset_us: int, side: str
) -> None:
    settings = fresh_topic(broker)
    with closing(KafkaWriter(settings, lambda _: 0, clock=clock(offset_us))) as writer:
        writer.publish(picture(0, wall_clock_us()))
        eventually(lambda: writer.clock_offset_us != 0, "the clocks are compared")
        assert abs(writer.clock_offset_us - offset_us) < PATIENCE_SECONDS * MICROSECONDS
    assert f"s {side} the clock of the broker (kafka://{broker.address})" in caplog.text
    assert "NTP" in caplog.text


def test_the_log_of_a_worker_names_its_clock(
    broker: Broker, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    settings = fresh_topic(broker)
    writer = stack.enter_context(closing(KafkaWriter(settings, lambda _: 0)))
    reader = stack.enter_context(closing(KafkaReader(settings, Shelf(), clock=clock(SKEW_US))))
    for seq in range(10_000):
        writer.publish(picture(seq, wall_clock_us()))
        reader.poll(10, 0.1)
        if reader.clock_offset_us:
            break
    assert abs(reader.clock_offset_us - SKEW_US) < PATIENCE_SECONDS * MICROSECONDS
    assert "ahead of the clock of the broker" in caplog.text


def test_an_alarm_is_raised_once_and_ends_once(caplog: pytest.LogCaptureFixture) -> None:
    alarm = ClockAlarm("kafka://broker:9092")
    for _ in range(3):
        alarm.update(3 * MICROSECONDS, 4 * MICROSECONDS)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert alarm.offset_us == 3 * MICROSECONDS
    for _ in range(3):
        alarm.update(-MICROSECONDS // 10, MICROSECONDS // 10)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert alarm.offset_us == 0


def test_a_delay_is_no_certain_offset(caplog: pytest.LogCaptureFixture) -> None:
    alarm = ClockAlarm("kafka://broker:9092")
    alarm.update(-60 * MICROSECONDS, 3600 * MICROSECONDS)
    assert alarm.offset_us == 0
    assert caplog.records == []


def test_the_smallest_recent_sample_counts() -> None:
    now = [0.0]
    samples = SmallestSample(lambda: now[0])
    assert [samples.add(each) for each in (700, 300, 500)] == [700, 300, 300]
    now[0] = 20.0
    assert samples.add(900) == 300, "of the window before"
    now[0] = 40.0
    assert samples.add(800) == 800, "a clock that was set is followed"
    now[0] = 400.0
    assert samples.add(5000) == 5000, "after a long silence nothing earlier counts"


def test_a_worker_process_whose_clock_is_ahead_analyses_frames(
    broker: Broker, tmp_path: Path, stack: ExitStack
) -> None:
    """The whole process: its clock is set ahead before anything of Mien is imported."""
    settings = fresh_topic(broker)
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nreal = time.time_ns\ntime.time_ns = lambda: real() + 3_000_000_000\n"
    )
    variables = {
        "MIEN_BUS": f"kafka://{broker.address}/{settings.topic}?group={settings.topic}",
        "PYTHONPATH": str(tmp_path),
        "MIEN_MAX_FRAME_AGE": "2.5",
    }
    writer = stack.enter_context(closing(KafkaWriter(settings, lambda _: 0)))
    with running(tmp_path, "work", variables=variables) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        seq = 0
        # The frames that were published before it was ready are stale.
        while analysed(tmp_path / "mien.db") < 10:
            writer.publish(picture(seq, wall_clock_us()))
            seq += 1
            time.sleep(0.1)
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            assert time.monotonic() < deadline


def analysed(database: Path) -> int:
    """The number of analysed frames in a database that another process makes."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(database)
    try:
        (row,) = connection.execute("select coalesce(sum(analysed), 0) from camera_minutes")
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()
    return int(row[0])
