"""What each run watches: that its loss is a number, and that its random numbers are those of its epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from training.errors import Diverged

_SEED_STATE = "seed_generator_state"


class FiniteLoss(keras.callbacks.Callback):
    """Ends a run whose loss is no longer a number, before its weights replace those of the checkpoint."""

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Raise Diverged where the loss of the step is not finite."""
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} in step {batch + 1} of a round; lower --learning-rate")


class EpochSeeds(keras.callbacks.Callback):
    """Gives the dropout layers other random numbers in each epoch, always the same ones in the same epoch.

    A checkpoint does not hold the state of these layers; so a resumed run has the random numbers of an
    uninterrupted one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._states: list[tuple[keras.Variable, int]] = []

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Note the seed that each layer was created with."""
        found = [each for each in self.model.variables if each.name == _SEED_STATE]
        self._states = [(each, int(np.asarray(each)[0])) for each in found]

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Set the state of each layer to the start of the epoch's random numbers."""
        for state, seed in self._states:
            state.assign([seed + epoch, 0])
