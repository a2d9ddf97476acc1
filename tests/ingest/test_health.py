"""The books of one camera: nothing is lost while they cannot be stored."""

from __future__ import annotations

import threading

import pytest

from bus.messages import MINUTE_US, CameraMinute, CameraState
from ingest.health import Health, Tally, wall_clock_us
from tests.support.captures import Books, Outage

NOON = 29_000_000 * MINUTE_US


def totals(minutes: list[CameraMinute]) -> dict[int, tuple[int, dict[str, int]]]:
    found: dict[int, tuple[int, dict[str, int]]] = {}
    for each in minutes:
        captured, dropped = found.get(each.minute, (0, {}))
        for reason, frames in each.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + frames
        found[each.minute] = captured + each.captured, dropped
    return found


def test_counts_go_to_the_minute_of_the_picture_and_are_told_once() -> None:
    tally, books = Tally("door"), Books()
    for time_us in (NOON, NOON + 1, NOON + MINUTE_US):
        tally.captured(time_us)
    tally.dropped(NOON, "buffer full", 2)
    tally.dropped(NOON, "read too late")
    assert tally.pictures == 3
    tally.store(books)
    tally.store(books)
    assert totals(books.minutes) == {
        NOON: (2, {"buffer full": 2, "read too late": 1}),
        NOON + MINUTE_US: (1, {}),
    }
    assert tally.pictures == 0


def test_counts_are_kept_while_the_sink_is_away() -> None:
    tally, books = Tally("door"), Books()
    tally.captured(NOON)
    tally.dropped(NOON, "buffer full")
    books.away = True
    for _ in range(3):
        with pytest.raises(Outage):
            tally.store(books)
    tally.captured(NOON)
    books.away = False
    tally.store(books)
    assert totals(books.minutes) == {NOON: (2, {"buffer full": 1})}


def test_nothing_is_lost_or_doubled_while_pictures_come_and_the_sink_comes_and_goes() -> None:
    tally, books = Tally("door"), Books()

    def capture() -> None:
        for number in range(5000):
            tally.captured(NOON + number * MINUTE_US // 1000)
            tally.dropped(NOON + number * MINUTE_US // 1000, f"reason {number % 2}")

    threads = [threading.Thread(target=capture) for _ in range(2)]
    for thread in threads:
        thread.start()
    while tally.pictures or any(thread.is_alive() for thread in threads):
        books.away = not books.away
        try:
            tally.store(books)
        except Outage:
            continue
    for thread in threads:
        thread.join()
    books.away = False
    tally.store(books)
    found = totals(books.minutes)
    assert [captured for captured, _ in found.values()] == [2000] * 5
    assert all(dropped == {"reason 0": 1000, "reason 1": 1000} for _, dropped in found.values())


def test_a_state_begins_when_it_is_entered_and_its_reason_may_change() -> None:
    health = Health("door")
    assert health.now.state is CameraState.CONNECTING
    assert health.become(CameraState.RETRYING, "no connection")
    since = health.now.since
    assert not health.become(CameraState.RETRYING, "no connection")
    assert health.become(CameraState.RETRYING, "no answer")
    assert (health.now.reason, health.now.since) == ("no answer", since)
    assert health.become(CameraState.ONLINE)
    assert health.now.since > since


def test_a_reason_is_one_line_that_a_database_takes() -> None:
    health = Health("door")
    health.become(CameraState.RETRYING, "the camera\nsends \x00 te\udcffxt/" + "x" * 1000)
    assert health.now.reason == ("the camera sends te xt/" + "x" * 1000)[:500]


def test_what_is_new_is_told_at_once_and_again_when_the_sink_was_away() -> None:
    health, books = Health("door"), Books()
    health.report(books)
    health.report(books)
    assert len(books.healths) == 1, "nothing new within the same seconds"
    health.become(CameraState.ONLINE)
    books.away = True
    with pytest.raises(Outage):
        health.report(books)
    books.away = False
    health.report(books)
    assert [each.state for each in books.healths] == [CameraState.CONNECTING, CameraState.ONLINE]


def test_reconnects_and_the_last_picture() -> None:
    health = Health("door")
    for _ in range(3):
        health.opening()
    assert (health.now.reconnects, health.now.last_frame_at, health.now.fps) == (2, None, 0)
    now = wall_clock_us()
    health.published(now)
    assert health.now.last_frame_at == now


def test_state_changes_are_logged_with_their_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    health = Health("door")
    health.become(CameraState.RETRYING, "no connection: connection refused")
    health.become(CameraState.ONLINE)
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("WARNING", "camera door: retrying: no connection: connection refused"),
        ("INFO", "camera door: online"),
    ]
