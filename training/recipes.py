"""Every number that decides how a face classifier is trained, and the recipe of each architecture."""

from __future__ import annotations

from dataclasses import dataclass

from training.errors import UnknownArchitecture


@dataclass(frozen=True)
class Config:
    """Everything that decides how a run goes, saved beside its model."""

    arch: str = "mien"
    epochs: int = 100
    """Passes over FER2013 after which the run is over."""
    minutes: float | None = None
    """Wall-clock time after which the run is over, if it is not before."""
    seed: int = 1
    expression_batch: int = 128
    """FER2013 faces in every step."""
    gender_batch: int = 80
    """FairFace faces in every step."""
    learning_rate: float = 1.5e-3
    """The highest rate of AdamW."""
    weight_decay: float = 0.05
    warmup: float = 0.03
    """Share of the run in which the learning rate rises."""
    gender_weight: float = 1.0
    """Weight of the gender loss; those of expression and fer2013 are 1."""
    gender_smoothing: float = 0.05
    """Label smoothing of gender targets."""
    mixup: float = 0.2
    """Parameter of the beta distribution by which two faces are blended; 0: never."""
    ema: float = 0.998
    """How much of the averaged weights each step keeps."""
    dropout: float = 0.4
    precision: str = "float32"


RECIPES = {
    "mien": Config(),
    "paper_cnn": Config(
        arch="paper_cnn",
        epochs=48,
        gender_batch=112,
        weight_decay=1e-3,
        gender_weight=0.7,
        gender_smoothing=0.0,
        mixup=0.0,
        dropout=0.25,
    ),
}


def recipe(arch: str) -> Config:
    """How the named architecture is trained unless told otherwise; raises UnknownArchitecture."""
    if arch not in RECIPES:
        raise UnknownArchitecture(f"architecture {arch!r} is unknown; known: {', '.join(RECIPES)}")
    return RECIPES[arch]
