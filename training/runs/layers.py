"""Keras layers that train faster on a CPU than Keras' own and export as ordinary ones."""

from typing import Any

import keras

from training.runs.backend import TENSORFLOW, fused_batch_norm


@keras.saving.register_keras_serializable(package="mien")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation over the channels of (n, h, w, c) through TensorFlow's fused kernel.

    Keras 3 writes the training step out as a dozen element-wise operations; the fused kernel does
    it in one, and JAX's compiler fuses them by itself. At inference it is Keras' own layer, so that saving
    and export see nothing unusual.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise (n, h, w, c); while training by the batch, whose statistics the moving ones follow."""
        learning = bool(training) and self.trainable
        if not (learning and TENSORFLOW):
            return super().call(inputs, training=learning, mask=mask)
        outputs, mean, variance = fused_batch_norm(inputs, self.gamma, self.beta, self.epsilon)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            seen = keras.ops.cast(batch, moving.dtype)
            moving.assign(moving * self.momentum + seen * (1 - self.momentum))
        return outputs
