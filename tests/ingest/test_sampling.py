"""Token bucket: as many pictures as requested, at regular intervals, whatever the rate of the camera."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.sampling import Sampler


def selected(fps: float | None, times: list[float]) -> list[float]:
    sampler = Sampler(fps)
    return [time for time in times if sampler.select(time)]


def test_every_fifth_of_a_faster_stream() -> None:
    assert selected(5, [n / 25 for n in range(250)]) == pytest.approx([n / 5 for n in range(50)])


def test_all_pictures_of_a_slower_stream_and_all_if_no_rate_is_given() -> None:
    times = [n / 3 for n in range(30)]
    assert selected(5, times) == times
    assert selected(None, times) == times


@pytest.mark.parametrize("wanted", [4.0, 5.0, 7.5])
def test_the_rate_holds_if_it_does_not_divide_the_rate_of_the_stream(wanted: float) -> None:
    got = selected(wanted, [n / 15 for n in range(15 * 60)])
    assert len(got) == pytest.approx(60 * wanted, abs=1)
    assert max(np.diff(got)) <= 1 / wanted + 1 / 15 + 1e-9


def test_pictures_at_the_wanted_rate_and_irregular_intervals_are_not_lost() -> None:
    jitter = np.random.default_rng(1).uniform(-0.03, 0.03, 300)
    times = [n / 5 + float(shift) for n, shift in enumerate(jitter)]
    assert len(selected(5, times)) >= 299


def test_a_burst_after_a_pause_is_limited() -> None:
    burst = [10 + n / 1000 for n in range(100)]
    assert len(selected(5, [0.0, *burst])) == 3
