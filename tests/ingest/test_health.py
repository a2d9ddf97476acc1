"""State and counts of one camera: nothing is lost while the sink is unavailable."""

from __future__ import annotations

import threading

import pytest

from bus.messages import MINUTE_US, CameraMinute, CameraState
from bus.sinks import SinkUnavailable
from common.clock import wall_clock_us
from ingest.counts import CaptureCounts
from ingest.health import HealthMonitor
from tests.support.captures import SinkRecorder

NOON = 29_000_000 * MINUTE_US


def totals(minutes: list[CameraMinute]) -> dict[int, tuple[int, dict[str, int]]]:
    found: dict[int, tuple[int, dict[str, int]]] = {}
    for each in minutes:
        captured, dropped = found.get(each.minute, (0, {}))
        for reason, frames in each.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + frames
        found[each.minute] = captured + each.captured, dropped
    return found


def test_counts_belong_to_the_minute_of_the_picture_and_are_stored_once() -> None:
    counts, sink = CaptureCounts("door"), SinkRecorder()
    for _ in range(9):
        counts.add_captured()
    counts.add_dropped(NOON, "buffer full", 2)
    counts.add_dropped(NOON + 1, "read too late")
    counts.add_unchanged(NOON + MINUTE_US)
    assert counts.unstored == 4
    counts.store(sink)
    counts.store(sink)
    assert totals(sink.minutes) == {
        NOON: (3, {"buffer full": 2, "read too late": 1}),
        NOON + MINUTE_US: (1, {}),
    }
    assert (counts.unstored, counts.captured) == (0, 9), "what was published is counted by the worker"


def test_counts_are_kept_while_the_sink_is_unavailable() -> None:
    counts, sink = CaptureCounts("door"), SinkRecorder()
    counts.add_dropped(NOON, "buffer full")
    sink.unavailable = True
    for _ in range(3):
        with pytest.raises(SinkUnavailable):
            counts.store(sink)
    counts.add_unchanged(NOON)
    sink.unavailable = False
    counts.store(sink)
    assert totals(sink.minutes) == {NOON: (2, {"buffer full": 1})}


def test_no_count_is_lost_or_doubled_while_pictures_arrive_and_the_sink_is_unavailable_at_times() -> None:
    counts, sink = CaptureCounts("door"), SinkRecorder()

    def capture() -> None:
        for number in range(5000):
            counts.add_captured()
            counts.add_dropped(NOON + number * MINUTE_US // 1000, f"reason {number % 2}")

    threads = [threading.Thread(target=capture) for _ in range(2)]
    for thread in threads:
        thread.start()
    while counts.unstored or any(thread.is_alive() for thread in threads):
        sink.unavailable = not sink.unavailable
        try:
            counts.store(sink)
        except SinkUnavailable:
            continue
    for thread in threads:
        thread.join()
    sink.unavailable = False
    counts.store(sink)
    found = totals(sink.minutes)
    assert [captured for captured, _ in found.values()] == [2000] * 5
    assert all(dropped == {"reason 0": 1000, "reason 1": 1000} for _, dropped in found.values())


def test_a_state_starts_when_it_is_entered_and_its_reason_may_change() -> None:
    health = HealthMonitor("door")
    assert health.current.state is CameraState.CONNECTING
    assert health.set_state(CameraState.RETRYING, "no connection")
    since = health.current.since
    assert not health.set_state(CameraState.RETRYING, "no connection")
    assert health.set_state(CameraState.RETRYING, "no answer")
    assert (health.current.reason, health.current.since) == ("no answer", since)
    assert health.set_state(CameraState.ONLINE)
    assert health.current.since > since


def test_a_reason_is_one_line_that_a_database_accepts() -> None:
    health = HealthMonitor("door")
    health.set_state(CameraState.RETRYING, "the camera\nsends \x00 te\udcffxt/" + "x" * 1000)
    assert health.current.reason == ("the camera sends te xt/" + "x" * 1000)[:500]


def test_a_change_is_reported_at_once_and_again_after_the_sink_was_unavailable() -> None:
    health, sink = HealthMonitor("door"), SinkRecorder()
    health.report(sink)
    health.report(sink)
    assert len(sink.healths) == 1, "nothing new within the same seconds"
    health.set_state(CameraState.ONLINE)
    sink.unavailable = True
    with pytest.raises(SinkUnavailable):
        health.report(sink)
    sink.unavailable = False
    health.report(sink)
    assert [each.state for each in sink.healths] == [CameraState.CONNECTING, CameraState.ONLINE]


def test_reconnects_and_the_time_of_the_last_frame() -> None:
    health = HealthMonitor("door")
    for _ in range(3):
        health.count_opening()
    assert (health.current.reconnects, health.current.last_frame_at, health.current.fps) == (2, None, 0)
    now = wall_clock_us()
    health.count_published(now)
    assert health.current.last_frame_at == now


def test_state_changes_are_logged_with_their_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    health = HealthMonitor("door")
    health.set_state(CameraState.RETRYING, "no connection: connection refused")
    health.set_state(CameraState.ONLINE)
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("WARNING", "camera door: retrying: no connection: connection refused"),
        ("INFO", "camera door: online"),
    ]
