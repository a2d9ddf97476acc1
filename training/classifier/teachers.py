"""Distillation: trained networks whose answers a new one learns beside the labels (Hinton et al. 2015).

Teachers and student see the very same random view of a face, each time anew: what a teacher makes of a
turned, dim, half hidden face is the lesson (Beyer et al. 2022, doi:10.48550/arXiv.2106.05237). Where a data
set has no labels for a head, the answer is all there is: what FER2013's faces teach about gender, and
FairFace's about expression (cross-pseudo-labels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

from training.classifier.architectures import architecture
from training.classifier.network import network
from training.classifier.recipes import Config
from training.classifier.validation import load_keras
from training.errors import RunError
from training.runs.folder import MODEL_FILE, read_config


class Lesson(keras.layers.Layer):
    """Hands a head's logits (n, k) on, and adds to the loss how far they are from the teachers' (n, k).

    That is the cross-entropy of the student's answers with the mean of the teachers' probabilities, times
    `share`. At temperature 1 its gradient is that of their divergence.
    """

    def __init__(self, share: float, **options: Any) -> None:
        super().__init__(dtype="float32", **options)
        self._share = share

    def call(self, logits: Any, answers: Sequence[Any]) -> Any:
        """The logits as they are."""
        mean = ops.mean(ops.stack([ops.softmax(answer) for answer in answers]), axis=0)
        apart = keras.losses.categorical_crossentropy(ops.stop_gradient(mean), logits, from_logits=True)
        self.add_loss(self._share * ops.mean(apart))
        return logits


def shares(config: Config) -> dict[str, float]:
    """How much of each head's loss is the teachers', 0 where none of them has the head.

    It is all read from their configurations, before anything is built or written. Raises RunError for a
    teacher that is no run, takes other pictures, or lacks all heads that are trained.
    """
    found = dict.fromkeys(config.heads, 0.0)
    wanted = architecture(config.arch)
    for name in config.teachers:
        lessons = read_config(Path(name))
        given = architecture(lessons.arch)
        if (given.size, given.frames) != (wanted.size, wanted.frames):
            raise RunError(f"{name}: {lessons.arch} takes other pictures than {config.arch}")
        if not (heads := set(lessons.heads) & set(config.heads)):
            raise RunError(f"{name}: its network has none of the heads {', '.join(config.heads)}")
        found |= dict.fromkeys(heads, config.taught)
    return found


def attended(student: keras.Model, config: Config, taught: Mapping[str, float]) -> keras.Model:
    """The student, as a model that learns from its teachers as well; itself where it has none.

    `taught` are the `shares`. Both have the same layers and weights: what one learns, the other knows. Raises
    RunError for a teacher that was never finished.
    """
    if not config.teachers:
        return student
    # As layers of one model they need names of their own.
    teachers = [
        keras.Model(teacher.input, teacher.output, name=f"teacher{number}")
        for number, teacher in enumerate((_teacher(Path(run), config) for run in config.teachers), start=1)
    ]
    answers = [teacher(student.input, training=False) for teacher in teachers]
    outputs = dict(student.output)
    for head, share in taught.items():
        if share:
            given = [answer[head] for answer in answers if head in answer]
            outputs[head] = Lesson(share, name=f"lesson_{head}")(outputs[head], given)
    return keras.Model(student.input, outputs, name="attended")


def _teacher(run: Path, config: Config) -> keras.Model:
    """A run's network, which computes as precisely as its student does and learns no more."""
    teacher = network(read_config(run), config.precision)
    teacher.set_weights(load_keras(run / MODEL_FILE).get_weights())
    teacher.trainable = False
    return teacher
