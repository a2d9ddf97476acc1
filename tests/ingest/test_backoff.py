"""The waits between two attempts."""

from __future__ import annotations

import random

import pytest

from ingest.backoff import Backoff


@pytest.fixture(autouse=True)
def seeded() -> None:
    random.seed(5)


def test_waits_double_from_one_second_to_a_minute_with_jitter() -> None:
    backoff = Backoff(1, 60)
    waits = [backoff.next_wait(0) for _ in range(20)]
    for wait, least in zip(waits, [1, 2, 4, 8, 16, 32, *[48] * 14], strict=True):
        assert least <= wait <= min(1.25 * least, 60)
    assert len(set(waits)) == 20


def test_a_camera_that_was_well_for_long_begins_anew_and_one_that_was_not_does_not() -> None:
    backoff = Backoff(1, 60)
    for _ in range(6):
        backoff.next_wait(0)
    assert backoff.next_wait(59) >= 48
    assert backoff.next_wait(60) <= 1.25


@pytest.mark.parametrize("longest_online", [0, 1, 20, 61, 120])
def test_never_more_than_five_starts_in_a_minute(longest_online: float) -> None:
    for _ in range(50):
        backoff, now, starts = Backoff(1, 60), 0.0, []
        while now < 3600:
            online = random.uniform(0, longest_online)
            now += online + backoff.next_wait(online)
            starts.append(now)
        assert all(later - sooner > 60 for sooner, later in zip(starts, starts[5:], strict=False))
