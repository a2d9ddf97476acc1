"""The exponential average of a run's weights: how far back it reaches."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

STEPS_PER_SPAN = 10
"""The average is over so small a part of the steps so far, a tenth, until its span is reached."""


def kept_share(step: Any, most: float) -> Any:
    """How much of the averaged weights a step keeps, 0 to `most`; `step` is a tensor that counts from 1.

    The first steps keep little, so that the average is over the last tenth of a run that ends early, as when
    its time is up, and not over the weights that it began with.
    """
    return ops.minimum(most, ops.maximum(0.0, 1 - STEPS_PER_SPAN / ops.cast(step, "float32")))


class _GrowingSpan:
    """What the optimizers below have in common: Keras keeps the same share in each step."""

    use_ema: bool
    ema_momentum: float
    iterations: Any
    _model_variables_moving_average: list[Any]

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        kept = kept_share(self.iterations + 1, self.ema_momentum)
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            if average is not None:
                average.assign(kept * average + (1 - kept) * variable)


class AdamW(_GrowingSpan, keras.optimizers.AdamW):
    """AdamW with averaged weights; `ema_momentum` is the largest share that a step keeps of them."""


class SGD(_GrowingSpan, keras.optimizers.SGD):
    """Stochastic gradient descent with averaged weights, as `AdamW` has them."""
