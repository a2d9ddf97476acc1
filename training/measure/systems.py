"""The systems of the comparison: the paper's, those of related work, and ours, trained under one rule.

Every network learns from the same faces, with the same augmentation and the same optimizer with an annealed
learning rate, and keeps the average of its last weights. A pass is one over FER2013, or over FairFace for a
network for gender alone; a network for both tasks has about as many passes over FairFace. Learning rate,
weight decay, dropout, mixup, weight of the gender loss and label smoothing are those of a network's recipe:
ours differs from the others, which share one. Published figures of a work were measured on other pictures,
often selected on them: they are listed next to ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from training.classifier.recipes import Config, recipe
from training.errors import UnknownSystem

PASSES = 6
"""Passes over the training faces of every system."""
EXPRESSION_FACES, GENDER_FACES = 28_006, 35_992
"""Faces of FER2013 and of FairFace that the published systems learned from."""
BALANCED_BATCH = 165
"""FairFace's faces in every step of a network for both tasks: 218 steps with 128 faces of FER2013 are then a
pass over both sets."""


@dataclass(frozen=True)
class System:
    """One row of the comparison: a network, how it is trained, and where it comes from."""

    name: str
    what: str
    arch: str
    options: dict[str, Any] = field(default_factory=dict)
    """Differences from the architecture's recipe."""
    trunk: str | None = None
    """The system from which weights are copied."""
    claim: str = ""
    """What the work reports, and on which data."""
    apart: str = ""
    """Why our figure differs, or what is unknown about the work."""

    def config(self, runs: Path, passes: int) -> Config:
        """Its training configuration, given the folder of all runs."""
        trunk = None if self.trunk is None else str(runs / self.trunk)
        changes: dict[str, Any] = {
            "epochs": passes,
            "precision": "mixed_bfloat16",
            "trunk": trunk,
        } | self.options
        if "task" not in changes:
            changes["gender_batch"] = BALANCED_BATCH
        return replace(recipe(self.arch), **changes)


EMOTION = {"task": "emotion"}
GENDER = {"task": "gender", "gender_batch": 128}

PATHAR = "Pathar et al. 2019 compare depths on FER2013"
PATHAR_APART = "widths are ours; its figures could not be checked"
MANE = "Mane and Shah 2019 carry 66 % (FER2013) and 96 % (IMDB) of Arriaga et al. 2017"
MANE_APART = "one network for both heads; gender from FairFace, which is harder than IMDB's portraits"
VERMA = (
    "Verma et al. 2019, on KDEF, 4,900 posed portraits: by their abstract venturi is more accurate than "
    "the two others"
)
VERMA_APART = "FER2013's pictures come from the web; the abstract has no figures, the paper was not available"
ZHOU = "Zhou et al.: gender from features of a pre-trained network"
ZHOU_APART = "the features are those of our own emotion network; its figures could not be checked"
STILLS = "clips are made of stills: robustness, not dynamics"

SYSTEMS = (
    System("paper_cnn", "CNN of the paper", "paper_cnn", claim="the paper's CNN"),
    System("paper_logreg", "logistic regression on pixels", "paper_logreg"),
    System(
        "paper_logreg_features",
        "logistic regression on features of `paper_cnn`",
        "paper_cnn",
        {"frozen": True, "dropout": 0.0},
        trunk="paper_cnn",
        apart="only the heads are trained",
    ),
    System("mien", "ours: the network that ships, with as many passes", "mien"),
    System("mien_emotion", "ours, expressions alone", "mien", EMOTION),
    System("mien_gender", "ours, gender alone", "mien", GENDER),
    System(
        "zhou_transfer",
        "gender from frozen features of `mien_emotion`",
        "mien",
        GENDER | {"frozen": True, "dropout": 0.0},
        trunk="mien_emotion",
        claim=ZHOU,
        apart=ZHOU_APART,
    ),
    System(
        "zhou_transfer_tuned",
        "the same, then fine-tuned",
        "mien",
        GENDER | {"learning_rate": 3e-4},
        trunk="mien_emotion",
        claim=ZHOU,
        apart=f"{ZHOU_APART}; the passes of the copied network are additional",
    ),
    *(
        System(
            f"verma_{shape}",
            f"two convolutions, six dense layers: {shape}",
            f"verma_{shape}",
            EMOTION,
            claim=VERMA,
            apart=VERMA_APART,
        )
        for shape in ("rectangular", "triangular", "venturi")
    ),
    *(
        System(
            f"pathar_depth{depth}",
            f"{depth} blocks of two convolutions",
            f"pathar_depth{depth}",
            EMOTION,
            claim=PATHAR,
            apart=PATHAR_APART,
        )
        for depth in (2, 3, 4)
    ),
    System(
        "paper_lstm",
        "LSTM over features of `paper_cnn`, clips of 3",
        "paper_lstm",
        {"frozen": True},
        trunk="paper_cnn",
        apart=STILLS,
    ),
    System("mane_mini_xception", "mini-XCEPTION, 64x64", "mane_mini_xception", claim=MANE, apart=MANE_APART),
    System("mane_simple_cnn", "simple CNN, 64x64", "mane_simple_cnn", claim=MANE, apart=MANE_APART),
    System(
        "refat_3pool",
        "three blocks, 64 to 256 filters",
        "refat_3pool",
        EMOTION,
        claim="Refat and Azlan 2019",
        apart="its figures could not be checked",
    ),
    System(
        "paper_convlstm",
        "ConvLSTM2D in place of the third convolution, clips of 3",
        "paper_convlstm",
        apart=STILLS,
    ),
)
"""In training order: a system comes after the one whose weights it copies."""

REMEDIES = (
    System("remedy_none", "no remedy", "paper_cnn", EMOTION | {"augment": False, "dropout": 0.0}),
    System("remedy_dropout", "dropout", "paper_cnn", EMOTION | {"augment": False, "dropout": 0.5}),
    System("remedy_gender", "(the trunk for the next two: gender)", "paper_cnn", GENDER | {"augment": False}),
    System(
        "remedy_tuning",
        "fine-tuning of a trunk that knows gender",
        "paper_cnn",
        EMOTION | {"augment": False, "dropout": 0.0, "learning_rate": 5e-4},
        trunk="remedy_gender",
    ),
    System(
        "remedy_extraction",
        "feature extraction: that trunk, frozen",
        "paper_cnn",
        EMOTION | {"augment": False, "dropout": 0.0, "frozen": True},
        trunk="remedy_gender",
    ),
    System("remedy_views", "random views", "paper_cnn", EMOTION | {"dropout": 0.0}),
)
"""Remedies against over-fitting on the paper's CNN, one at a time."""


def gender_passes(
    config: Config, expression_faces: int = EXPRESSION_FACES, gender_faces: int = GENDER_FACES
) -> float:
    """Passes of a whole run over FairFace's `gender_faces`; 0 for expressions alone."""
    if config.task != "both":
        return float(config.epochs) if config.task == "gender" else 0.0
    steps = config.epochs * max(1, expression_faces // config.expression_batch)
    return steps * config.gender_batch / gender_faces


def chosen(names: Sequence[str] | None) -> list[System]:
    """The systems with the given names, or all; raises UnknownSystem."""
    systems = {system.name: system for system in (*SYSTEMS, *REMEDIES)}
    for name in names or ():
        if name not in systems:
            raise UnknownSystem(f"system {name!r} is unknown; known: {', '.join(systems)}")
    return [systems[name] for name in names] if names else list(systems.values())
