"""The face classifiers that can be trained, by name.

The input is grey pixels 0..255: (n, size, size, 1), or (n, frames, size, size, 1) for networks of clips.
The output is a dict of logits, one entry per head. Every layer has a name: weights are stored, exported and
copied from another network under these names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras

from training.classifier.architectures.lite import lite0
from training.classifier.architectures.ours import mien, residual
from training.classifier.architectures.paper import (
    FRAMES,
    paper_cnn,
    paper_convlstm,
    paper_logreg,
    paper_lstm,
)
from training.classifier.architectures.parts import Heads
from training.classifier.architectures.related import (
    mane_mini_xception,
    mane_simple_cnn,
    pathar,
    refat_3pool,
    verma,
)
from training.errors import UnknownArchitecture


@dataclass(frozen=True)
class Architecture:
    """One network: `build(heads, dropout)` makes it; its input is a square of `size` pixels."""

    build: Callable[[Heads, float], keras.Model]
    size: int = 48
    frames: int | None = None
    """Number of frames in a clip; None: the network takes single pictures."""


def build(name: str, heads: Heads, dropout: float) -> keras.Model:
    """Build a new network of the named architecture; raises UnknownArchitecture."""
    return architecture(name).build(heads, dropout)


def architecture(name: str) -> Architecture:
    """The named architecture; raises UnknownArchitecture."""
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UnknownArchitecture(f"architecture {name!r} is unknown; known: {known}")
    return ARCHITECTURES[name]


VERMA = {
    "verma_rectangular": (128,) * 6,
    "verma_triangular": (256, 128, 64, 32, 16, 8),
    "verma_venturi": (256, 128, 64, 64, 128, 256),
}
"""Widths of the dense layers."""

ARCHITECTURES = {
    "mien": Architecture(mien),
    "residual": Architecture(residual),
    "lite0": Architecture(lite0),
    "paper_cnn": Architecture(paper_cnn),
    "paper_convlstm": Architecture(paper_convlstm, frames=FRAMES),
    "paper_lstm": Architecture(paper_lstm, frames=FRAMES),
    "paper_logreg": Architecture(paper_logreg),
    **{f"pathar_depth{depth}": Architecture(partial(pathar, depth=depth)) for depth in (2, 3, 4)},
    "mane_mini_xception": Architecture(mane_mini_xception, size=64),
    "mane_simple_cnn": Architecture(mane_simple_cnn, size=64),
    "refat_3pool": Architecture(refat_3pool),
    **{name: Architecture(partial(verma, name=name, widths=widths)) for name, widths in VERMA.items()},
}
