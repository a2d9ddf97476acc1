"""The face detector: a grey picture in, boxes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import ModelError
from inference.model_file import ModelFile, load_model, shipped

LONGEST_SIDE = 640
"""Of the faces of 16 to 24 pixels in a picture whose longest side is 640, 56 % are seen well enough to be
followed, 52 % if the picture is reduced to 480, and of those of 24 to 32 pixels 81 and 80 % (validation)."""
_STRIDE = 32
_LARGEST_ZOOM = 2.0
"""Small pictures are enlarged up to this factor: beyond it there is nothing more to see."""
_LARGE = 128.0
"""Size from which faces are also looked for in the picture at half the size, for a quarter of the time: the
network has learnt faces up to 170 pixels, and somebody before a webcam is larger."""
_WITHIN = 0.8
"""Share of a box above which it is a part of the better one that it lies in, such as the mouth of a face."""
_MOST_CANDIDATES = 400


@dataclass(frozen=True, slots=True)
class Faces:
    """Detected faces: boxes (n, 4) float32 x, y, w, h in pixels, scores (n,) float32 from 0 to 1."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

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
    """What a detector's scores are worth, from 0 to 1 and rising; measured on photographs held out."""

    weak: float
    """Worth following from frame to frame: about one thing per photograph of goods looks so like a face."""
    face: float
    """A face in a single picture: misses and false faces are in balance."""
    sure: float
    """Beyond doubt: no thing in any photograph of goods reaches it."""

    def __post_init__(self) -> None:
        if not 0 <= self.weak <= self.face <= self.sure <= 1:
            raise ValueError(f"score levels {self.weak}, {self.face}, {self.sure}: must rise from 0 to 1")


class Detector:
    """A detector loaded from an ONNX file; may be shared by threads.

    Args:
        path: the model; the shipped one that suits this processor where None.
        threads: CPU threads of one call.
        own: allows a file that is not a shipped one.
        longest_side: pictures are scaled so that their longest side is at most this many pixels; small
            ones are enlarged towards it, at most twofold.

    Raises ModelError for a file that is missing, altered, or whose metadata or graph do not fit.
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
        self.levels = _levels(file)
        self.overlap = file.fields.number("nms_overlap", 0, 1)
        self.longest_side = longest_side
        self._session = file.session
        self._input = _input_name(file)

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        """The faces of a grey picture (height, width) uint8, best first.

        `lowest` is the score from which something counts, `levels.face` where None. Raises ValueError for
        a picture of another shape or type.
        """
        if gray.ndim != 2 or gray.dtype != np.uint8 or gray.size == 0:
            raise ValueError(f"picture is {gray.dtype} {gray.shape}, expected uint8 (height, width)")
        lowest = self.levels.face if lowest is None else lowest
        scale = self.scale(*gray.shape)
        boxes, scores = self._look(gray, scale, lowest)
        large, large_scores = self._look(gray, scale / 2, lowest)
        seen = np.sqrt(large[:, 2] * large[:, 3]) * scale >= _LARGE
        boxes, scores = np.concatenate([boxes, large[seen]]), np.concatenate([scores, large_scores[seen]])
        order = np.argsort(-scores, kind="stable")[:_MOST_CANDIDATES]
        kept = order[suppress(boxes[order], self.overlap)]
        return Faces(boxes[kept], scores[kept])

    def scale(self, height: int, width: int) -> float:
        """The factor by which a picture of that size is enlarged before the network sees it."""
        return min(self.longest_side / max(height, width), _LARGEST_ZOOM)

    def _look(
        self, gray: NDArray[np.uint8], scale: float, lowest: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Boxes (n, 4), in pixels of the picture, and scores (n,) of what is seen in it at that scale."""
        scores, boxes = self._session.run(
            ["scores", "boxes"], {self._input: _fit(gray, scale)[None, ..., None]}
        )
        likely = scores[0] >= lowest
        return boxes[0][likely] / np.float32(scale), scores[0][likely]


def _fit(gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The picture in the network's size: scaled, then padded to multiples of 32."""
    height, width = gray.shape
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if size != (width, height):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        gray = np.asarray(cv2.resize(gray, size, interpolation=how), np.uint8)
    bottom, right = -size[1] % _STRIDE, -size[0] % _STRIDE
    if bottom or right:
        gray = np.asarray(cv2.copyMakeBorder(gray, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    return gray


def suppress(boxes: NDArray[np.float32], overlap: float) -> list[int]:
    """Indices of the boxes (n, 4), best first, that neither overlap a better one nor lie within it.

    `overlap` is the intersection over union that is still allowed.
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
        apart = common <= overlap * (areas[rest] + areas[best] - common)
        rest = rest[apart & (common <= _WITHIN * areas[rest])]
    return kept


def _levels(file: ModelFile) -> ScoreLevels:
    names = ("weak_score", "face_score", "sure_score")
    weak, face, sure = (file.fields.number(name, 0, 1) for name in names)
    try:
        return ScoreLevels(weak, face, sure)
    except ValueError as error:
        raise ModelError(f"{file.path}: {error}; export the model again with `mien train`") from error


def _input_name(file: ModelFile) -> str:
    inputs, outputs = file.session.get_inputs(), {each.name for each in file.session.get_outputs()}
    if outputs != {"scores", "boxes"}:
        raise ModelError(f"{file.path}: outputs are {sorted(outputs)}, expected boxes and scores")
    shapes = [(each.type, len(each.shape), each.shape[-1]) for each in inputs]
    if shapes != [("tensor(uint8)", 4, 1)]:
        raise ModelError(f"{file.path}: inputs are {shapes}, expected uint8 (n, height, width, 1)")
    return str(inputs[0].name)
