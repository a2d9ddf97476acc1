"""As many pictures as were asked for, evenly, whatever the camera's own rate."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.sampling import Sampler


def taken(fps: float | None, times: list[float]) -> list[float]:
    sampler = Sampler(fps)
    return [time for time in times if sampler.wants(time)]


def test_every_fifth_of_a_faster_stream() -> None:
    assert taken(5, [n / 25 for n in range(250)]) == pytest.approx([n / 5 for n in range(50)])


def test_all_of_a_slower_stream_and_all_where_no_rate_is_asked_for() -> None:
    times = [n / 3 for n in range(30)]
    assert taken(5, times) == times
    assert taken(None, times) == times


@pytest.mark.parametrize("wanted", [4.0, 5.0, 7.5])
def test_the_rate_holds_where_it_does_not_divide_the_streams(wanted: float) -> None:
    got = taken(wanted, [n / 15 for n in range(15 * 60)])
    assert len(got) == pytest.approx(60 * wanted, abs=1)
    assert max(np.diff(got)) <= 1 / wanted + 1 / 15 + 1e-9


def test_uneven_pictures_at_the_wanted_rate_are_not_lost() -> None:
    jitter = np.random.default_rng(1).uniform(-0.03, 0.03, 300)
    times = [n / 5 + float(shift) for n, shift in enumerate(jitter)]
    assert len(taken(5, times)) >= 299


def test_a_burst_after_a_stall_is_not_taken_whole() -> None:
    burst = [10 + n / 1000 for n in range(100)]
    assert len(taken(5, [0.0, *burst])) == 3
