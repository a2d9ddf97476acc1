"""Composite faces: faces aligned by their landmarks, then by dense flow, then averaged with equal weights."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.demo_people.canvas import EYE_LINE, EYES, HEIGHT, MIDDLE, WIDTH, Plane, X, Y

ROUNDS = 4
"""Iterations of warping the faces to their mean and averaging them."""

_SHAPE = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.41, 1.08], [0.41, 1.08]])
"""FairFace's median landmarks, in eye distances from between the eyes: eyes, nose, corners of the mouth."""
_TARGET = _SHAPE * EYES + [MIDDLE, EYE_LINE]
_OTHER_SIDE = [1, 0, 2, 4, 3]
_FLOW_BLUR = 4.0
"""Sigma in pixels: whole faces are warped, single wrinkles and spectacles are not."""

INNER = ((X - MIDDLE) / EYES) ** 2 + ((Y - EYE_LINE - 24) / (1.35 * EYES)) ** 2 < 1
"""(HEIGHT, WIDTH) bool: the inner face, without hair and background."""


def align(image: NDArray[np.uint8], points: NDArray[np.float64], mirror: bool) -> Plane:
    """Move, rotate and scale a face so that its five landmarks are at the common positions.

    Takes a grey picture and points (5, 2) x, y: right eye, left eye, nose, right and left corner of the
    mouth. The luminance of the inner face has mean 0 and standard deviation 1.
    """
    if mirror:
        image = image[:, ::-1]
        points = points[_OTHER_SIDE] * [-1, 1] + [image.shape[1] - 1, 0]
    moved = cv2.warpAffine(
        image.astype(np.float32),
        _similarity(points),
        (WIDTH, HEIGHT),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return standardise(np.asarray(moved, np.float32))


def standardise(face: Plane) -> Plane:
    """Scale a picture to mean 0 and standard deviation 1 over the inner face."""
    return np.asarray((face - face[INNER].mean()) / face[INNER].std(), np.float32)


@dataclass(frozen=True)
class Composite:
    """The mean of n faces, each with the same weight."""

    face: Plane
    """Mean 0 and standard deviation 1 over the inner face."""
    spread: Plane
    """Standard deviation of the faces at each pixel: large where the faces differ."""
    likeness: NDArray[np.float32]
    """(n,) correlation of each face with the mean over the inner face."""


def compose(faces: list[Plane]) -> Composite:
    """The mean of aligned faces, each warped to their common shape, which keeps it sharp.

    The warps of all faces sum to zero at every pixel, so that the common shape is no single person's.
    """
    warped = np.stack(faces)
    for _ in range(ROUNDS):
        mean = warped.mean(axis=0)
        flows = np.stack([_flow(mean, face) for face in faces])
        flows -= flows.mean(axis=0)
        warped = np.stack([standardise(_warp(face, flow)) for face, flow in zip(faces, flows, strict=True)])
    mean = standardise(warped.mean(axis=0))
    return Composite(mean, warped.std(axis=0), (warped[:, INNER] * mean[INNER]).mean(axis=1))


def _similarity(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least-squares similarity (2, 3) onto the target (Umeyama 1991, doi:10.1109/34.88573)."""
    source, target = points - points.mean(axis=0), _TARGET - _TARGET.mean(axis=0)
    left, sizes, right = np.linalg.svd(target.T @ source)
    signs = np.array([1, np.sign(np.linalg.det(left @ right))])
    turn = left @ np.diag(signs) @ right * (sizes * signs).sum() / (source**2).sum()
    return np.column_stack([turn, _TARGET.mean(axis=0) - turn @ points.mean(axis=0)])


def _flow(mean: Plane, face: Plane) -> NDArray[np.float32]:
    """Dense optical flow from `mean` to `face`: offsets (HEIGHT, WIDTH, 2) in pixels."""
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dense.setFinestScale(1)
    start = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    return np.asarray(
        cv2.GaussianBlur(dense.calc(_to_bytes(mean), _to_bytes(face), start), (0, 0), _FLOW_BLUR), np.float32
    )


def _warp(face: Plane, flow: NDArray[np.float32]) -> Plane:
    moved = cv2.remap(
        face, X + flow[..., 0], Y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32)


def _to_bytes(face: Plane) -> NDArray[np.uint8]:
    return np.clip(face * 45 + 128, 0, 255).astype(np.uint8)
