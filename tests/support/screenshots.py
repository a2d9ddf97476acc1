"""Creation of the README's pictures: `python -m tests.support.screenshots FOLDER [MINUTES]`.

The demo runs for some minutes to fill its charts, then a browser takes screenshots of the dashboard. The
annotated picture is the frame of a simulated camera with the most labelled faces.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser

from bus.messages import UNKNOWN
from inference.annotation.picture import LabelledFace, annotate_picture
from inference.classifier import Classifier
from inference.detector import Detector
from inference.offline.analyse_files import FaceAnalyser
from ingest.demo.camera import DemoCamera
from tests.support.browser import chromium, visit
from tests.support.demos import demo, end

MINUTES = 3.0
MOMENTS_S = range(0, 3600, 3)
MOST_FACES = 5
SMALLEST_FACE = 34
ENLARGED = 2
_CHARTS = '[data-testid="stVegaLiteChart"] svg'

_COMPLETE = """() => !document.querySelector('[data-testid="stSkeleton"]')"""
"""Nothing of the page is still to be drawn."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A screenshot of a page: its file, address and height, and what the page contains once it is drawn."""

    file: str
    address: str
    height: int
    ready: str = _CHARTS
    scheme: Literal["light", "dark"] = "light"
    width: int = 1440


SHOTS = (
    Shot("overview-light.png", "/?period=28+days", 1180),
    Shot("overview-dark.png", "/?period=28+days", 1180, scheme="dark"),
    Shot("trends-light.png", "/trends?period=28+days", 1400),
    Shot("compare-light.png", "/compare?kind=Before+and+after+an+event", 1000, "table.compared"),
    # The picture has noise, which is large as PNG.
    Shot("live-light.jpg", "/live", 1080, "text=/, [2-9] counted/", width=1000),
    Shot("cameras-light.png", "/cameras", 800, "[data-testid=stForm]"),
    Shot("quality-light.png", "/quality?period=28+days", 1080, "table.bars"),
    Shot("settings-light.png", "/settings", 820, "table.cameras"),
)


def main(folder: Path, minutes: float) -> None:
    """Create all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "annotated.jpg"), annotated(), [cv2.IMWRITE_JPEG_QUALITY, 80])
    with chromium() as browser, tempfile.TemporaryDirectory() as name, demo(Path(name)) as (address, process):
        time.sleep(minutes * 60)
        for shot in SHOTS:
            take_screenshot(browser, address, shot, folder)
        take_masks(browser, address, folder / "masks-light.jpg")
        end(process)


def take_screenshot(browser: Browser, address: str, shot: Shot, folder: Path) -> None:
    """Save a screenshot of the dashboard at `address`."""
    with visit(browser, address + shot.address, shot.scheme, shot.width, shot.height) as seen:
        seen.page.wait_for_selector(shot.ready)
        seen.page.wait_for_function(_COMPLETE)
        if shot.ready == _CHARTS:
            seen.page.wait_for_timeout(3000)
        seen.page.screenshot(path=folder / shot.file, **_format(shot.file))


def take_masks(browser: Browser, address: str, path: Path) -> None:
    """Save a screenshot of the panel Masks, with a rectangle and a polygon that is not closed yet."""
    with visit(browser, f"{address}/cameras", width=1000, height=1700) as seen:
        page = seen.page
        page.get_by_role("radio", name="Masks", exact=True).click()
        page.get_by_role("button", name="Load a picture").click()
        picture = page.get_by_role("application", name="Picture of")
        box = picture.bounding_box()
        assert box
        x, y, width, height = (box[name] for name in ("x", "y", "width", "height"))
        page.mouse.move(x + 0.75 * width, y + 0.55 * height)
        page.mouse.down()
        page.mouse.move(x + 0.98 * width, y + 0.95 * height, steps=4)
        page.mouse.up()
        seen.wait_for_text("1 mask, ")
        for across, down in ((0.05, 0.1), (0.35, 0.12), (0.3, 0.5), (0.08, 0.6)):
            page.mouse.click(x + across * width, y + down * height)
        page.get_by_test_id("stBidiComponentIsolated").screenshot(path=path, **_format(path.name))


def _format(file: str) -> dict[str, Any]:
    return {"type": "jpeg", "quality": 80} if file.endswith(".jpg") else {"type": "png"}


def annotated() -> NDArray[np.uint8]:
    """The most interesting frame of a camera with its labels."""
    analyser = FaceAnalyser(Classifier(), Detector())
    moments = iter(MOMENTS_S)
    camera = DemoCamera("shelf", clock=moments.__next__)
    pictures = (camera.read() for _ in MOMENTS_S)
    picture = max(pictures, key=lambda picture: interest(analyser.analyse(picture)))
    size = tuple(ENLARGED * side for side in reversed(picture.shape))
    large = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return annotate_picture(
        np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8), analyser.analyse(large)
    )


def interest(faces: tuple[LabelledFace, ...]) -> float:
    """A score of labelled faces: how many there are, and how many different expressions."""
    read = [face for face in faces if min(face.box[2:]) >= SMALLEST_FACE]
    if len(read) != len(faces) or len(read) > MOST_FACES:
        return 0.0
    known = [face for face in read if UNKNOWN not in (face.estimate.expression, face.estimate.gender)]
    return len(known) + len({face.estimate.expression for face in known}) - 2 * (len(read) - len(known))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else MINUTES)
