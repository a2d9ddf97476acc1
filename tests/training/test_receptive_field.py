"""Positions of feature-map cells agree with their gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from training.classifier.architectures import ARCHITECTURES, build
from training.errors import ExplainError
from training.measure.receptive_field import grid, last_map

STACKS = {
    "valid": [layers.Conv2D(2, 5), layers.MaxPooling2D(2), layers.Conv2D(2, 3)],
    "cropped": [
        layers.Cropping2D(((3, 1), (3, 1))),
        layers.Conv2D(2, 3, padding="same"),
        layers.AveragePooling2D(2),
    ],
    "strided, same": [
        layers.Conv2D(2, 3, strides=2, padding="same"),
        layers.Conv2D(2, 3, strides=2, padding="same"),
    ],
    "even kernel": [
        layers.Conv2D(2, 4, padding="same"),
        layers.AveragePooling2D(3, strides=2, padding="same"),
    ],
    "enlarged": [
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Conv2D(2, 3, padding="same"),
        layers.MaxPooling2D(2),
    ],
    "separable": [
        layers.SeparableConv2D(2, 3, padding="same"),
        layers.MaxPooling2D(3, strides=2, padding="same"),
    ],
}


@pytest.mark.parametrize("name", STACKS)
def test_receptive_fields_are_centred_at_the_grid_positions(name: str) -> None:
    """The pixels that influence the middle cell are centred at its grid position."""
    picture = keras.Input((33, 33, 1))
    x = picture
    for layer in STACKS[name]:
        x = layer(x)
    model = keras.Model(picture, layers.Flatten()(x))
    for weights in model.trainable_variables:
        weights.assign(tf.ones_like(weights))
    found, cell = grid(model, STACKS[name][-1]), x.shape[1] // 2
    # The gradient of a max-pool reaches only its maximum: many random pictures cover all pixels.
    pixels = tf.random.stateless_uniform((64, 33, 33, 1), (1, 2))
    network = keras.Model(picture, x)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        one = network(pixels)[:, cell, cell, 0]
    seen = np.flatnonzero(np.abs(tape.gradient(one, pixels).numpy()).sum(axis=(0, 1, 3)))
    assert (seen[0] + seen[-1]) / 2 == found.first + cell * found.step


@pytest.mark.parametrize("name", sorted(set(ARCHITECTURES) - {"paper_logreg"}))
def test_every_convolutional_network_has_maps_within_its_picture(name: str) -> None:
    model = build(name, {"expression": 7, "gender": 2}, 0.1)
    size = model.input_shape[-2]
    for head in ("expression", "gender"):
        layer = last_map(model, head)
        assert layer.output.shape[-1] > 1
        found, cells = grid(model, layer), layer.output.shape[-2]
        assert 1 < cells < size
        assert 0 <= found.first < found.first + (cells - 1) * found.step < size


def test_the_shipped_network_is_explained_by_its_last_convolution() -> None:
    model = build("mien", {"gender": 2}, 0.1)
    layer = last_map(model, "gender")
    assert layer.name == "relu4b"
    # Two pixels cropped; pools of two, three times, each with an offset of half a cell.
    assert (grid(model, layer).first, grid(model, layer).step) == (2 + 0.5 + 1 + 2, 8)


def test_heads_with_their_own_maps_are_explained_by_them() -> None:
    model = build("mane_simple_cnn", {"expression": 7, "gender": 2}, 0.1)
    assert last_map(model, "gender").name == "gender_maps"


def test_a_network_without_maps_is_refused() -> None:
    with pytest.raises(ExplainError, match="paper_logreg: no layer before 'gender' has feature maps"):
        last_map(build("paper_logreg", {"gender": 2}, 0.1), "gender")


def test_a_layer_of_unknown_effect_is_refused() -> None:
    picture = keras.Input((8, 8, 1))
    grown = layers.ZeroPadding2D(name="grown")
    model = keras.Model(picture, layers.Flatten()(grown(picture)))
    with pytest.raises(ExplainError, match="'grown' changes the size of maps"):
        grid(model, grown)
