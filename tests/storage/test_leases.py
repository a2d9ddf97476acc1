"""Leases of cameras on both databases: one holder at a time, and tokens that only grow."""

from __future__ import annotations

import os
import threading
import time

import pytest
import sqlalchemy as sa

from bus.leases import LEASE_S
from bus.messages import MICROSECONDS
from storage import tables
from storage.leases import CameraLeases, database_clock_us, read_leases


def clock(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return database_clock_us(connection)


def expire(engine: sa.Engine, holder: str) -> None:
    """Let all leases of a process expire, as if it had not renewed them."""
    with engine.begin() as connection:
        for table in (tables.camera_leases, tables.capture_processes):
            connection.execute(sa.update(table).where(table.c.holder == holder).values(expires_at=0))


def next_tokens(engine: sa.Engine) -> dict[str, int]:
    leases = tables.camera_leases.c
    with engine.connect() as connection:
        return dict(connection.execute(sa.select(leases.camera_id, leases.next_token)).all())


def test_a_lease_has_one_holder_until_it_expires(engine: sa.Engine) -> None:
    first, second = CameraLeases(engine, shares=True), CameraLeases(engine, shares=True)
    before = clock(engine)
    (token,) = first.take({"door": None}).values()
    assert before <= token <= clock(engine), "the token is a time of the database's clock"
    assert second.take({"door": None}) == {}, "it was seen before it was taken"

    (seen,) = second.exchange().leases.values()
    assert (seen.holder, seen.token, seen.expired) == (first.holder, token, False)
    assert seen.process.endswith(f"pid {os.getpid()}")

    expire(engine, first.holder)
    (expired,) = second.exchange().leases.values()
    assert expired.expired
    (later,) = second.take({"door": expired}).values()
    assert later > token
    assert first.take({"door": expired}) == {}, "another process was faster"
    assert first.exchange().leases["door"].holder == second.holder


def test_a_renewal_between_sight_and_take_over_keeps_the_holder(engine: sa.Engine) -> None:
    first, second = CameraLeases(engine, shares=True), CameraLeases(engine, shares=True)
    first.take({"door": None})
    expire(engine, first.holder)
    seen = second.exchange().leases["door"]
    first.exchange()
    assert second.take({"door": seen}) == {}
    assert second.exchange().leases["door"].holder == first.holder


def test_the_next_token_is_above_every_epoch_of_a_holder_that_died(engine: sa.Engine) -> None:
    first, second = CameraLeases(engine, shares=True), CameraLeases(engine, shares=True)
    first.take({"door": None})
    now = first.exchange().now
    reserved = next_tokens(engine)["door"]
    assert reserved >= now + LEASE_S * MICROSECONDS, "epochs up to the end of the lease"
    expire(engine, first.holder)
    (token,) = second.take({"door": second.exchange().leases["door"]}).values()
    assert token >= reserved


def test_the_token_grows_although_the_clock_is_set_back(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = CameraLeases(engine, shares=True), CameraLeases(engine, shares=True)
    first.take({"door": None})
    reserved = next_tokens(engine)["door"]
    expire(engine, first.holder)
    seen = second.exchange().leases["door"]
    hour_ago = clock(engine) - 3600 * MICROSECONDS
    monkeypatch.setattr("storage.leases.database_clock_us", lambda connection: hour_ago)
    (token,) = second.take({"door": seen}).values()
    assert token >= reserved
    second.exchange()
    assert next_tokens(engine)["door"] > token


def test_a_released_lease_is_free_at_once(engine: sa.Engine) -> None:
    first, second = CameraLeases(engine, shares=True), CameraLeases(engine, shares=True)
    (token,) = first.take({"door": None}).values()
    second.release({"door": token + 1})
    assert first.exchange().leases["door"].holder == first.holder, "only its holder may release it"
    first.release({"door": token + 7})
    seen = second.exchange().leases["door"]
    assert (seen.holder, seen.expired) == ("", True)
    (later,) = second.take({"door": seen}).values()
    assert later >= token + 7


def test_of_many_processes_that_take_a_lease_at_once_one_gets_it(engine: sa.Engine) -> None:
    processes = [CameraLeases(engine, shares=True) for _ in range(6)]
    cameras = [f"camera-{number}" for number in range(5)]
    processes[0].take(dict.fromkeys(cameras))
    expire(engine, processes[0].holder)
    with engine.connect() as connection:
        seen = read_leases(connection, clock(engine))
    taken: list[str] = []
    start = threading.Barrier(len(processes))

    def take(leases: CameraLeases) -> None:
        start.wait(60)
        taken.extend(leases.take(dict(seen)))

    threads = [threading.Thread(target=take, args=(each,)) for each in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == cameras


def test_live_processes_that_share_cameras_know_one_another(engine: sa.Engine) -> None:
    first, second, other = (CameraLeases(engine, shares=shares) for shares in (True, True, False))
    for each in (first, second, other):
        each.exchange()
    assert set(first.exchange().sharers) == {second.holder}
    assert set(other.exchange().sharers) == {first.holder, second.holder}
    second.leave()
    assert set(first.exchange().sharers) == set()
    expire(engine, first.holder)
    assert set(second.exchange().sharers) == set()


def test_the_clock_is_in_microseconds(engine: sa.Engine) -> None:
    assert abs(clock(engine) - time.time() * MICROSECONDS) < 60 * MICROSECONDS
