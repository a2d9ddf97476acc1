"""Real clips through detector, tracker and classifier: as many visits as there are people."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray
from typing_extensions import override

from bus.messages import MICROSECONDS, Visit
from inference.analyser import Analyser, FaceDetector
from inference.classifier import Classifier
from inference.detector import Detector, Faces
from inference.model_file import MODELS
from ingest.motion import MotionGate
from tests.support.clips import (
    AISLE,
    MAN,
    ONE_BY_ONE,
    PAUSE,
    WALKING,
    WOMAN,
    data_folder,
    frames,
    through_jpeg,
)

START = 1_700_000_000
FIVE_PER_SECOND = 0.2
PEOPLE = {PAUSE: 3, WALKING: 2, WOMAN: 1, MAN: 1}
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", params=["detector.onnx", "detector.int8.onnx"])
def detector(request: pytest.FixtureRequest) -> Detector:
    return Detector(MODELS / request.param)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def visits(
    detector: FaceDetector, classifier: Classifier, pictures: Iterable[tuple[float, NDArray[np.uint8]]]
) -> list[Visit]:
    """The closed visits of one camera."""
    analyser = Analyser(detector, classifier, "m")
    parts = [
        analyser.analyse("aisle", round((START + time_s) * MICROSECONDS), gray).results
        for time_s, gray in pictures
    ]
    closed = [visit for part in (*parts, analyser.close("aisle")) for visit in part.visits if visit.closed]
    assert {visit.visit_id for part in parts for visit in part.visits} <= {each.visit_id for each in closed}
    return closed


@pytest.mark.parametrize("every", [0.0, FIVE_PER_SECOND])
@pytest.mark.parametrize(
    ("clip", "genders"),
    [
        (PAUSE, {"female": 1, "male": 1}),
        (WALKING, {"male": 1}),
        (WOMAN, {"female": 1}),
        (MAN, {"male": 1}),
    ],
)
def test_each_person_is_one_visit(
    detector: Detector, classifier: Classifier, clip: str, genders: dict[str, int], every: float
) -> None:
    found = visits(detector, classifier, frames(clip, every))
    assert len(found) == PEOPLE[clip]
    genders_found = [visit.estimate.gender for visit in found]
    for gender, least in genders.items():
        assert genders_found.count(gender) >= least
    assert all(visit.face_size > 15 for visit in found)


@pytest.mark.parametrize("every", [0.0, FIVE_PER_SECOND])
@pytest.mark.parametrize("clip", [PAUSE, WALKING])
def test_a_woman_is_never_classified_as_a_man(
    detector: Detector, classifier: Classifier, clip: str, every: float
) -> None:
    """Short hair and glasses, or a face of 20 pixels: female or unknown."""
    found = visits(detector, classifier, frames(clip, every))
    assert [visit.estimate.gender for visit in found].count("male") == 1


@pytest.mark.parametrize("every", [0.0, FIVE_PER_SECOND, 2.0])
def test_an_aisle_with_people_from_behind_has_no_visit(
    detector: Detector, classifier: Classifier, every: float
) -> None:
    assert not visits(detector, classifier, frames(AISLE, every))


@pytest.mark.parametrize("every", [0.5, 2.0])
def test_people_who_walk_up_to_a_table_from_behind_are_no_visits(
    detector: Detector, classifier: Classifier, every: float
) -> None:
    """Backs of heads, for more than two minutes."""
    assert not visits(detector, classifier, frames(ONE_BY_ONE, every))


@pytest.mark.parametrize("clip", PEOPLE)
def test_the_motion_gate_changes_no_visit(detector: Detector, classifier: Classifier, clip: str) -> None:
    """The clip forwards and backwards, with half a minute of its last picture between: nobody jumps."""
    played = [gray for _, gray in frames(clip, FIVE_PER_SECOND)]
    noise = np.random.default_rng(0).normal(0, 2, (8, *played[0].shape))
    still = [(played[-1] + noise[n % 8]).round().clip(0, 255).astype(np.uint8) for n in range(150)]
    pictures = [*played, *still, *reversed(played)]
    analyser, gate = Analyser(detector, classifier, "m"), MotionGate()
    closed, unchanged, published = [], 0, 0
    for number, gray in enumerate(pictures):
        if not gate.select(gray, number * FIVE_PER_SECOND):
            unchanged += 1
            continue
        time_us = round((START + number * FIVE_PER_SECOND) * MICROSECONDS)
        closed += analyser.analyse("aisle", time_us, gray, unchanged).results.visits
        unchanged, published = 0, published + 1
    closed = [visit for visit in [*closed, *analyser.close("aisle").visits] if visit.closed]
    every = visits(detector, classifier, ((n * FIVE_PER_SECOND, gray) for n, gray in enumerate(pictures)))
    assert published < 0.6 * len(pictures)
    assert len(closed) == len(every) == PEOPLE[clip]


@pytest.mark.parametrize(("rate", "share"), [(2.0, 0.8), (1.0, 0.5)])
def test_visits_are_found_at_low_rates(
    detector: Detector, classifier: Classifier, rate: float, share: float
) -> None:
    """The people of clips of two to five seconds: none is counted twice, and most are in enough pictures."""
    found = [len(visits(detector, classifier, frames(clip, 1 / rate))) for clip in PEOPLE]
    assert all(count <= most for count, most in zip(found, PEOPLE.values(), strict=True))
    assert sum(found) >= share * sum(PEOPLE.values())


def test_the_same_clip_gives_the_same_visits(detector: Detector, classifier: Classifier) -> None:
    first, second = (visits(detector, classifier, frames(WALKING)) for _ in range(2))
    assert first == second


class Shown(FaceDetector):
    """Finds what a detector has found in the only picture that is shown."""

    def __init__(self, detector: Detector, faces: Faces) -> None:
        self.levels = detector.levels
        self._faces = faces

    @override
    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        return self._faces


def test_photographs_of_goods_give_no_visits(detector: Detector, classifier: Classifier) -> None:
    """Every photograph of goods, shown ten times: five pictures a second, and one every two seconds."""
    goods = pytest.importorskip("training.detector.scenes", reason="needs the extra train")
    for part in ("train", "validation", "test"):
        for scene in goods.load_groceries(data_folder(), part):
            picture = through_jpeg(scene.pixels)
            if len(faces := detector.detect(picture, detector.levels.weak)):
                for every in (FIVE_PER_SECOND, 2.0):
                    shown = [(step * every, picture) for step in range(10)]
                    assert not visits(Shown(detector, faces), classifier, shown), scene.name
