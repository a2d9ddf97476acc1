"""The network that a configuration asks for."""

from __future__ import annotations

import keras

from training.classifier.architectures import build
from training.classifier.recipes import Config
from training.runs.precision import computing_in


def network(config: Config, precision: str) -> keras.Model:
    """A new network whose layers compute in the given precision; its weights are float32."""
    with computing_in(precision):
        return build(config.arch, config.widths, config.dropout)
