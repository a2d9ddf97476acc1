"""Face crops: the one definition that training, evaluation and the live path share.

A crop is a square around the detector's box, `SCALE * sqrt(w * h)` wide, its centre moved by
`SHIFT` of that side (negative is up). With these constants a detected face fills its crop as faces
fill the pictures of FER2013: they maximise the correlation (.92) between the mean FER2013 training
picture and the mean crop of FairFace training faces at their detector boxes. `mien train frame`
repeats the search.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

SCALE = 1.12
SHIFT = -0.03

_AREA_FROM = 2.0
"""Source pixels per crop pixel from which bilinear sampling skips pixels and therefore aliases."""


def squares(boxes: ArrayLike, scale: float = SCALE, shift: float = SHIFT) -> NDArray[np.float32]:
    """Squares (n, 3) float32 of boxes (n, 4) x, y, w, h: centre x, centre y, side, in pixels.

    Raises ValueError for boxes that are not (n, 4) or whose width or height is not positive.
    """
    array = np.asarray(boxes, np.float32)
    if not array.size:
        return np.empty((0, 3), np.float32)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes have shape {array.shape}, expected (n, 4)")
    x, y, w, h = array.T
    if not (np.isfinite(array).all() and (w > 0).all() and (h > 0).all()):
        raise ValueError("boxes must be finite, with a width and a height above 0")
    sides = scale * np.sqrt(w * h)
    return np.stack([x + w / 2, y + h / 2 + shift * sides, sides], axis=1)


def crop(
    gray: NDArray[np.uint8],
    boxes: ArrayLike,
    size: int,
    scale: float = SCALE,
    shift: float = SHIFT,
) -> NDArray[np.uint8]:
    """Face crops (n, size, size) uint8 of a grey picture (height, width) at boxes (n, 4).

    Outside the picture its border is repeated. Raises ValueError for a picture that is not two-dimensional
    uint8 and for boxes that `squares` refuses.
    """
    if gray.ndim != 2 or gray.dtype != np.uint8 or not gray.size:
        raise ValueError(f"picture is {gray.dtype} {gray.shape}, expected uint8 (height, width)")
    found = squares(boxes, scale, shift)
    crops = np.empty((len(found), size, size), np.uint8)
    for out, (x, y, side) in zip(crops, found.tolist(), strict=True):
        if side >= _AREA_FROM * size:
            cv2.resize(_cut_square(gray, x, y, side), (size, size), dst=out, interpolation=cv2.INTER_AREA)
        else:
            _sample(gray, x, y, side, out)
    return crops


def _sample(gray: NDArray[np.uint8], x: float, y: float, side: float, out: NDArray[np.uint8]) -> None:
    # OpenCV has pixel centres at integers, boxes have pixel edges there: half a pixel of difference.
    size = len(out)
    step = side / size
    origin = (1 - size) / 2 * step - 0.5
    to_source = np.array([[step, 0, x + origin], [0, step, y + origin]])
    cv2.warpAffine(
        gray,
        to_source,
        (size, size),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _cut_square(gray: NDArray[np.uint8], x: float, y: float, side: float) -> NDArray[np.uint8]:
    """The square rounded to whole pixels: at this size the error is below half a crop pixel."""
    height, width = gray.shape
    span = round(side)
    left, top = round(x - side / 2), round(y - side / 2)
    right, bottom = left + span, top + span
    inside = gray[
        min(max(top, 0), height - 1) : max(min(bottom, height), 1),
        min(max(left, 0), width - 1) : max(min(right, width), 1),
    ]
    missing = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    if not any(missing):
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, *missing, cv2.BORDER_REPLICATE), np.uint8)
