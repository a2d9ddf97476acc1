"""Focal loss for the scores and generalised IoU for the boxes, over dense targets."""

from typing import Any

import keras
import numpy as np
from keras import ops

from training.detector.targets import SIZE_UNIT, cells


@keras.saving.register_keras_serializable(package="mien")
class DetectionLoss(keras.losses.Loss):
    """`targets.assign`'s (n, cells, 6) against the network's (n, cells, 5), as one number.

    Both parts are sums over the batch divided by its number of positive cells. Focal loss: Lin et
    al. 2017, equation 5; generalised IoU: Rezatofighi et al. 2019, algorithm 1.
    """

    def __init__(
        self, size: int = 256, box_weight: float = 1.5, alpha: float = 0.25, gamma: float = 2.0
    ) -> None:
        super().__init__(name="detection", reduction="sum")
        self.size, self.box_weight, self.alpha, self.gamma = size, box_weight, alpha, gamma
        grid = cells(size, size)
        self.centre = np.stack([grid.x, grid.y], axis=1)
        self.stride = grid.stride[:, None]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of a batch, a scalar."""
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        face, weight, logit = y_true[..., 0], y_true[..., 1], y_pred[..., 0]
        positives = ops.maximum(ops.sum(face), 1.0)
        score = ops.sum(weight * self._focal(face, logit)) / positives
        overlap = self._generalised_iou(y_true[..., 2:], self._decode(y_pred[..., 1:]))
        return score + self.box_weight * ops.sum(face * (1.0 - overlap)) / positives

    def _focal(self, face: Any, logit: Any) -> Any:
        p = ops.sigmoid(logit)
        entropy = ops.softplus(logit) - face * logit
        missing = face * (1.0 - p) + (1.0 - face) * p
        balance = face * self.alpha + (1.0 - face) * (1.0 - self.alpha)
        return balance * missing**self.gamma * entropy

    def _decode(self, codes: Any) -> Any:
        size = ops.exp(ops.clip(codes[..., 2:], -4.0, 4.0)) * self.stride * SIZE_UNIT
        corner = codes[..., :2] * self.stride + self.centre - size / 2
        return ops.concatenate([corner, size], axis=-1)

    def _generalised_iou(self, a: Any, b: Any) -> Any:
        a_low, a_high = a[..., :2], a[..., :2] + a[..., 2:]
        b_low, b_high = b[..., :2], b[..., :2] + b[..., 2:]
        common = ops.maximum(ops.minimum(a_high, b_high) - ops.maximum(a_low, b_low), 0.0)
        around = ops.maximum(a_high, b_high) - ops.minimum(a_low, b_low)
        intersection = common[..., 0] * common[..., 1]
        hull = ops.maximum(around[..., 0] * around[..., 1], 1e-6)
        union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - intersection
        return intersection / ops.maximum(union, 1e-6) - (hull - union) / hull

    def get_config(self) -> dict[str, Any]:
        """What makes it again."""
        return {
            "size": self.size,
            "box_weight": self.box_weight,
            "alpha": self.alpha,
            "gamma": self.gamma,
        }
