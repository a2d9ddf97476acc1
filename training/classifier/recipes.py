"""Every number that decides how a face classifier is trained, and the recipe of each architecture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from training.classifier.architectures import ARCHITECTURES, architecture
from training.data.datasets import HEADS

Task = Literal["both", "emotion", "gender"]
TASKS: dict[Task, tuple[str, ...]] = {
    "both": tuple(HEADS),
    "emotion": ("expression", "fer2013"),
    "gender": ("gender",),
}
"""The heads of a network by what it is trained for."""


@dataclass(frozen=True)
class Config:
    """Everything that decides how a run goes, saved beside its model."""

    arch: str = "mien"
    task: Task = "both"
    trunk: str | None = None
    """Run folder whose network lends the weights of all layers but the heads, where names agree."""
    frozen: bool = False
    """Whether what the trunk lends stays as it is: only the rest learns."""
    teachers: tuple[str, ...] = ()
    """Run folders of trained networks whose mean answer is learned beside the labels (distillation)."""
    taught: float = 0.5
    """Share of a target that comes from the teachers; where there is no label, the weight of their answer."""
    epochs: int = 100
    """Passes over FER2013, or over FairFace where gender is all there is, after which the run is over."""
    minutes: float | None = None
    """Wall-clock time after which the run is over, if it is not before."""
    seed: int = 1
    expression_batch: int = 128
    """FER2013 faces in every step."""
    gender_batch: int = 80
    """FairFace faces in every step."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or stochastic gradient descent with Nesterov's momentum of 0.9."""
    learning_rate: float = 1e-3
    """The highest rate of the optimizer."""
    weight_decay: float = 0.05
    """Share of the weights that is taken away in each step, as a multiple of the learning rate."""
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
    augment: bool = True
    """Whether random views of the pictures are trained on, or the pictures as they are."""
    precision: str = "float32"

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that are trained."""
        return TASKS[self.task]

    @property
    def widths(self) -> dict[str, int]:
        """Number of classes of each head that is trained."""
        return {head: len(HEADS[head]) for head in self.heads}


PLAIN = Config(
    epochs=48,
    learning_rate=1.5e-3,
    gender_batch=112,
    weight_decay=1e-3,
    gender_weight=0.7,
    gender_smoothing=0.0,
    mixup=0.0,
    dropout=0.25,
)
"""How everything is trained that is not ours: the same for all, so that they can be compared."""

TEACHING = Config(
    arch="residual",
    expression_batch=250,
    gender_batch=320,
    learning_rate=1.5e-3,
    warmup=0.05,
    ema=0.999,
    dropout=0.2,
    precision="mixed_bfloat16",
)
"""How a network is trained that only teaches: on an accelerator, which large batches keep busy."""

RECIPES = {arch: replace(PLAIN, arch=arch) for arch in ARCHITECTURES} | {
    "mien": Config(),
    "residual": TEACHING,
}


def recipe(arch: str) -> Config:
    """How the named architecture is trained unless told otherwise; raises UnknownArchitecture."""
    architecture(arch)
    return RECIPES[arch]
