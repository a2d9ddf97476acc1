"""What only TensorFlow can be told; everything else in training goes through Keras."""

from __future__ import annotations

import tensorflow as tf


def use_threads(count: int) -> None:
    """Limit TensorFlow to `count` threads; 0 leaves it its own choice, as many as there are cores.

    To be called before anything else uses it; raises RuntimeError later.
    """
    if count:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
