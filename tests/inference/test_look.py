"""Looks: what the tracker follows and why something is not counted, made only while somebody watches."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bus.messages import MICROSECONDS
from inference import preview
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Detector
from inference.look import TrackLook
from inference.preview import PreviewBoard
from tests.inference.test_analyser import Box, ScriptedDetector, visits
from tests.support.clips import PAUSE, WALKING, frames

CAMERA = "till"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


class Watched:
    """An analyser of one camera that is watched, on pictures of noise in which boxes are faces."""

    def __init__(self, classifier: Classifier, rate: float = 5.0, score: float = 0.9) -> None:
        self.board = PreviewBoard()
        self.detector = ScriptedDetector([], score)
        self.analyser = Analyser(self.detector, classifier, "m", previews=self.board)
        self.step, self.time = 1 / rate, 100.0
        self.picture: NDArray[np.uint8] = np.random.default_rng(7).integers(0, 255, (240, 320), np.uint8)

    def see(self, *boxes: Box) -> list[TrackLook]:
        """The tracks after a frame with these faces."""
        self.board.watch(CAMERA)
        self.detector.boxes = list(boxes)
        self.analyser.analyse(CAMERA, round(self.time * MICROSECONDS), self.picture)
        self.time += self.step
        shown = self.board.newest(CAMERA)
        assert shown
        return list(shown.look.tracks)


def walk(step: int) -> Box:
    return (20.0 + 12 * step, 80, 40, 50)


def test_somebody_who_walks_is_counted_after_three_faces(classifier: Classifier) -> None:
    watched = Watched(classifier)
    explanations = [watched.see(walk(step))[0].explanation for step in range(8)]
    assert explanations[0] == "not counted: has not moved yet"
    first = next(n for n, text in enumerate(explanations) if "moved" not in text)
    assert explanations[first : first + 3] == [
        "not counted yet: 1 of 3 faces",
        "not counted yet: 2 of 3 faces",
        "counted",
    ]
    (track,) = watched.see(walk(8))
    assert track.counted
    assert track.estimate is not None
    assert (track.number, track.absent_s) == (0, 0)
    assert track.age_s == pytest.approx(8 * 0.2)
    assert track.size == pytest.approx(np.sqrt(40 * 50))


def test_what_never_moves_is_taken_for_a_picture(classifier: Classifier) -> None:
    watched = Watched(classifier)
    for _ in range(30):
        (track,) = watched.see((100, 80, 40, 50))
    assert track.explanation == "not counted: does not move, taken for a picture or poster"
    assert (track.counted, track.estimate) == (False, None)


def test_somebody_who_does_not_move_for_a_minute_becomes_an_object(classifier: Classifier) -> None:
    watched = Watched(classifier, rate=2)
    for step in range(8):
        watched.see(walk(step))
    for _ in range(130):
        (track,) = watched.see(walk(8))
    assert track.explanation == "counted; has not moved for a minute, taken for an object now"


def test_a_low_score_and_a_small_face_are_the_reason(classifier: Classifier) -> None:
    watched = Watched(classifier, score=0.41)
    for step in range(6):
        (track,) = watched.see((20 + 12 * step, 80, 14, 14))
    assert track.explanation == "not counted: too small, 14 px: score 0.41, a face needs 0.50"
    for scale, size in ((0.5, "too small, 45 px, 22 px for the detector: "), (0.6, ""), (2.0, "")):
        watched = Watched(classifier, score=0.41)
        watched.detector.scale = scale
        for step in range(6):
            (track,) = watched.see((20 + 12 * step, 80, 40, 50))
        assert track.explanation == f"not counted: {size}score 0.41, a face needs 0.50"
    watched = Watched(classifier, score=0.6)
    for step in range(6):
        (track,) = watched.see(walk(step))
    assert track.explanation == "not counted: score 0.60, and no second with 0.68 so far"


def test_a_face_that_is_gone_is_followed_where_it_is_expected(classifier: Classifier) -> None:
    watched = Watched(classifier)
    for step in range(6):
        watched.see(walk(step))
    (track,) = watched.see()
    assert track.absent_s == pytest.approx(0.2)
    assert track.box[0] == pytest.approx(walk(6)[0], abs=2)
    shown = watched.board.newest(CAMERA)
    assert shown
    assert len(shown.look.faces) == 2, "where it was and where it is expected, although nothing was detected"


def test_of_a_camera_that_nobody_watches_no_look_is_made(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(classifier)
    made: list[str] = []
    original = watched.analyser._look
    monkeypatch.setattr(watched.analyser, "_look", lambda *args: made.append("look") or original(*args))
    watched.analyser.analyse(CAMERA, 0, watched.picture)
    assert (made, watched.board.newest(CAMERA)) == ([], None)
    watched.see(walk(0))
    assert made == ["look"]
    monkeypatch.setattr(preview, "WATCHED_S", -1.0)
    watched.board.watch(CAMERA)
    watched.analyser.analyse(CAMERA, 200 * MICROSECONDS, watched.picture)
    assert made == ["look"]
    assert watched.board.newest(CAMERA) is None, "the last look is dropped"


def test_results_do_not_depend_on_who_watches(classifier: Classifier) -> None:
    def analyse(watch: bool) -> object:
        watched = Watched(classifier)
        parts = []
        for step in range(12):
            if watch:
                watched.board.watch(CAMERA)
            watched.detector.boxes = [walk(step)]
            at = round((100 + 0.2 * step) * MICROSECONDS)
            parts.append(watched.analyser.analyse(CAMERA, at, watched.picture).results)
        return visits([*parts, watched.analyser.close(CAMERA)])

    assert analyse(watch=True) == analyse(watch=False) != []


@pytest.mark.parametrize("clip", [PAUSE, WALKING])
def test_people_of_real_clips_are_counted_and_explained(clip: str, classifier: Classifier) -> None:
    board = PreviewBoard()
    analyser = Analyser(Detector(), classifier, "m", previews=board)
    for time_s, gray in frames(clip, every=0.2):
        board.watch(CAMERA)
        analyser.analyse(CAMERA, round((100 + time_s) * MICROSECONDS), gray)
    shown = board.newest(CAMERA)
    assert shown
    counted = [track for track in shown.look.tracks if track.counted]
    assert len(counted) >= 2
    assert {track.explanation for track in counted} == {"counted"}
    assert all(
        track.explanation.startswith("not counted") for track in shown.look.tracks if not track.counted
    )
