"""Hyper-parameters of the face classifier, and the recipe of each architecture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from training.classifier.architectures import ARCHITECTURES, architecture
from training.data.datasets import HEADS
from training.errors import RunError
from training.runs.onnx_file import read_sources
from training.runs.run_folder import read_stored_config

UTKFACE = "UTKFace"
"""The name of this data set in the metadata of files."""
Task = Literal["both", "emotion", "gender"]
TASKS: dict[Task, tuple[str, ...]] = {
    "both": tuple(HEADS),
    "emotion": ("expression", "fer2013"),
    "gender": ("gender",),
}
"""The heads of a network by task."""


@dataclass(frozen=True)
class Config:
    """The configuration of a run, stored in its run folder."""

    arch: str = "mien"
    task: Task = "both"
    trunk: str | None = None
    """Run folder from which the weights of all layers of the same names, except the heads, are copied."""
    start_from: str | None = None
    """Float32 ONNX file of the same architecture, or a run that exported one, whose weights, also the heads',
    the run starts with."""
    imagenet: str | None = None
    """File with the weights of ImageNet that `lite0` starts with; see `training.classifier.imagenet`."""
    frozen: bool = False
    """Whether the layers copied from the trunk are not trained."""
    teachers: tuple[str, ...] = ()
    """Run folders of trained networks whose mean output is learned in addition to labels (distillation)."""
    taught: float = 0.5
    """The teachers' share of the loss; without a label, the weight of the teachers' output."""
    epochs: int = 100
    """Passes over FER2013, or over FairFace for the task gender, after which the run ends."""
    minutes: float | None = None
    """Wall-clock minutes after which the run ends at the latest."""
    seed: int = 1
    expression_batch: int = 128
    """FER2013 faces in every step."""
    gender_batch: int = 80
    """Faces with a gender in every step: FairFace's, and UTKFace's with `utkface`."""
    utkface: bool = False
    """Whether UTKFace's faces are added to FairFace's."""
    balance: float = 0.0
    """How much more often faces of rare groups of race, gender and age are drawn: the chance of a face is
    proportional to the size of its group to the power of minus this number. 0: all alike; 1: all groups
    alike."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or stochastic gradient descent with Nesterov momentum of 0.9."""
    learning_rate: float = 1e-3
    """The highest learning rate."""
    weight_decay: float = 0.05
    """Decoupled weight decay: share of the weights removed in each step, times the learning rate."""
    warmup: float = 0.03
    """Share of the run in which the learning rate rises (warm-up)."""
    gender_weight: float = 1.0
    """Weight of the gender loss; those of expression and fer2013 are 1."""
    gender_smoothing: float = 0.05
    """Label smoothing of gender targets."""
    mixup: float = 0.2
    """Parameter of the beta distribution of mixup; 0: no mixup."""
    ema: float = 0.998
    """Share of the exponentially averaged weights that each step keeps, at most; see
    `training.runs.averaging`."""
    dropout: float = 0.4
    augment: bool = True
    """Whether to train on random views of the pictures, or on the unchanged pictures."""
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
"""The recipe of all networks of other works: the same for all, so that they can be compared."""

TEACHER = Config(
    arch="residual",
    expression_batch=250,
    gender_batch=320,
    learning_rate=1.5e-3,
    warmup=0.05,
    ema=0.999,
    dropout=0.2,
    precision="mixed_bfloat16",
)
"""The recipe of a teacher: large batches, for an accelerator."""

PRETRAINED = Config(arch="lite0", gender_batch=128, epochs=12, learning_rate=5e-4, dropout=0.2)
"""The recipe of a teacher that starts from ImageNet: few passes at a low rate, for a CPU."""

RECIPES = {arch: replace(PLAIN, arch=arch) for arch in ARCHITECTURES} | {
    "mien": Config(),
    "residual": TEACHER,
    "lite0": PRETRAINED,
}


def recipe(arch: str) -> Config:
    """The default configuration of the named architecture; raises UnknownArchitecture."""
    architecture(arch)
    return RECIPES[arch]


def read_config(run: Path) -> Config:
    """The configuration of a classifier's run; raises RunError if there is none."""
    try:
        values = read_stored_config(run)
        return Config(**values | {"teachers": tuple(values.get("teachers", ()))})
    except TypeError as error:
        raise RunError(f"{run} is not a classifier's training run: {error}") from error


def learns_utkface(config: Config) -> bool:
    """Whether the network learns from UTKFace: itself, or through its start, its trunk or a teacher.

    Raises RunError for one of these that cannot be read.
    """
    started = config.start_from is not None and UTKFACE in read_sources(Path(config.start_from))
    lenders = (*config.teachers, *filter(None, (config.trunk,)))
    return config.utkface or started or any(learns_utkface(read_config(Path(name))) for name in lenders)
