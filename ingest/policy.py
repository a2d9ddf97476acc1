"""The policy of a camera while it is captured: its masked regions are blanked in every picture.

The policy can change at any time: the next picture follows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from bus.messages import Switches
from common.masks import Masks
from ingest.cameras import CameraPolicy
from media.images import Gray

BLANK = 0
"""The grey level of masked regions."""
_FRACTION_BITS = 8
_KEEP = 255


@dataclass(slots=True)
class PolicyInForce:
    """The policy that a camera's pictures follow now; any thread may set it, one reads it."""

    policy: CameraPolicy = field(default_factory=CameraPolicy)
    _drawn: tuple[Masks, tuple[int, ...], NDArray[np.uint8]] | None = None

    @property
    def switches(self) -> Switches:
        """What is estimated."""
        return self.policy.switches

    def blank(self, gray: Gray) -> Gray:
        """A picture (height, width) without the masked regions; the given one is not changed."""
        masks, drawn = self.policy.masks, self._drawn
        if not masks:
            return gray
        if drawn is None or drawn[0] != masks or drawn[1] != gray.shape:
            drawn = masks, gray.shape, draw_masks(masks, gray.shape)
            self._drawn = drawn
        return np.asarray(cv2.bitwise_and(gray, drawn[2]), np.uint8)


def blank_regions(gray: Gray, masks: Masks) -> Gray:
    """A picture (height, width) without the masked regions; the given one is not changed."""
    return PolicyInForce(CameraPolicy(masks)).blank(gray)


def draw_masks(masks: Masks, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A picture (height, width) uint8 that is 0 in the masked regions and 255 elsewhere.

    Every pixel that a mask touches is in its region, and one more all around it.
    """
    height, width = shape
    drawn = np.full((height, width), _KEEP, np.uint8)
    scale = 1 << _FRACTION_BITS
    for polygon in masks:
        points = (np.asarray(polygon) * (width, height) - 0.5) * scale
        cv2.fillPoly(drawn, [np.round(points).astype(np.int32)], BLANK, shift=_FRACTION_BITS)
    return np.asarray(cv2.erode(drawn, np.ones((3, 3), np.uint8)), np.uint8)
