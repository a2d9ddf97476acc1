"""Knowledge distillation (Hinton et al. 2015): a student learns from labels and from trained teachers.

Teachers and student see the same random view of a face in every step (Beyer et al. 2022,
doi:10.48550/arXiv.2106.05237). Where a data set has no labels for a head, the teachers' output is the only
target (cross-pseudo-labels): gender on FER2013's faces, expression on FairFace's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

from training.classifier.architectures import architecture
from training.classifier.network import build_network
from training.classifier.recipes import Config, read_config
from training.classifier.validation import load_keras
from training.errors import RunError
from training.runs.run_folder import MODEL_FILE


class DistillationLoss(keras.layers.Layer):
    """Passes a head's logits (n, k) through and adds the distillation loss.

    The loss is `share` times the cross-entropy between the mean of the teachers' probabilities and the
    student's. At temperature 1 its gradient equals that of the Kullback-Leibler divergence.
    """

    def __init__(self, share: float, **options: Any) -> None:
        super().__init__(dtype="float32", **options)
        self._share = share

    def call(self, logits: Any, teachers: Sequence[Any]) -> Any:
        """Add the loss; return the logits unchanged."""
        mean = ops.mean(ops.stack([ops.softmax(teacher) for teacher in teachers]), axis=0)
        distance = keras.losses.categorical_crossentropy(ops.stop_gradient(mean), logits, from_logits=True)
        self.add_loss(self._share * ops.mean(distance))
        return logits


def teacher_shares(config: Config) -> dict[str, float]:
    """The teachers' share of each head's loss; 0 where no teacher has the head.

    Only the teachers' configurations are read; nothing is built or written. Raises RunError for a teacher
    that is not a run, takes another input, or has none of the trained heads.
    """
    found = dict.fromkeys(config.heads, 0.0)
    wanted = architecture(config.arch)
    for name in config.teachers:
        teacher = read_config(Path(name))
        given = architecture(teacher.arch)
        if (given.size, given.frames) != (wanted.size, wanted.frames):
            raise RunError(f"{name}: {teacher.arch} takes other pictures than {config.arch}")
        if not (heads := set(teacher.heads) & set(config.heads)):
            raise RunError(f"{name}: its network has none of the heads {', '.join(config.heads)}")
        found |= dict.fromkeys(heads, config.taught)
    return found


def with_teachers(student: keras.Model, config: Config, shares: Mapping[str, float]) -> keras.Model:
    """The student wrapped in a model that also learns from its teachers; the student itself without any.

    `shares` are the `teacher_shares`. Wrapper and student share layers and weights. Raises RunError for a
    teacher whose run has no model.
    """
    if not config.teachers:
        return student
    # Layers of one model need unique names.
    teachers = [
        keras.Model(teacher.input, teacher.output, name=f"teacher{number}")
        for number, teacher in enumerate(
            (_load_teacher(Path(run), config) for run in config.teachers), start=1
        )
    ]
    answers = [teacher(student.input, training=False) for teacher in teachers]
    outputs = dict(student.output)
    for head, share in shares.items():
        if share:
            given = [answer[head] for answer in answers if head in answer]
            outputs[head] = DistillationLoss(share, name=f"distillation_{head}")(outputs[head], given)
    return keras.Model(student.input, outputs, name="with_teachers")


def _load_teacher(run: Path, config: Config) -> keras.Model:
    """A run's network in the student's precision; it is not trained."""
    teacher = build_network(read_config(run), config.precision)
    teacher.set_weights(load_keras(run / MODEL_FILE).get_weights())
    teacher.trainable = False
    return teacher
