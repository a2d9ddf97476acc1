"""Distillation: trained networks whose answers a new one learns beside the labels (Hinton et al. 2015).

At temperature 1 the two losses, 0.5 CE(label) + 0.5 KL(teachers), have the gradient of one cross-entropy
with a blend of label and answer, so all that a teacher changes is the targets. Where a data set has no labels
for a head, the answer is all there is: what FER2013's faces teach about gender, and FairFace's about
expression (cross-pseudo-labels).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.classifier import softmax
from training.augment import plain
from training.batches import Source
from training.errors import RunError
from training.losses import Targets
from training.recipes import Config
from training.runs import MODEL_FILE, read_config
from training.validation import batched, keras_logits, load_keras, taken


def taught(sources: Sequence[Source], config: Config) -> list[Source]:
    """The sources with targets into which the teachers' answers are blended; as they are without teachers.

    Raises RunError for a teacher that is no trained run, that sees clips, or that lacks all heads that
    are trained.
    """
    if not config.teachers:
        return list(sources)
    runs = [Path(name) for name in config.teachers]
    return [_blended(source, [_answers(run, source, config) for run in runs], config) for source in sources]


def _blended(source: Source, answers: Sequence[Targets], config: Config) -> Source:
    targets = dict(source.targets)
    for head in config.heads:
        given = [answer[head] for answer in answers if head in answer]
        if given:
            targets[head] = _blend(targets.get(head), np.mean(given, axis=0, dtype=np.float32), config.taught)
    return replace(source, targets=targets)


def _blend(
    known: NDArray[np.float32] | None, answer: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Labels (n, k), zeros where there is none, and answers (n, k): an answer alone weighs `share`."""
    taught = np.float32(share) * answer
    return taught if known is None else np.float32(1 - share) * known + taught


def _answers(run: Path, source: Source, config: Config) -> Targets:
    """A teacher's probabilities (n, k) for each head, each face seen as it is and mirrored."""
    read_config(run)  # Refuses what is no run: the card must say how its teachers were trained.
    teacher = load_keras(run / MODEL_FILE)
    size, frames = taken(teacher)
    if frames is not None:
        raise RunError(f"{run}: its network sees clips, a teacher must see single faces")
    if not set(teacher.output_names) & set(config.heads):
        raise RunError(f"{run}: its network has none of the heads {', '.join(config.heads)}")
    # Nothing in the view is random: its placement is the square itself.
    crops = plain(source.images, source.squares, size, np.random.default_rng(0))
    views = [batched(keras_logits(teacher), seen) for seen in (crops, crops[:, :, ::-1])]
    return {head: np.mean([softmax(view[head], 1.0) for view in views], axis=0) for head in views[0]}
