"""The window of `mien run --show`: it has no sign-in and no audit log, so it never shows a face."""

from __future__ import annotations

import numpy as np

from inference.annotation.live_picture import draw_live_picture
from inference.detector import Detector
from inference.look import Look
from inference.preview import PreviewBoard
from mien.wiring.previews import Previews


def test_the_window_shows_blurred_faces_whatever_the_setting_allows() -> None:
    gray = np.random.default_rng(3).integers(0, 255, (360, 640), np.uint8)
    faces = np.array([(100, 100, 60, 60)], np.float32)
    look = Look("till", 0, gray, faces, (), 0)
    board = PreviewBoard()
    board.watch("till")
    board.show(look)
    picture = Previews(board, Detector(), allow_unblurred=True).draw("till")
    assert picture is not None
    found = Detector().detect(gray, 0.05).boxes
    assert picture.shape == draw_live_picture(look, found).shape
    assert picture.shape != draw_live_picture(look, found, blur=False).shape
