"""Live pictures: the newest frame of a camera with its tracks, as the dashboard's page Live shows it.

Faces are blurred before anything is drawn. What is not recognised as a face cannot be blurred; therefore the
picture is reduced to the size in which the detector searches, so that what it misses is small, turned away or
covered.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.annotation.labels import INK, QUIET
from inference.annotation.picture import MIN_SIDE, LabelledFace, annotate_picture, blur_face, make_canvas
from inference.annotation.shapes import BOLD, Picture, Rect, draw_outline, draw_text, fill_rect, measure_text
from inference.look import Look, TrackLook

DETAIL = 640
"""Longest side in pixels to which a blurred picture is reduced; see `inference.detector.LONGEST_SIDE`."""
SHOWN = 960
"""Longest side in pixels to which it is then enlarged, so that labels are sharp."""

_MARGIN = 0.2
"""A face is blurred in a box that is larger by this share on each side: hair, chin, and a box that lags."""
_TAG = 13.0
_JPEG_QUALITY = 80


def draw_live_picture(look: Look, faces: NDArray[np.float32], *, blur: bool = True) -> Picture:
    """The frame of a look with boxes, labels and track numbers: (height, width, 3) uint8, blue, green, red.

    `faces` (n, 4) are boxes in pixels of the frame that are blurred too, in addition to those of the look.
    Without `blur` every face is recognisable.
    """
    canvas = make_canvas(look.gray, 1)
    if blur:
        canvas = _scaled(canvas, min(1.0, DETAIL / max(canvas.shape)))
        reduced = canvas.shape[1] / look.gray.shape[1]
        _blur_all(canvas, np.concatenate([look.faces, faces]) * np.float32(reduced))
        canvas = _scaled(canvas, SHOWN / max(canvas.shape))
    else:
        canvas = _scaled(canvas, max(1.0, MIN_SIDE / max(canvas.shape)))
    factor = canvas.shape[1] / look.gray.shape[1]
    labelled = [_labelled(track, factor) for track in look.tracks if track.estimate and not track.absent_s]
    picture = annotate_picture(canvas, [face for face in labelled if face])
    for track in look.tracks:
        _draw_track(picture, track, Rect(*track.box).scaled(factor))
    return picture


def encode_jpeg(picture: Picture) -> bytes:
    """The picture as JPEG."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert done, "OpenCV encodes every picture of this form"
    return np.asarray(data).tobytes()


def _blur_all(canvas: Picture, boxes: NDArray[np.float32]) -> None:
    for x, y, width, height in boxes.tolist():
        dx, dy = _MARGIN * width, _MARGIN * height
        blur_face(canvas, Rect(x - dx, y - dy, width + 2 * dx, height + 2 * dy))


def _scaled(picture: Picture, factor: float) -> Picture:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    size = max(round(picture.shape[1] * factor), 1), max(round(picture.shape[0] * factor), 1)
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def _labelled(track: TrackLook, factor: float) -> LabelledFace | None:
    if track.estimate is None:
        return None
    x, y, width, height = Rect(*track.box).scaled(factor)
    return LabelledFace((x, y, width, height), track.score, track.estimate)


def _draw_track(picture: Picture, track: TrackLook, box: Rect) -> None:
    """Draw the number of a track, and a thin box where no label has drawn one."""
    if track.estimate is None or track.absent_s:
        draw_outline(picture, box, 2.0, 3.0, INK, 0.4)
        draw_outline(picture, box, 2.0, 1.2, QUIET, 0.9)
    text = f"#{track.number}"
    tag = Rect(box.x, box.y, measure_text(text, _TAG, BOLD) + 0.6 * _TAG, 1.35 * _TAG)
    fill_rect(picture, tag, 3.0, INK, 0.75)
    draw_text(picture, text, tag.x + 0.3 * _TAG, tag.y + _TAG, _TAG, QUIET, BOLD)
