"""The networks of the paper: a CNN, two that see clips of three frames, and logistic regression."""

from __future__ import annotations

import keras
from keras import layers

from training.classifier.architectures.parts import (
    Heads,
    Wrap,
    as_it_is,
    logits,
    pixels,
    scaled,
    two_convolutions,
)

FRAMES = 3
"""Frames of a clip."""


def paper_cnn(heads: Heads, dropout: float) -> keras.Model:
    """Three convolutions, two max-pools, two fully connected layers; 1.2 million parameters."""
    picture = pixels(48)
    x = _features(scaled(picture), dropout, as_it_is)
    x = layers.Dropout(dropout, name="dropout2")(x)
    return keras.Model(picture, logits(x, heads), name="paper_cnn")


def paper_convlstm(heads: Heads, dropout: float) -> keras.Model:
    """As `paper_cnn` on a clip, with a convolutional LSTM in place of the third convolution."""
    clip = pixels(48, FRAMES)
    x = two_convolutions(scaled(clip), _on_each_frame)
    x = layers.ConvLSTM2D(128, 3, unroll=True, name="convlstm")(x)
    x = _dense(layers.Flatten(name="flatten")(x), dropout, as_it_is)
    x = layers.Dropout(dropout, name="dropout2")(x)
    return keras.Model(clip, logits(x, heads), name="paper_convlstm")


def paper_lstm(heads: Heads, dropout: float) -> keras.Model:
    """An LSTM of 64 units over what the last dense layer of `paper_cnn` makes of each frame."""
    clip = pixels(48, FRAMES)
    x = _features(scaled(clip), dropout, _on_each_frame)
    x = layers.LSTM(64, unroll=True, name="lstm")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    return keras.Model(clip, logits(x, heads), name="paper_lstm")


def paper_logreg(heads: Heads, dropout: float) -> keras.Model:
    """Logistic regression on the pixels."""
    picture = pixels(48)
    x = layers.Flatten(name="flatten")(scaled(picture))
    return keras.Model(picture, logits(x, heads), name="paper_logreg")


def _features(x: keras.KerasTensor, dropout: float, wrap: Wrap) -> keras.KerasTensor:
    x = two_convolutions(x, wrap)
    x = wrap(layers.Conv2D(128, 3, activation="relu", name="conv3"))(x)
    return _dense(wrap(layers.Flatten(name="flatten"))(x), dropout, wrap)


def _dense(x: keras.KerasTensor, dropout: float, wrap: Wrap) -> keras.KerasTensor:
    x = wrap(layers.Dropout(dropout, name="dropout1"))(x)
    x = wrap(layers.Dense(128, activation="relu", name="fc1"))(x)
    return wrap(layers.Dense(64, activation="relu", name="fc2"))(x)


def _on_each_frame(layer: layers.Layer) -> layers.Layer:
    # Under the layer's own name, so that the weights of `paper_cnn` find their place.
    return layers.TimeDistributed(layer, name=layer.name)
