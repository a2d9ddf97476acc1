"""Live pictures of the cameras that this process analyses, for the internal server and for a window.

They are drawn when somebody asks for one, from what the analyser puts on its board; nothing is stored.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from bus.messages import MICROSECONDS, check_camera_id
from common.clock import wall_clock_us
from inference.annotation.live_picture import draw_live_picture, encode_jpeg
from inference.annotation.picture import BLUR_FROM
from inference.annotation.shapes import Picture
from inference.detector import Detector
from inference.look import TrackLook
from inference.preview import PreviewBoard, Shown
from mien.internal_server import Answer, Request, Routes

FIRST_LOOK_S = 1.5
"""How long a request waits for the first frame of a camera that this process analyses."""

_RECENT_S = 30.0
"""Seconds since its last frame for which a camera counts as analysed by this process."""


class Previews:
    """Draws the looks of a board.

    Args:
        board: where the analysers of this process put them.
        detector: finds the faces that are blurred although they are not tracked.
        allow_unblurred: the setting `live_unblurred`.
    """

    def __init__(self, board: PreviewBoard, detector: Detector, *, allow_unblurred: bool) -> None:
        self._board = board
        self._detector = detector
        self._allow_unblurred = allow_unblurred
        self._drawing = threading.Lock()
        self._drawn: dict[tuple[str, bool], tuple[Shown, bytes]] = {}

    @property
    def routes(self) -> Routes:
        """The route of the internal server."""
        return {"GET /preview": self.answer}

    def answer(self, request: Request) -> Answer:
        """The newest look at a camera as JSON: the picture as base64 of a JPEG, its age and the tracks."""
        unblurred = request.query.get("unblurred") == "1"
        if unblurred and not self._allow_unblurred:
            problem = "this process shows no faces: its setting live_unblurred is off"
            return Answer({"problem": problem}, HTTPStatus.FORBIDDEN)
        try:
            camera_id = check_camera_id(request.query.get("camera", ""))
        except ValueError:
            return Answer({"problem": "camera: is missing or no id"}, HTTPStatus.BAD_REQUEST)
        self._board.watch(camera_id)
        idle_s = self._board.idle_s(camera_id)
        is_here = idle_s is not None and idle_s < _RECENT_S
        shown = self._board.newest(camera_id, FIRST_LOOK_S if is_here else 0.0)
        content: dict[str, Any] = {"camera": camera_id, "idle_s": self._board.idle_s(camera_id)}
        if shown:
            picture = b64encode(self._encode(shown, unblurred)).decode()
            content |= {"look": _describe(shown), "picture": picture, "blurred": not unblurred}
        return Answer(content)

    def draw(self, camera_id: str) -> Picture | None:
        """The newest live picture of a camera, faces blurred: a window has no sign-in and no audit log."""
        self._board.watch(camera_id)
        shown = self._board.newest(camera_id)
        return self._draw(shown, unblurred=False) if shown else None

    def _encode(self, shown: Shown, unblurred: bool) -> bytes:
        """The picture as JPEG, drawn once for all who watch."""
        key = shown.look.camera_id, unblurred
        with self._drawing:
            before = self._drawn.get(key)
            if before is None or before[0] is not shown:
                self._drawn.clear()  # Few cameras are watched at a time; nothing is kept of others.
                before = self._drawn[key] = shown, encode_jpeg(self._draw(shown, unblurred))
            return before[1]

    def _draw(self, shown: Shown, unblurred: bool) -> Picture:
        faint = self._detector.detect(shown.look.gray, BLUR_FROM).boxes
        return draw_live_picture(shown.look, faint, blur=not unblurred)


def _describe(shown: Shown) -> Mapping[str, Any]:
    look = shown.look
    # The clocks of two machines may differ; what passed since the analysis is certain.
    age_s = max((wall_clock_us() - look.captured_at) / MICROSECONDS, time.monotonic() - shown.at)
    return {
        "number": shown.number,
        "age_s": age_s,
        "fps": shown.fps,
        "unchanged": look.unchanged,
        "width": look.gray.shape[1],
        "height": look.gray.shape[0],
        "tracks": [_describe_track(track) for track in look.tracks],
    }


def _describe_track(track: TrackLook) -> Mapping[str, Any]:
    estimate = track.estimate
    return {
        "number": track.number,
        "age_s": track.age_s,
        "absent_s": track.absent_s,
        "faces": track.faces,
        "size": track.size,
        "score": track.score,
        "counted": track.counted,
        "explanation": track.explanation,
        "expression": estimate.expression if estimate else None,
        "gender": estimate.gender if estimate else None,
    }
