"""A learning rate that comes down in time, however busy the machine is."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import keras

from training.runs.backend import settle

LOWEST = 0.001
"""The last learning rate as a share of the highest."""


class Annealing(keras.callbacks.Callback):
    """Warm-up, then half a cosine, over the larger of the fractions of steps and of minutes.

    The run stops when either is used up. `steps_done` and `seconds_done` are what a resumed run
    has behind it.
    """

    def __init__(
        self,
        highest: float,
        steps: int,
        minutes: float | None,
        warmup: float,
        steps_done: int = 0,
        seconds_done: float = 0.0,
    ) -> None:
        super().__init__()
        self._highest, self._warmup = highest, warmup
        self._steps, self._done, self._before = steps, steps_done, steps_done
        self._seconds = math.inf if minutes is None else minutes * 60
        self._seconds_done = seconds_done
        self._started: float | None = None

    @property
    def progress(self) -> float:
        """How much of the run is over, 0..1."""
        seconds = self._seconds_done + (0.0 if self._started is None else time.monotonic() - self._started)
        return min(max(self._done / self._steps, seconds / self._seconds), 1.0)

    def rate(self, progress: float) -> float:
        """The learning rate when that much of the run is over."""
        rise = min(progress / self._warmup, 1.0) if self._warmup else 1.0
        return self._highest * max(rise * 0.5 * (1 + math.cos(math.pi * progress)), LOWEST)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remember how many steps were done before."""
        self._before = self._done

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Set the rate of the step to come."""
        settle(self.model)
        self.model.optimizer.learning_rate = self.rate(self.progress)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Stop when the run is over; time counts from the first step, which also builds the graph."""
        self._done = self._before + batch + 1
        if self._started is None:
            self._started = time.monotonic()
        if self.progress >= 1.0:
            self.model.stop_training = True
