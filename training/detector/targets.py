"""Which cell of which scale is responsible for a face, and how a box is written into a cell.

The network looks at grids whose strides double, from the finest, 8 or 4 pixels, to 32. A face belongs to
the grids whose size range holds it (the ranges overlap) and, there, to the cells around its centre. Boxes are
`x, y, w, h` in input pixels, (x, y) the upper left corner; the size of a face is sqrt(w * h).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FINEST_STRIDE = 8
"""The default stride of the finest grid, in pixels."""
SIZE_RANGES: Mapping[int, Mapping[int, tuple[float, float]]] = {
    8: {8: (0.0, 40.0), 16: (28.0, 96.0), 32: (72.0, np.inf)},
    4: {4: (0.0, 20.0), 8: (14.0, 40.0), 16: (28.0, 96.0), 32: (72.0, np.inf)},
}
"""By the stride of the finest grid: sizes of the faces, in pixels, that the grid of each stride is asked to
find."""
UNDECIDED = 1.4
"""A face outside a grid's range by less than this factor is neither right nor wrong there."""
SIZE_UNIT = 3.0
"""A width of `SIZE_UNIT` strides is encoded as zero."""


@dataclass(frozen=True)
class Cells:
    """The cells of all grids over one input, coarse grids last: arrays of shape (cells,)."""

    x: Floats
    y: Floats
    stride: Floats
    low: Floats
    high: Floats


def strides(finest: int = FINEST_STRIDE) -> tuple[int, ...]:
    """The strides of all grids, the finest first."""
    return tuple(SIZE_RANGES[finest])


@cache
def cells(height: int, width: int, finest: int = FINEST_STRIDE) -> Cells:
    """The cells over an input of `height` x `width` pixels, both multiples of 32."""
    parts = []
    for stride, (low, high) in SIZE_RANGES[finest].items():
        ys, xs = np.mgrid[0 : height // stride, 0 : width // stride]
        part = np.empty((5, xs.size), np.float32)
        part[0], part[1] = (xs.ravel() + 0.5) * stride, (ys.ravel() + 0.5) * stride
        part[2], part[3], part[4] = stride, low, high
        parts.append(part)
    return Cells(*np.concatenate(parts, axis=1))


def encode(boxes: Floats, grid: Cells) -> Floats:
    """Boxes (cells, 4), one for each cell, as the four numbers the network gives (cells, 4)."""
    unit = grid.stride * SIZE_UNIT
    return np.stack(
        [
            (boxes[:, 0] + boxes[:, 2] / 2 - grid.x) / grid.stride,
            (boxes[:, 1] + boxes[:, 3] / 2 - grid.y) / grid.stride,
            np.log(boxes[:, 2] / unit),
            np.log(boxes[:, 3] / unit),
        ],
        axis=1,
    ).astype(np.float32)


def decode(codes: Floats, grid: Cells) -> Floats:
    """What `encode` wrote, as boxes again: (cells, 4) -> (cells, 4) in input pixels."""
    size = np.exp(codes[:, 2:]) * (grid.stride * SIZE_UNIT)[:, None]
    centre = codes[:, :2] * grid.stride[:, None] + np.stack([grid.x, grid.y], axis=1)
    return np.concatenate([centre - size / 2, size], axis=1).astype(np.float32)


def assign(boxes: Floats, scores: Floats, height: int, width: int, finest: int = FINEST_STRIDE) -> Floats:
    """The network's targets for one picture: (cells, 6).

    Columns: score (0 to 1; 0 where there is no face), weight (0 where the answer does not count), box
    x, y, w, h. `boxes` (n, 4) hold all marked faces with the `scores` (n,) due to them; those whose score is
    not a number and those smaller than the stride `finest`, which no grid can place, become regions where no
    answer counts. A cell that several faces claim goes to the smallest.
    """
    grid = cells(height, width, finest)
    target = np.zeros((len(grid.x), 6), np.float32)
    target[:, 1] = 1.0
    if len(boxes) == 0:
        return target
    size = np.sqrt(boxes[:, 2] * boxes[:, 3])
    counted = ~np.isnan(scores) & (size >= finest)
    dx = np.abs(grid.x[:, None] - (boxes[:, 0] + boxes[:, 2] / 2))
    dy = np.abs(grid.y[:, None] - (boxes[:, 1] + boxes[:, 3] / 2))

    doubtful = ~counted
    if doubtful.any():
        half = boxes[doubtful, 2:] / 2 + 4.0
        inside = (dx[:, doubtful] < half[:, 0]) & (dy[:, doubtful] < half[:, 1])
        target[inside.any(axis=1), 1] = 0.0
    if counted.any():
        faces = np.column_stack([scores[counted], boxes[counted]])
        _mark(target, grid, faces, size[counted], np.maximum(dx, dy)[:, counted])
    return target


def _mark(target: Floats, grid: Cells, faces: Floats, size: Floats, distance: Floats) -> None:
    """Write the faces (n, 5), scores and boxes, into `target`; `distance` (cells, n) is Chebyshev's."""
    stride, low, high = grid.stride[:, None], grid.low[:, None], grid.high[:, None]
    radius = np.clip(size / 3, stride * 0.51, stride)
    in_range = (size >= low) & (size <= high)
    near_range = (size >= low / UNDECIDED) & (size <= high * UNDECIDED)
    target[((distance < stride) & near_range).any(axis=1), 1] = 0.0

    claims = np.where((distance < radius) & in_range, size, np.inf)
    face = claims.argmin(axis=1)
    positive = np.isfinite(claims[np.arange(len(face)), face])
    target[positive, 1] = 1.0
    target[positive, 0] = faces[face[positive], 0]
    target[positive, 2:] = faces[face[positive], 1:]
