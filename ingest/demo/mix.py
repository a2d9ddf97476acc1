"""Mix of visitors of a camera over time: how many, and with which expressions.

Every twelve minutes a campaign starts: for some minutes visitors are happier, more of them come, and more of
them are women. Cameras differ in their usual mix and in when the campaign reaches them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

CYCLE = 720.0
"""Seconds from one campaign to the next."""

_BEGINS, _ENDS, _EDGE = 0.35, 0.85, 0.08
"""Shares of the cycle: when the campaign starts and ends, and how long its rise and fall take."""


@dataclass(frozen=True)
class Mix:
    """The usual mix at a camera, and the mix in a campaign; the weights of expressions add up to 1."""

    usual: Mapping[str, float]
    campaign: Mapping[str, float]
    female: tuple[float, float]
    """Share of women: usually, and in a campaign."""
    delay: float
    """Seconds by which the camera's cycle lags behind."""

    def strength(self, time: float) -> float:
        """The effect of the campaign, from 0 to 1, at a time in seconds."""
        share = (time - self.delay) / CYCLE % 1
        return _rise((share - _BEGINS) / _EDGE) * (1 - _rise((share - _ENDS) / _EDGE))

    def expressions(self, time: float) -> dict[str, float]:
        """The weight of each expression among those who arrive at a time."""
        strength = self.strength(time)
        return {
            name: (1 - strength) * weight + strength * self.campaign[name]
            for name, weight in self.usual.items()
        }

    def share_of_women(self, time: float) -> float:
        """The share of women among those who arrive at a time."""
        usual, campaign = self.female
        wave = 0.06 * math.sin(2 * math.pi * (time - self.delay) / (0.37 * CYCLE))
        return usual + (campaign - usual) * self.strength(time) + wave

    def busyness(self, time: float) -> float:
        """The probability that a slot in the stream of visitors is taken."""
        wave = 0.08 * math.sin(2 * math.pi * (time + self.delay) / (0.21 * CYCLE))
        return 0.84 + 0.08 * self.strength(time) + wave


def _rise(share: float) -> float:
    t = min(max(share, 0.0), 1.0)
    return t * t * (3 - 2 * t)


_NAMES = ("neutral", "happiness", "surprise", "sadness", "anger")


def _weights(*values: float) -> dict[str, float]:
    return dict(zip(_NAMES, values, strict=True))


MIXES: dict[str, Mix] = {
    "entrance": Mix(
        _weights(0.50, 0.24, 0.10, 0.11, 0.05), _weights(0.26, 0.58, 0.10, 0.04, 0.02), (0.46, 0.60), 0
    ),
    "shelf": Mix(
        _weights(0.44, 0.22, 0.16, 0.12, 0.06), _weights(0.20, 0.54, 0.20, 0.04, 0.02), (0.56, 0.68), 45
    ),
    "till": Mix(
        _weights(0.42, 0.18, 0.06, 0.18, 0.16), _weights(0.30, 0.48, 0.08, 0.08, 0.06), (0.44, 0.52), 90
    ),
}
"""By the kind of place."""
