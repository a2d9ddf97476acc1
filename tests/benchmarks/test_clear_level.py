"""The measurement of how clearly a track must look like a face once."""

from __future__ import annotations

import numpy as np
import pytest
from typing_extensions import override

from benchmarks.clear_level import ClearAt
from inference.analyser import FaceDetector
from inference.detector import Faces, ScoreLevels
from inference.evidence import clear_level


class Blind(FaceDetector):
    levels = ScoreLevels(0.2, 0.4, 0.7)

    @override
    def detect(self, gray: np.ndarray, lowest: float | None = None) -> Faces:
        return Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_a_track_must_look_like_a_face_as_the_share_says(share: float) -> None:
    levels = ClearAt(Blind(), share).levels
    assert clear_level(levels) == pytest.approx(0.4 + share * 0.3)
    assert (levels.weak, levels.face) == (0.2, 0.4)
