"""The README's pictures, taken anew: `python -m tests.support.screenshots FOLDER [MINUTES]`.

The demo runs for some minutes, so that its charts have something to tell, then a real browser takes pictures
of the dashboard. The annotated picture is the moment of a simulated camera at which most faces are read.
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
from inference.annotation.picture import LabelledFace, annotate
from inference.classifier import Classifier
from inference.detector import Detector
from inference.offline.analysis import FaceReader
from ingest.demo.source import DemoSource
from tests.support.browser import chromium, visit
from tests.support.demos import demo, end

MINUTES = 14.0
MOMENTS_S = range(0, 3600, 3)
MOST_FACES = 5
SMALLEST_FACE = 34
ENLARGED = 2


def main(folder: Path, minutes: float) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "annotated.jpg"), annotated(), [cv2.IMWRITE_JPEG_QUALITY, 88])
    with chromium() as browser, tempfile.TemporaryDirectory() as name, demo(Path(name)) as (address, process):
        time.sleep(minutes * 60)
        for scheme in ("light", "dark"):
            photograph(browser, address, scheme, folder / f"overview-{scheme}.png", height=1080)
        photograph(browser, address, "light", folder / "cameras-light.png", height=460, page="Cameras")
        end(process)


def photograph(
    browser: Browser,
    address: str,
    scheme: Literal["light", "dark"],
    path: Path,
    height: int,
    page: str = "Overview",
) -> None:
    """One page of the dashboard as somebody sees it whose system prefers `scheme`."""
    with visit(browser, address, scheme, height=height) as seen:
        if page == "Overview":
            seen.wait_for_charts(3)
        else:
            seen.page.get_by_role("link", name=page).first.click()
            seen.wait_for_text("Frames of the last hour")
        seen.page.wait_for_timeout(3000)
        seen.page.screenshot(path=path)


def annotated() -> NDArray[np.uint8]:
    """The moment with most faces that are large, and read as something, with its labels."""
    reader = FaceReader(Classifier(), Detector())
    moments = iter(MOMENTS_S)
    camera = DemoSource("shelf", clock=moments.__next__)
    pictures = (camera.read() for _ in MOMENTS_S)
    picture = max(pictures, key=lambda picture: interest(reader.read(picture)))
    size = tuple(ENLARGED * side for side in reversed(picture.shape))
    large = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return annotate(np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8), reader.read(large))


def interest(faces: tuple[LabelledFace, ...]) -> float:
    """How much there is to see: faces that are read, and different expressions among them."""
    read = [face for face in faces if min(face.box[2:]) >= SMALLEST_FACE]
    if len(read) != len(faces) or len(read) > MOST_FACES:
        return 0.0
    known = [face for face in read if UNKNOWN not in (face.estimate.expression, face.estimate.gender)]
    return len(known) + len({face.estimate.expression for face in known}) - 2 * (len(read) - len(known))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else MINUTES)
