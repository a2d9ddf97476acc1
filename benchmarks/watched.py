"""What a live picture costs: processor time of two cameras, one of which somebody watches.

    python -m benchmarks.watched

Two simulated cameras are analysed frame by frame: first without the means for live pictures, then while
nobody watches, then while the page Live asks for the first one as often as it does in a browser.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS
from inference.analyser import Analyser
from inference.preview import PreviewBoard
from ingest.demo.camera import DemoCamera
from mien.internal_server import Request
from mien.wiring.models import create_classifier, create_detector
from mien.wiring.parts import configure_libraries
from mien.wiring.previews import Previews

FPS = 5
SECONDS = 60
ASKED_EVERY_S = 0.7
"""As `dashboard.app_pages.live`."""
CAMERAS = ("entrance", "till")
_START = 1_700_000_000.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time in seconds per second of pictures: analysis of both cameras, and drawing."""

    analysis: float
    drawing: float


def main() -> None:
    """Measure, and print a table."""
    configure_libraries()
    clips = {name: _record(name) for name in CAMERAS}
    _measure(clips, with_board=False, watched=False, seconds=5)  # Warm the models up.
    rows = {
        "without live pictures": _measure(clips, with_board=False, watched=False),
        "nobody watches": _measure(clips, with_board=True, watched=False),
        f"{CAMERAS[0]} is watched": _measure(clips, with_board=True, watched=True),
    }
    print(f"{'':24}{'analysis':>12}{'drawing':>12}   % of one core, {len(CAMERAS)} cameras, {FPS} fps")
    for name, cost in rows.items():
        print(f"{name:24}{100 * cost.analysis:>12.1f}{100 * cost.drawing:>12.1f}")


def _record(name: str) -> list[NDArray[np.uint8]]:
    times = iter(_START + number / FPS for number in range(SECONDS * FPS))
    camera = DemoCamera(name, clock=lambda: next(times))
    return [camera.read() for _ in range(SECONDS * FPS)]


def _measure(
    clips: dict[str, list[NDArray[np.uint8]]], *, with_board: bool, watched: bool, seconds: int = SECONDS
) -> Cost:
    board = PreviewBoard()
    detector = create_detector()
    analyser = Analyser(detector, create_classifier(), "m", previews=board if with_board else None)
    previews = Previews(board, detector, allow_unblurred=False)
    request = Request({"camera": CAMERAS[0]})
    analysis = drawing = due = 0.0
    for number in range(seconds * FPS):
        at = number / FPS
        if watched and at >= due:
            due += ASKED_EVERY_S
            began = time.process_time()
            previews.answer(request)
            drawing += time.process_time() - began
        began = time.process_time()
        for name, frames in clips.items():
            analyser.analyse(name, round((_START + at) * MICROSECONDS), frames[number])
        analysis += time.process_time() - began
    return Cost(analysis / seconds, drawing / seconds)


if __name__ == "__main__":
    main()
