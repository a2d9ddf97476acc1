"""The face detector: a grey picture in, boxes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import ModelError
from inference.model_file import ModelFile, load_model, shipped
from inference.model_metadata import DetectorMetadata

LONGEST_SIDE = 640
"""Default longest side of the scaled picture, in pixels. At 640 the detector finds 56 % of the faces of 16 to
24 pixels and 81 % of those of 24 to 32 pixels well enough to track them, at 480 it finds 52 % and 80 %
(validation split)."""
_STRIDE = 32
_LARGEST_ZOOM = 2.0
"""Small pictures are enlarged at most by this factor: a larger one shows no more detail."""
_LARGE_FACE = 128.0
"""Size in pixels from which faces are taken from a second pass at half the scale, which costs a quarter of
the time: the network is trained on faces of up to 170 pixels, and a face close to a webcam is larger."""
_MAX_CONTAINED = 0.8
"""A box is suppressed if a larger share of it is inside a better box, such as the mouth inside a face."""
_MAX_CANDIDATES = 2000
"""Candidates that suppression examines, the best ones first: it takes 60 ms at most for so many. What is cut
off is neither counted nor blurred, and a face has up to eight candidates. A picture of 640 x 640 pixels full
of faces of 16 pixels, 441 of them, has 1,586 that may be one."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Detected faces: boxes (n, 4) float32 x, y, w, h in pixels, scores (n,) float32 from 0 to 1.

    `scale` is the factor by which the picture was scaled for the network, at the most.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4 or self.boxes.dtype != np.float32:
            raise ValueError(f"boxes are {self.boxes.dtype} {self.boxes.shape}, expected float32 (n, 4)")
        if self.scores.shape != (len(self.boxes),) or self.scores.dtype != np.float32:
            raise ValueError(
                f"scores are {self.scores.dtype} {self.scores.shape}, expected float32 ({len(self.boxes)},)"
            )

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class ScoreLevels:
    """Rising thresholds from 0 to 1 for a detector's scores, measured on photographs not used in training."""

    weak: float
    """Enough to track: about one object per photograph of goods reaches it."""
    face: float
    """Enough for a face in a single picture: misses and false detections are balanced."""
    sure: float
    """Certainly a face: no object in any photograph of goods of the training and validation parts reaches
    it."""

    def __post_init__(self) -> None:
        if not 0 <= self.weak <= self.face <= self.sure <= 1:
            raise ValueError(f"score levels {self.weak}, {self.face}, {self.sure}: must rise from 0 to 1")


class Detector:
    """A detector loaded from an ONNX file; threads may share it.

    Args:
        path: the model; None for the shipped one that this processor runs fastest.
        threads: CPU threads of one call.
        own: allows a file that is not a shipped one.
        longest_side: pictures are scaled so that their longest side has this many pixels; small ones are
            enlarged at most by 2.

    Raises ModelError for a file that is missing or altered, or whose metadata or graph are invalid.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        threads: int = 1,
        own: bool = False,
        longest_side: int = LONGEST_SIDE,
    ) -> None:
        path = path or shipped("detector")
        file = load_model(path, "detector", threads, own)
        self.metadata = file.metadata
        self.levels = _make_levels(file)
        self.overlap = file.metadata.nms_overlap
        self.longest_side = longest_side
        self._session = file.session
        self._input = _find_input(file)

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        """The faces of a grey picture (height, width) uint8, best first.

        Faces with a score below `lowest` are left out; None stands for `levels.face`. Raises ValueError for a
        picture of another shape or type.
        """
        if gray.ndim != 2 or gray.dtype != np.uint8 or gray.size == 0:
            raise ValueError(f"picture is {gray.dtype} {gray.shape}, expected uint8 (height, width)")
        lowest = self.levels.face if lowest is None else lowest
        scale = self.scale(*gray.shape)
        boxes, scores = self._run_network(gray, scale, lowest)
        large, large_scores = self._run_network(gray, scale / 2, lowest)
        kept = np.sqrt(large[:, 2] * large[:, 3]) * scale >= _LARGE_FACE
        boxes, scores = np.concatenate([boxes, large[kept]]), np.concatenate([scores, large_scores[kept]])
        order = np.argsort(-scores, kind="stable")[:_MAX_CANDIDATES]
        best = order[suppress_overlaps(boxes[order], self.overlap)]
        return Faces(boxes[best], scores[best], scale)

    def scale(self, height: int, width: int) -> float:
        """The factor by which a picture of that size is scaled for the network."""
        return scale_of(height, width, self.longest_side)

    def _run_network(
        self, gray: NDArray[np.uint8], scale: float, lowest: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Boxes (n, 4), in pixels of the picture, and scores (n,) of the faces found at that scale."""
        scores, boxes = self._session.run(
            ["scores", "boxes"], {self._input: _scale_and_pad(gray, scale)[None, ..., None]}
        )
        likely = scores[0] >= lowest
        return boxes[0][likely] / np.float32(scale), scores[0][likely]


def scale_of(height: int, width: int, longest_side: int) -> float:
    """The factor by which a detector with that longest side scales a picture of that size."""
    return min(longest_side / max(height, width), _LARGEST_ZOOM)


def _scale_and_pad(gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The network's input: the scaled picture, padded to multiples of 32."""
    height, width = gray.shape
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if size != (width, height):
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        gray = np.asarray(cv2.resize(gray, size, interpolation=interpolation), np.uint8)
    bottom, right = -size[1] % _STRIDE, -size[0] % _STRIDE
    if bottom or right:
        gray = np.asarray(cv2.copyMakeBorder(gray, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    return gray


def suppress_overlaps(boxes: NDArray[np.float32], overlap: float) -> list[int]:
    """Non-maximum suppression: indices of the boxes to keep, of boxes (n, 4) sorted best first.

    A box is suppressed if its intersection over union with a better one exceeds `overlap`, or if most of it
    is inside a better one.
    """
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    areas = boxes[:, 2] * boxes[:, 3]
    rest = np.arange(len(boxes))
    kept: list[int] = []
    while len(rest):
        best, rest = int(rest[0]), rest[1:]
        kept.append(best)
        width = np.minimum(right[rest], right[best]) - np.maximum(left[rest], left[best])
        height = np.minimum(bottom[rest], bottom[best]) - np.maximum(top[rest], top[best])
        common = np.maximum(width, 0) * np.maximum(height, 0)
        separate = common <= overlap * (areas[rest] + areas[best] - common)
        rest = rest[separate & (common <= _MAX_CONTAINED * areas[rest])]
    return kept


def _make_levels(file: ModelFile[DetectorMetadata]) -> ScoreLevels:
    metadata = file.metadata
    try:
        return ScoreLevels(metadata.weak_score, metadata.face_score, metadata.sure_score)
    except ValueError as error:
        raise ModelError(f"{file.path}: {error}; export the model again with `mien train`") from error


def _find_input(file: ModelFile[DetectorMetadata]) -> str:
    """The name of the graph's input; raises ModelError if inputs or outputs are not a detector's."""
    inputs, outputs = file.session.get_inputs(), {each.name for each in file.session.get_outputs()}
    if outputs != {"scores", "boxes"}:
        raise ModelError(f"{file.path}: outputs are {sorted(outputs)}, expected boxes and scores")
    shapes = [(each.type, len(each.shape), each.shape[-1]) for each in inputs]
    if shapes != [("tensor(uint8)", 4, 1)]:
        raise ModelError(f"{file.path}: inputs are {shapes}, expected uint8 (n, height, width, 1)")
    return str(inputs[0].name)
