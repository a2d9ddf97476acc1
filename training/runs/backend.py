"""What differs between the libraries that Keras computes with; all else in training goes through Keras.

TensorFlow is what is tested and exported with, and the faster one on a processor. JAX is the faster one on an
accelerator: `KERAS_BACKEND=jax` chooses it.
"""

from __future__ import annotations

from typing import Any

import keras

from training.errors import RunError

TENSORFLOW = keras.backend.backend() == "tensorflow"
AT_ONCE = 1 if TENSORFLOW else 16
"""Steps between two looks at how a run goes: an accelerator would wait for each look."""

if TENSORFLOW:
    import tensorflow as tf


def use_threads(count: int) -> None:
    """Limit TensorFlow to `count` threads; 0 leaves it its own choice, as many as there are cores.

    To be called before anything else uses it; raises RuntimeError later, and RunError with another backend.
    """
    if not count:
        return
    if not TENSORFLOW:
        raise RunError(f"--threads {count}: the backend {keras.backend.backend()} takes no number of threads")
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def fused_batch_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalised (n, h, w, c) by TensorFlow's fused training kernel; the batch's mean and variance (c,)."""
    gamma, beta = tf.cast(gamma, tf.float32), tf.cast(beta, tf.float32)
    normalised: tuple[Any, Any, Any] = tf.compat.v1.nn.fused_batch_norm(
        x, gamma, beta, epsilon=epsilon, is_training=True, data_format="NHWC"
    )
    return normalised


def settle(model: keras.Model) -> None:
    """Bring a model's variables up to date within an epoch, and let it see what is assigned to them.

    JAX's training steps keep the state to themselves until they are asked.
    """
    if keras.backend.backend() == "jax":
        model.jax_state_sync()
