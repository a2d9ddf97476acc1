"""Learning-rate schedule, limited by steps or by time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from training.runs.schedule import LOWEST, Annealing

EPOCH = 20
"""Steps of an epoch."""


class Optimizer:
    learning_rate = 0.0


class Model:
    def __init__(self) -> None:
        self.optimizer, self.stop_training = Optimizer(), False


def rates(annealing: Annealing, most: int) -> list[float]:
    """The rate of every step until the run stops itself."""
    model = Model()
    annealing.set_model(model)
    found: list[float] = []
    for epoch in range(most // EPOCH):
        annealing.on_epoch_begin(epoch)
        for batch in range(EPOCH):
            annealing.on_train_batch_begin(batch)
            found.append(model.optimizer.learning_rate)
            annealing.on_train_batch_end(batch)
            if model.stop_training:
                return found
    return found


def test_the_rate_rises_then_follows_a_cosine() -> None:
    found = rates(Annealing(0.1, steps=1000, minutes=None, warmup=0.1), 2000)
    assert len(found) == 1000
    assert found[0] == pytest.approx(0.1 * LOWEST)
    assert np.argmax(found) == 100
    assert found[550] == pytest.approx(0.05 * (1 + np.cos(0.55 * np.pi)), rel=0.01)
    assert found[-1] == pytest.approx(0.1 * LOWEST, rel=0.01)


def test_zero_minutes_are_no_limit() -> None:
    assert len(rates(Annealing(0.1, steps=100, minutes=0, warmup=0.1), 2000)) == 100


def test_a_slow_machine_ends_in_time_and_annealed() -> None:
    annealing = Annealing(0.1, steps=10**9, minutes=0.2 / 60, warmup=0.0)
    model = Model()
    annealing.set_model(model)
    started = time.monotonic()
    while not model.stop_training:
        annealing.on_train_batch_begin(0)
        time.sleep(0.002)
        annealing.on_train_batch_end(0)
    assert time.monotonic() - started >= 0.2
    annealing.on_train_batch_begin(0)
    assert model.optimizer.learning_rate == pytest.approx(0.1 * LOWEST)


def test_a_resumed_run_continues_the_schedule() -> None:
    fresh = rates(Annealing(0.1, steps=100, minutes=None, warmup=0.02), 200)
    resumed = rates(Annealing(0.1, steps=100, minutes=None, warmup=0.02, steps_done=60), 200)
    assert resumed == fresh[60:]


def test_time_of_earlier_sessions_counts() -> None:
    assert Annealing(0.1, 1000, minutes=10, warmup=0.0, seconds_done=300).progress == pytest.approx(
        0.5, abs=0.01
    )


def test_all_steps_of_one_call_count() -> None:
    annealing = Annealing(0.1, steps=40, minutes=None, warmup=0.0)
    annealing.set_model(Model())
    for epoch in range(2):
        annealing.on_epoch_begin(epoch)
        for last in (9, 19):
            annealing.on_train_batch_end(last)
            assert annealing.progress == pytest.approx((20 * epoch + last + 1) / 40)


def test_time_starts_after_the_first_step_which_traces_the_graph() -> None:
    annealing = Annealing(0.1, steps=10**9, minutes=0.1 / 60, warmup=0.0)
    annealing.set_model(Model())
    time.sleep(0.15)
    assert annealing.progress == 0
    annealing.on_train_batch_end(0)
    time.sleep(0.15)
    assert annealing.progress == 1
