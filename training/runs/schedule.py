"""Learning-rate schedule: warm-up and cosine annealing, limited by steps and by time."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import keras

from training.runs.backend import sync_state

LOWEST = 0.001
"""The final learning rate as a share of the highest."""


class Annealing(keras.callbacks.Callback):
    """Warm-up, then half a cosine, by progress: the larger share of steps or of minutes that is used.

    The run stops when either is used up, so a slow machine also ends annealed. With `minutes` None or 0 only
    steps count. `steps_done` and `seconds_done` count the part of a resumed run that is complete.
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
        self._seconds = minutes * 60 if minutes else math.inf
        self._seconds_done = seconds_done
        self._started: float | None = None

    @property
    def progress(self) -> float:
        """The completed share of the run, 0..1."""
        seconds = self._seconds_done + (0.0 if self._started is None else time.monotonic() - self._started)
        return min(max(self._done / self._steps, seconds / self._seconds), 1.0)

    def rate(self, progress: float) -> float:
        """The learning rate at a given progress."""
        rise = min(progress / self._warmup, 1.0) if self._warmup else 1.0
        return self._highest * max(rise * 0.5 * (1 + math.cos(math.pi * progress)), LOWEST)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Store the number of steps before this epoch."""
        self._before = self._done

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Set the learning rate of the next step."""
        sync_state(self.model)
        self.model.optimizer.learning_rate = self.rate(self.progress)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Stop at the end of the run; time starts after the first step, which also traces the graph."""
        self._done = self._before + batch + 1
        if self._started is None:
            self._started = time.monotonic()
        if self.progress >= 1.0:
            self.model.stop_training = True
