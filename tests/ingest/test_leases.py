"""Keepers of leases on a real database: one process captures a camera; others stand by, share, take over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.leases import LEASE_S
from bus.sinks import SinkUnavailable
from ingest import leases as module
from ingest.camera_lease import CameraLease
from ingest.leases import LeaseKeeper, Wishes
from storage import tables
from storage.engine import open_database
from storage.errors import DatabaseError
from storage.leases import CameraLeases
from tests.support.captures import PATIENCE, MemoryLeases, valid_lease


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    yield engine
    engine.dispose()


@pytest.fixture
def start(database: sa.Engine) -> Iterator[Callable[..., LeaseKeeper]]:
    """Starts keepers as processes of their own would have them; stops them at the end."""
    keepers: list[LeaseKeeper] = []

    def start_keeper(*cameras: str, shares: bool = True) -> LeaseKeeper:
        keeper = LeaseKeeper(CameraLeases(database, shares=shares), shares=shares)
        keepers.append(keeper)
        keeper.start()
        want(keeper, *cameras)
        return keeper

    yield start_keeper
    for keeper in keepers:
        keeper.stop(PATIENCE)


def want(keeper: LeaseKeeper, *cameras: str, in_use: frozenset[str] = frozenset()) -> None:
    keeper.update(Wishes(frozenset(cameras), frozenset(cameras), in_use))


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def held(keeper: LeaseKeeper, *cameras: str) -> int:
    return sum(keeper.lease_of(camera) is not None for camera in cameras)


def test_the_first_process_captures_and_the_second_says_who_does_and_takes_over_after_a_clean_stop(
    start: Callable[..., LeaseKeeper], caplog: pytest.LogCaptureFixture
) -> None:
    first = start("door")
    until(lambda: first.lease_of("door") is not None)
    lease = first.lease_of("door")
    assert lease
    epochs = [lease.next_epoch() for _ in range(3)]
    second = start("door", shares=False)
    until(lambda: second.holder_of("door") is not None)
    assert second.lease_of("door") is None
    lines = [each.getMessage() for each in caplog.records if "stands by" in each.getMessage()]
    assert len(lines) == 1
    assert "camera door" in lines[0]
    assert second.holder_of("door") in lines[0]  # type: ignore[operator]

    began = time.monotonic()
    first.stop(PATIENCE)
    assert not lease.is_valid
    until(lambda: second.lease_of("door") is not None)
    assert time.monotonic() - began < LEASE_S, "a lease that was released need not expire"
    later = second.lease_of("door")
    assert later
    assert later.next_epoch() > max(epochs)


def test_a_lease_that_is_not_wanted_any_more_is_released_when_its_capture_has_ended(
    start: Callable[..., LeaseKeeper],
) -> None:
    first = start("door")
    until(lambda: first.lease_of("door") is not None)
    want(first, in_use=frozenset({"door"}))
    second = start("door", shares=False)
    until(lambda: second.holder_of("door") is not None)
    assert second.lease_of("door") is None
    want(first)
    until(lambda: second.lease_of("door") is not None)


def test_a_process_that_was_suspended_knows_that_its_lease_was_taken(
    start: Callable[..., LeaseKeeper], database: sa.Engine
) -> None:
    keeper = start("door")
    until(lambda: keeper.lease_of("door") is not None)
    lease = keeper.lease_of("door")
    assert lease
    other = CameraLeases(database, shares=False)
    leases = tables.camera_leases

    def taken() -> bool:
        with database.begin() as connection:
            connection.execute(sa.update(leases).values(expires_at=0))
        return bool(other.take({"door": other.exchange().leases["door"]}))

    until(taken)
    until(lambda: lease.is_lost)
    assert not lease.is_valid
    assert keeper.lease_of("door") is None


def test_processes_share_cameras_and_one_that_joins_later_is_handed_its_share(
    start: Callable[..., LeaseKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SETTLED_S", 0.5)
    cameras = [f"camera-{number}" for number in range(5)]
    first = start(*cameras)
    until(lambda: held(first, *cameras) == 5)
    second = start(*cameras)
    until(lambda: held(first, *cameras) == 3)
    until(lambda: held(second, *cameras) == 2)
    assert all((first.lease_of(each) is None) != (second.lease_of(each) is None) for each in cameras)
    second.stop(PATIENCE)
    until(lambda: held(first, *cameras) == 5)


def test_a_process_takes_more_than_its_share_if_nobody_else_takes_it(
    start: Callable[..., LeaseKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.5)
    start()
    cameras = [f"camera-{number}" for number in range(4)]
    keeper = start(*cameras)
    until(lambda: held(keeper, *cameras) == 4)


def test_a_lease_lapses_while_the_store_is_unavailable_and_is_valid_again_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 1.0)
    monkeypatch.setattr(module, "RENEW_EVERY_S", 0.2)
    store = MemoryLeases()
    keeper = LeaseKeeper(store, shares=True)
    keeper.start()
    want(keeper, "door")
    until(lambda: keeper.lease_of("door") is not None)
    lease = keeper.lease_of("door")
    assert lease
    store.unavailable = True
    until(lambda: not lease.is_valid)
    assert keeper.lease_of("door") is None
    assert not lease.is_lost
    store.unavailable = False
    until(lambda: keeper.lease_of("door") is lease)
    keeper.stop(PATIENCE)
    assert lease.is_lost


def test_a_keeper_stops_in_time_although_the_store_is_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    class Leaving(MemoryLeases):
        def release(self, next_tokens: object) -> None:
            raise SinkUnavailable("the database is unavailable")

    keeper = LeaseKeeper(Leaving(), shares=True)
    keeper.start()
    want(keeper, "door")
    until(lambda: keeper.lease_of("door") is not None)
    keeper.stop(PATIENCE)
    assert any("were not released" in each.getMessage() for each in caplog.records)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_store_that_is_no_outage_ends_the_keeper_and_is_kept() -> None:
    store = MemoryLeases()
    keeper = LeaseKeeper(store, shares=True)
    keeper.start()
    want(keeper, "door")
    until(lambda: keeper.lease_of("door") is not None)
    keeper.check()
    store.refusal = DatabaseError("no permission")
    until(lambda: keeper.error is not None)
    with pytest.raises(DatabaseError, match="no permission"):
        keeper.check()
    keeper.stop(PATIENCE)


def test_epochs_grow_and_stay_below_what_the_store_reserves() -> None:
    lease = valid_lease()
    epochs = [lease.next_epoch() for _ in range(1000)]
    assert epochs == sorted(set(epochs))
    assert epochs[0] >= lease.token
    assert lease.next_token > epochs[-1]

    late = CameraLease(1_000_000_000_000)
    late.extend(time.monotonic() - 3600, late.token)
    assert not late.is_valid
    assert late.next_epoch() <= late.token + LEASE_S * 1e6, "a process that was suspended counts no more time"
