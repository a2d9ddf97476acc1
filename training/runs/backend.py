"""Differences between Keras backends; all other training code uses Keras only.

TensorFlow is used for tests and export, and is faster on a processor. JAX is faster on an accelerator;
`KERAS_BACKEND=jax` selects it.
"""

from __future__ import annotations

from typing import Any

import keras

from training.errors import RunError

TENSORFLOW = keras.backend.backend() == "tensorflow"
STEPS_PER_CALL = 1 if TENSORFLOW else 16
"""Training steps per call of Keras: an accelerator is idle between calls."""

if TENSORFLOW:
    import tensorflow as tf


def use_threads(count: int) -> None:
    """Limit TensorFlow to `count` threads; 0 keeps its default, one per core.

    Call it before any other use of TensorFlow; later it raises RuntimeError. Raises RunError with another
    backend.
    """
    if not count:
        return
    if not TENSORFLOW:
        backend = keras.backend.backend()
        raise RunError(f"--threads {count}: the backend {backend} has no setting for the number of threads")
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def fused_batch_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """TensorFlow's fused batch normalisation of (n, h, w, c), and the batch's mean and variance (c,)."""
    gamma, beta = tf.cast(gamma, tf.float32), tf.cast(beta, tf.float32)
    normalised: tuple[Any, Any, Any] = tf.compat.v1.nn.fused_batch_norm(
        x, gamma, beta, epsilon=epsilon, is_training=True, data_format="NHWC"
    )
    return normalised


def sync_state(model: keras.Model) -> None:
    """Synchronise a model's variables within an epoch, so that they can be read and assigned.

    JAX's training steps hold the state outside the variables.
    """
    if keras.backend.backend() == "jax":
        model.jax_state_sync()
