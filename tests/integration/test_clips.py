"""Real clips through detector, tracker and classifier: as many visits as there are people."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, Visit
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Detector
from inference.model_file import MODELS
from tests.support.clips import AISLE, MAN, PAUSE, WALKING, WOMAN, data_folder, frames, through_jpeg

START = 1_700_000_000
FIVE_PER_SECOND = 0.2
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", params=["detector.onnx", "detector.int8.onnx"])
def detector(request: pytest.FixtureRequest) -> Detector:
    return Detector(MODELS / request.param)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def visits(
    detector: Detector, classifier: Classifier, pictures: Iterable[tuple[float, NDArray[np.uint8]]]
) -> list[Visit]:
    """The visits of one camera, as they are when they are closed."""
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
    people = {PAUSE: 3, WALKING: 2, WOMAN: 1, MAN: 1}
    assert len(found) == people[clip]
    told = [visit.estimate.gender for visit in found]
    for gender, least in genders.items():
        assert told.count(gender) >= least
    assert all(visit.face_size > 15 for visit in found)


@pytest.mark.parametrize("every", [0.0, FIVE_PER_SECOND])
@pytest.mark.parametrize("clip", [PAUSE, WALKING])
def test_a_woman_is_never_taken_for_a_man(
    detector: Detector, classifier: Classifier, clip: str, every: float
) -> None:
    """Short hair and glasses, or so far away that her face has 20 pixels: a woman, or not sure."""
    found = visits(detector, classifier, frames(clip, every))
    assert [visit.estimate.gender for visit in found].count("male") == 1


@pytest.mark.parametrize("every", [0.0, FIVE_PER_SECOND])
def test_an_aisle_seen_from_behind_has_hardly_a_visit(
    detector: Detector, classifier: Classifier, every: float
) -> None:
    assert len(visits(detector, classifier, frames(AISLE, every))) <= 1


def test_the_same_clip_gives_the_same_visits(detector: Detector, classifier: Classifier) -> None:
    first, second = (visits(detector, classifier, frames(WALKING)) for _ in range(2))
    assert first == second


def test_goods_are_no_visitors(detector: Detector, classifier: Classifier) -> None:
    """Every photograph of goods, shown once and shown for two seconds."""
    goods = pytest.importorskip("training.detector.scenes", reason="needs the extra train")
    for part in ("train", "validation", "test"):
        for scene in goods.load_groceries(data_folder(), part):
            picture = through_jpeg(scene.pixels)
            if len(detector.detect(picture, detector.levels.weak)):
                shown = [(step * FIVE_PER_SECOND, picture) for step in range(10)]
                assert not visits(detector, classifier, shown[:1]), scene.name
                assert not visits(detector, classifier, shown), scene.name
