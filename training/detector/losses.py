"""Quality focal loss for the scores and generalised IoU for the boxes, over dense targets."""

from typing import Any

import keras
import numpy as np
from keras import ops

from training.detector.targets import FINEST_STRIDE, SIZE_UNIT, cells


@keras.saving.register_keras_serializable(package="mien")
class DetectionLoss(keras.losses.Loss):
    """`targets.assign`'s (n, cells, 6) against the network's (n, cells, 5), as one number.

    The target score of a cell is that of its face times the intersection over union of the box
    that the cell gives: of the cells on one face the one whose box fits best comes to score highest. Both
    parts are sums over the batch divided by the sum of the faces' scores. Quality focal loss: Li et al. 2020,
    equation 2; generalised IoU: Rezatofighi et al. 2019, algorithm 1.

    Args:
        size: side of the pictures in pixels.
        finest_stride: that of the network's finest grid.
        quality: False leaves the overlap out of the target score, the same for all cells on a face.
        box_weight: weight of the boxes' part; that of the scores is 1.
        gamma: exponent of the focal loss.
    """

    def __init__(
        self,
        size: int = 256,
        finest_stride: int = FINEST_STRIDE,
        quality: bool = True,
        box_weight: float = 1.5,
        gamma: float = 2.0,
    ) -> None:
        super().__init__(name="detection", reduction="sum")
        self.size, self.finest_stride, self.quality = size, finest_stride, quality
        self.box_weight, self.gamma = box_weight, gamma
        grid = cells(size, size, finest_stride)
        self.centre = np.stack([grid.x, grid.y], axis=1)
        self.stride = grid.stride[:, None]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of a batch, a scalar."""
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        face, weight, logit = y_true[..., 0], y_true[..., 1], y_pred[..., 0]
        total = ops.maximum(ops.sum(face), 1.0)
        overlap, generalised = self._overlaps(y_true[..., 2:], self._decode(y_pred[..., 1:]))
        wanted = face * ops.stop_gradient(overlap) if self.quality else face
        score = ops.sum(weight * self._quality_focal(wanted, logit)) / total
        return score + self.box_weight * ops.sum(face * (1.0 - generalised)) / total

    def _quality_focal(self, wanted: Any, logit: Any) -> Any:
        entropy = ops.softplus(logit) - wanted * logit
        return ops.abs(wanted - ops.sigmoid(logit)) ** self.gamma * entropy

    def _decode(self, codes: Any) -> Any:
        size = ops.exp(ops.clip(codes[..., 2:], -4.0, 4.0)) * self.stride * SIZE_UNIT
        corner = codes[..., :2] * self.stride + self.centre - size / 2
        return ops.concatenate([corner, size], axis=-1)

    def _overlaps(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Intersection over union, plain and generalised."""
        a_low, a_high = a[..., :2], a[..., :2] + a[..., 2:]
        b_low, b_high = b[..., :2], b[..., :2] + b[..., 2:]
        common = ops.maximum(ops.minimum(a_high, b_high) - ops.maximum(a_low, b_low), 0.0)
        around = ops.maximum(a_high, b_high) - ops.minimum(a_low, b_low)
        intersection = common[..., 0] * common[..., 1]
        hull = ops.maximum(around[..., 0] * around[..., 1], 1e-6)
        union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - intersection
        plain = intersection / ops.maximum(union, 1e-6)
        return plain, plain - (hull - union) / hull

    def get_config(self) -> dict[str, Any]:
        """What makes it again."""
        return {
            "size": self.size,
            "finest_stride": self.finest_stride,
            "quality": self.quality,
            "box_weight": self.box_weight,
            "gamma": self.gamma,
        }
