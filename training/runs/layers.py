"""Keras layers that train faster on a CPU and export like ordinary layers."""

from typing import Any

import keras

from training.runs.backend import TENSORFLOW, fused_batch_norm


@keras.saving.register_keras_serializable(package="mien")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation over the channels of (n, h, w, c) with TensorFlow's fused kernel.

    In training, Keras 3 uses a dozen element-wise operations; the fused kernel is one operation. JAX's
    compiler fuses them itself. At inference it is Keras' own layer, so saving and export are unchanged.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise (n, h, w, c); in training by batch statistics, which also update the moving averages."""
        learning = bool(training) and self.trainable
        if not (learning and TENSORFLOW):
            return super().call(inputs, training=learning, mask=mask)
        outputs, mean, variance = fused_batch_norm(inputs, self.gamma, self.beta, self.epsilon)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            value = keras.ops.cast(batch, moving.dtype)
            moving.assign(moving * self.momentum + value * (1 - self.momentum))
        return outputs
