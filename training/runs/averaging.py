"""The exponential average of a run's weights: how far back it reaches."""

from __future__ import annotations

STEPS_PER_SPAN = 10
"""The average is over so small a part of the steps, a tenth, in a short run."""


def keeping(steps: int) -> float:
    """How much of the averaged weights each step of a run of `steps` steps keeps at most, 0 to 1.

    A short run keeps little, so that its average is over a tenth of its steps, not over the weights that it
    began with.
    """
    return max(0.0, 1 - STEPS_PER_SPAN / steps)
