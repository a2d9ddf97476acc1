"""Guessing of passwords is slowed down, and nobody locks out everybody."""

from __future__ import annotations

import itertools

import pytest

from dashboard import throttle
from dashboard.throttle import FORGET_S, FREE, LONGEST_OF_ADDRESS_S, LONGEST_OF_NAME_S, Throttle

HOME, ELSEWHERE = "192.0.2.7", "203.0.113.9"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Throttle:
    return Throttle(clock)


def fail(attempts: Throttle, clock: Clock, name: str, address: str, times: int) -> float:
    """Fail this number of times, as soon as each attempt is allowed; the time that it took."""
    start = clock.now
    for _ in range(times):
        while (wait := attempts.begin(name, address)) > 0:
            clock.now += wait
    return clock.now - start


def test_the_waits_grow_exponentially_up_to_a_limit(attempts: Throttle, clock: Clock) -> None:
    assert fail(attempts, clock, "ben", HOME, FREE) == 0
    waits = []
    for _ in range(16):
        waits.append(attempts.begin("ben", HOME))
        clock.now += waits[-1]
        assert attempts.begin("ben", HOME) == 0
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert waits[-1] == LONGEST_OF_ADDRESS_S
    assert fail(attempts, clock, "ben", HOME, 2000) > 1000 * LONGEST_OF_ADDRESS_S / 2


def test_attempts_in_parallel_gain_nothing(attempts: Throttle) -> None:
    assert sum(attempts.begin("ben", HOME) == 0 for _ in range(1000)) == FREE


def test_an_attempt_that_has_to_wait_does_not_prolong_the_wait(attempts: Throttle, clock: Clock) -> None:
    fail(attempts, clock, "ben", HOME, FREE)
    assert {attempts.begin("ben", HOME) for _ in range(100)} == {1.0}


def test_one_address_that_tries_many_names_is_slowed_down(attempts: Throttle, clock: Clock) -> None:
    allowed = sum(attempts.begin(f"user-{number}", HOME) == 0 for number in range(1000))
    assert allowed == FREE


def test_one_name_that_is_tried_from_many_addresses_is_slowed_down(attempts: Throttle, clock: Clock) -> None:
    allowed = sum(attempts.begin("ben", f"10.0.{n // 250}.{n % 250}") == 0 for n in range(1000))
    assert allowed == FREE
    assert attempts.begin("ben", ELSEWHERE) <= LONGEST_OF_NAME_S


def test_an_attacker_elsewhere_or_behind_the_same_proxy_does_not_lock_out_a_known_user(
    attempts: Throttle, clock: Clock
) -> None:
    assert attempts.begin("ben", HOME) == 0
    attempts.succeed("ben", HOME)
    fail(attempts, clock, "anna", HOME, 20)
    fail(attempts, clock, "ben", ELSEWHERE, 20)
    assert attempts.begin("ben", ELSEWHERE) > 0
    assert attempts.begin("ben", HOME) == 0


def test_an_attacker_does_not_slow_down_other_addresses(attempts: Throttle, clock: Clock) -> None:
    for number in range(50):
        fail(attempts, clock, f"user-{number}", ELSEWHERE, 1)
    assert attempts.begin("ben", HOME) == 0


def test_a_known_address_does_not_permit_guessing(attempts: Throttle, clock: Clock) -> None:
    attempts.begin("ben", HOME)
    attempts.succeed("ben", HOME)
    assert sum(attempts.begin("ben", HOME) == 0 for _ in range(100)) == FREE


def test_an_own_account_is_no_means_to_guess_the_passwords_of_others(
    attempts: Throttle, clock: Clock
) -> None:
    guesses = 0
    for number in range(100):
        if attempts.begin("eve", HOME) == 0:
            attempts.succeed("eve", HOME)
        guesses += attempts.begin(f"user-{number}", HOME) == 0
    assert guesses <= FREE


def test_failures_are_forgotten(attempts: Throttle, clock: Clock) -> None:
    fail(attempts, clock, "ben", HOME, 10)
    clock.now += FORGET_S
    assert attempts.begin("ben", HOME) == 0


def test_the_addresses_of_one_owner_count_as_one(attempts: Throttle) -> None:
    allowed = sum(attempts.begin(f"user-{n}", f"2001:db8:1:2::{n:x}") == 0 for n in range(100))
    assert allowed == FREE
    assert attempts.begin("ben", "2001:db8:1:3::1") == 0
    assert sum(attempts.begin(f"u{n}", "::ffff:192.0.2.7") == 0 for n in range(10)) == FREE
    assert attempts.begin("other", HOME) > 0, "the same address, written as IPv4"


def test_memory_is_bounded(attempts: Throttle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST_ENTRIES", 50)
    for number in itertools.islice(itertools.count(), 500):
        attempts.begin(f"user-{number}", f"10.{number // 250}.0.{number % 250}")
        attempts.succeed(f"user-{number}", f"10.{number // 250}.0.{number % 250}")
        attempts.begin(f"user-{number}", f"11.{number // 250}.0.{number % 250}")
    sizes = [len(each._entries) for each in (attempts._names, attempts._addresses, attempts._pairs)]
    assert max(sizes) <= 50
    assert len(attempts._known) <= 50
