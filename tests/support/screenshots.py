"""Creation of the README's pictures: `python -m tests.support.screenshots FOLDER [MINUTES]`.

The demo runs for some minutes to fill its charts, then a browser takes screenshots of the dashboard. The
annotated picture is the frame of a simulated camera with the most labelled faces.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

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
_READY = '[data-testid="stVegaLiteChart"] svg, table.compared, table.cameras'
MOMENTS_S = range(0, 3600, 3)
MOST_FACES = 5
SMALLEST_FACE = 34
ENLARGED = 2


def main(folder: Path, minutes: float) -> None:
    """Create all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "annotated.jpg"), annotated(), [cv2.IMWRITE_JPEG_QUALITY, 88])
    with chromium() as browser, tempfile.TemporaryDirectory() as name, demo(Path(name)) as (address, process):
        time.sleep(minutes * 60)
        for scheme in ("light", "dark"):
            path = folder / f"overview-{scheme}.png"
            take_screenshot(browser, f"{address}/?period=28+days", scheme, path, height=1180)
        for page, query, height in (
            ("trends", "period=28+days", 1400),
            ("compare", "kind=Before+and+after+an+event", 1000),
            ("cameras", "", 460),
            ("quality", "period=28+days", 1080),
        ):
            path = folder / f"{page}-light.png"
            take_screenshot(browser, f"{address}/{page}?{query}", "light", path, height)
        end(process)


def take_screenshot(
    browser: Browser,
    address: str,
    scheme: Literal["light", "dark"],
    path: Path,
    height: int,
) -> None:
    """Save a screenshot of the page at an address; the viewer's system prefers the colour scheme `scheme`."""
    with visit(browser, address, scheme, height=height) as seen:
        seen.page.wait_for_selector(_READY)
        seen.page.wait_for_timeout(3000)
        seen.page.screenshot(path=path)


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
