"""How clearly a track must look like a face once: what `inference.evidence.CLEAR` finds and counts wrongly.

Prints a table: a lower share would find people who are seen badly, and a higher one keep backs of heads,
goods and posters out, where the detector's scores do not separate them already.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
from typing_extensions import override

from benchmarks.clips import Gray
from benchmarks.markdown import render_table
from benchmarks.presence import (
    DEMO,
    PEOPLE,
    Found,
    Pictures,
    Remembering,
    add,
    compare,
    make_seated,
    record_clip,
    record_demo,
    sample,
    scheduled,
    watch,
)
from inference.analyser import FaceDetector
from inference.classifier import Classifier
from inference.detector import Faces
from inference.evidence import CLEAR

SHARES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
"""Of the way from `face` to `sure`."""
FPS = 5.0
_DEMO_S, _SEATED = 120.0, 60

Case = tuple[str, Sequence[tuple[float, float]], Pictures]
"""Its kind, the begin and end of its visits in seconds, and its pictures."""


class ClearAt(FaceDetector):
    """A detector whose `sure` is moved, so that a track must look like a face as the share `share` says."""

    def __init__(self, detector: FaceDetector, share: float) -> None:
        levels = detector.levels
        self._detector = detector
        wanted = share * (levels.sure - levels.face)
        self.levels = replace(levels, sure=min(levels.face + wanted / CLEAR, 1.0))

    @override
    def detect(self, gray: Gray, lowest: float | None = None) -> Faces:
        return self._detector.detect(gray, lowest)


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    detector, classifier = Remembering(), Classifier()
    cases = list(read_cases(Path(os.environ["MIEN_DATA"]), _DEMO_S, _SEATED))
    kinds = tuple(dict.fromkeys(kind for kind, _, _ in cases))
    rows = []
    for share in SHARES:
        cells = [f"{share:g}"]
        for kind in kinds:
            parts = [
                compare(truth, *watch(ClearAt(detector, share), classifier, pictures, gated=False))
                for each, truth, pictures in cases
                if each == kind
            ]
            cells.append(_show(add(parts)))
        rows.append(cells)
    print(render_table(("share", *kinds), rows))


def read_cases(data: Path, demo_s: float, seated: int) -> Iterator[Case]:
    """All cases, at `FPS` pictures per second; clips with people from behind at half a second, too."""
    always = (0.0, float("inf"))
    for name, count in PEOPLE.items():
        kind = "clips" if count else "people from behind"
        pictures = record_clip(data, name)
        for fps in (FPS,) if count else (FPS, 2.0):
            yield kind, [always] * count, sample(pictures, fps)
    for name in DEMO:
        visits = [(visit.first_seen, visit.last_seen) for visit in scheduled(name, demo_s)]
        yield "demo", visits, sample(record_demo(name, demo_s), FPS)
    for sways, kind in ((True, "people who sit"), (False, "posters")):
        for pictures in make_seated(data, seated, sways):
            yield kind, [always] * sways, pictures


def _show(found: Found) -> str:
    """Found of all visits, and how many others were counted."""
    return f"{found.found} of {found.visits}, {found.wrong} wrong"


if __name__ == "__main__":
    main()
