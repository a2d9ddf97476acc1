"""Losses of batches in which faces lack some heads' targets."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.classifier.augment import blend
from training.classifier.losses import Targets, joined, losses, place, weighed

WIDTHS = {"expression": 3, "gender": 2}
TARGETS = joined(
    [
        place({"expression": np.array([[1, 0, 0], [0, 0.5, 0.5]], np.float32)}, WIDTHS),
        place({"gender": np.array([[0, 1], [1, 0]], np.float32)}, WIDTHS),
    ]
)


def gradients(targets: Targets) -> dict[str, np.ndarray]:
    """Gradient (n, k) of each head's loss by its logits, as `Model.fit` computes it."""
    rng = np.random.default_rng(0)
    (targets, weights), found = weighed(targets), {}
    for head, loss in losses(WIDTHS).items():
        logits = tf.Variable(rng.normal(size=targets[head].shape).astype(np.float32))
        with tf.GradientTape() as tape:
            value = loss(targets[head], logits, sample_weight=weights[head])
        found[head] = tape.gradient(value, logits).numpy()
    return found


def test_targets_of_two_groups_stand_one_after_the_other() -> None:
    assert TARGETS["expression"].tolist() == [[1, 0, 0], [0, 0.5, 0.5], [0, 0, 0], [0, 0, 0]]
    assert TARGETS["gender"].tolist() == [[0, 0], [0, 0], [0, 1], [1, 0]]
    whole, weights = weighed(TARGETS)
    assert {head: rows.tolist() for head, rows in weights.items()} == {
        "expression": [1, 1, 0, 0],
        "gender": [0, 0, 1, 1],
    }
    assert all(np.array_equal(whole[head], TARGETS[head]) for head in WIDTHS)


def test_a_missing_head_contributes_exactly_nothing() -> None:
    found = gradients(TARGETS)
    assert not found["expression"][2:].any()
    assert not found["gender"][:2].any()
    assert found["expression"][:2].any(axis=1).all()
    assert found["gender"][2:].any(axis=1).all()


def test_the_mean_is_over_labelled_faces_alone() -> None:
    logits = np.array([[2, 0, 0], [0, 1, 0], [5, -5, 0], [9, 0, 0]], np.float32)
    own = logits[:2] - np.log(np.exp(logits[:2]).sum(axis=1, keepdims=True))
    expected = -(TARGETS["expression"][:2] * own).sum(axis=1).mean()
    loss = losses(WIDTHS)["expression"]
    found = float(loss(TARGETS["expression"], logits, sample_weight=weighed(TARGETS)[1]["expression"]))
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_face_blended_with_one_without_a_target_counts_for_its_share() -> None:
    rows = np.array([[0.3, 0, 0.1], [0, 0, 0], [0, 1, 0]], np.float32)
    whole, weights = weighed({"expression": rows})
    assert whole["expression"] == pytest.approx(np.array([[0.75, 0, 0.25], [0, 0, 0], [0, 1, 0]]))
    assert weights["expression"] == pytest.approx([0.4, 0, 1])


def test_no_target_pushes_all_logits_the_same_way() -> None:
    """Softmax cannot see such a push, so it would go on for ever."""
    pictures, rng = np.zeros((4, 2, 2, 1), np.float32), np.random.default_rng(0)
    _, blended = blend(pictures, TARGETS, 1.0, rng)
    assert (blended["expression"].sum(axis=1) % 1).any()
    for head, gradient in gradients(blended).items():
        assert gradient.sum(axis=1) == pytest.approx(np.zeros(4), abs=1e-6), head


def test_a_batch_without_any_target_of_a_head_does_not_move_it() -> None:
    empty = TARGETS | {"gender": np.zeros((4, 2), np.float32)}
    assert not gradients(empty)["gender"].any()


def test_the_trunk_learns_nothing_from_a_head_without_targets() -> None:
    """The same step, whatever the faces without a gender look like to the gender head."""
    pixels = keras.Input((4,))
    features = keras.layers.Dense(3, use_bias=False, name="trunk")(pixels)
    heads = {head: keras.layers.Dense(k, name=head)(features) for head, k in WIDTHS.items()}
    model = keras.Model(pixels, heads)
    model.compile(keras.optimizers.SGD(0.1), loss=losses(WIDTHS), loss_weights={"expression": 1, "gender": 1})
    before = model.get_weights()
    faces = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    targets = place({"expression": TARGETS["expression"][:2]}, WIDTHS)
    model.train_on_batch(faces, *weighed(targets))
    after = dict(zip((v.path for v in model.weights), model.get_weights(), strict=True))
    start = dict(zip(after, before, strict=True))
    assert np.array_equal(after["gender/kernel"], start["gender/kernel"])
    assert not np.array_equal(after["trunk/kernel"], start["trunk/kernel"])
