"""The analyser on a scripted detector and the classifier that ships."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, Results, Visit
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.crops import crop
from inference.detector import Faces, ScoreLevels

Box = tuple[float, float, float, float]


@dataclass
class ScriptedDetector:
    """Shows the faces that a test put there, whatever the picture."""

    boxes: list[Box]
    score: float = 0.9
    levels = ScoreLevels(weak=0.3, face=0.5, sure=0.8)

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        return Faces(boxes, np.full(len(boxes), self.score, np.float32))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 255, (240, 320), np.uint8)


def run(
    analyser: Analyser, picture: NDArray[np.uint8], times: list[float], camera: str = "till"
) -> list[Results]:
    return [analyser.analyse(camera, int(t * MICROSECONDS), picture).results for t in times]


def visits(parts: list[Results]) -> list[Visit]:
    return [visit for part in parts for visit in part.visits]


def test_three_hits_make_a_visit(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    parts = run(analyser, picture, [10.0, 10.2])
    assert not any(parts)
    (visit,) = visits(run(analyser, picture, [10.4]))
    assert (visit.first_seen, visit.last_seen, visit.frames) == (10_000_000, 10_400_000, 3)
    assert (visit.closed, visit.model, visit.camera_id) == (False, "m", "till")
    assert visit.face_size == pytest.approx(np.sqrt(40 * 50))
    assert visit.quality == pytest.approx(0.9)


def test_two_hits_are_no_visit(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    run(analyser, picture, [0.0, 0.2])
    assert not analyser.close("till")


def test_an_open_visit_is_told_once_a_second_and_once_closed(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    detector = ScriptedDetector([(100, 80, 40, 50)])
    analyser = Analyser(detector, classifier, "m")
    parts = run(analyser, picture, [t / 5 for t in range(50, 66)])  # 10.0 s to 13.0 s
    assert [visit.frames for visit in visits(parts)] == [3, 6, 11, 16]
    detector.boxes = []
    parts = run(analyser, picture, [t / 5 for t in range(66, 80)])
    (closed,) = visits(parts)
    assert (closed.closed, closed.frames, closed.last_seen) == (True, 16, 13_000_000)
    assert len({visit.visit_id for visit in visits(parts)}) == 1
    assert not analyser.close("till"), "closed once"


def test_one_observation_for_each_second_of_a_visit(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    parts = run(analyser, picture, [t / 10 for t in range(100, 135)])
    parts.append(analyser.close("till"))
    seconds = [seen.observed_at for part in parts for seen in part.observations]
    assert seconds == [10_000_000, 11_000_000, 12_000_000, 13_000_000]


def test_cameras_do_not_share_faces(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    ids = {visits(run(analyser, picture, [1.0, 1.2, 1.4], camera))[0].visit_id for camera in ("a", "b")}
    assert len(ids) == 2
    assert analyser.cameras == ("a", "b")
    assert len(analyser.close("a").visits) == 1
    assert analyser.cameras == ("b",)


def test_the_same_frames_give_the_same_results(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    def once() -> list[Results]:
        analyser = Analyser(ScriptedDetector([(100, 80, 40, 50), (200, 60, 30, 36)]), classifier, "m")
        return [*run(analyser, picture, [t / 5 for t in range(20)]), analyser.close("till")]

    assert once() == once()


def test_a_clock_that_is_set_back_ends_the_visit(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    run(analyser, picture, [7200.0, 7200.2, 7200.4])
    (visit,) = visits(run(analyser, picture, [3600.0]))
    assert visit.closed


def test_pooled_probabilities_are_those_of_the_face(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    """The same crop three times pools to itself."""
    box = (100.0, 80.0, 40.0, 50.0)
    analyser = Analyser(ScriptedDetector([box]), classifier, "m")
    (visit,) = visits(run(analyser, picture, [0.0, 0.2, 0.4]))
    alone = classifier.classify(crop(picture, np.array([box], np.float32), classifier.size))
    assert list(visit.estimate.expressions) == list(alone.expression_labels)
    np.testing.assert_allclose(list(visit.estimate.expressions.values()), alone.expressions[0], atol=1e-5)
    female = alone.genders[0, alone.gender_labels.index("female")]
    assert visit.estimate.female == pytest.approx(np.clip(female, 1e-4, 1 - 1e-4), abs=1e-4)


def test_a_still_face_has_to_be_beyond_doubt(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    """A thing on a shelf that looks like a face in every frame is no visitor, and is not classified."""
    detector = ScriptedDetector([(100, 80, 40, 50)], score=0.75)
    analyser = Analyser(detector, classifier, "m")
    frames = [analyser.analyse("till", t * MICROSECONDS // 5, picture) for t in range(50)]
    assert not any(frame.results for frame in frames)
    assert [frame.faces for frame in frames] == [0] * 50
    assert not analyser.close("till")


def test_the_same_face_counts_once_it_moves(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    detector = ScriptedDetector([(100, 80, 40, 50)], score=0.75)
    analyser = Analyser(detector, classifier, "m")
    assert not any(run(analyser, picture, [t / 5 for t in range(20)]))
    for t in range(20, 30):
        detector.boxes = [(100 + 5 * (t - 20), 80, 40, 50)]
        run(analyser, picture, [t / 5])
    (visit,) = analyser.close("till").visits
    assert visit.first_seen > 4 * MICROSECONDS, "the visit begins when the face moves"


def test_what_steps_before_a_thing_is_a_visit_of_its_own(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    """One track: a poster that is beyond doubt, after a minute taken for a thing, then somebody's face."""
    detector = ScriptedDetector([(100, 80, 40, 50)], score=0.95)
    analyser = Analyser(detector, classifier, "m")
    run(analyser, picture, [t / 2 for t in range(400)])
    parts = []
    for t in range(400, 410):
        detector.boxes = [(100 + 4 * (t - 400), 80, 40, 50)]
        parts += run(analyser, picture, [t / 2])
    first, *_, last = [*visits(parts), *analyser.close("till").visits]
    assert (first.closed, first.last_seen) == (True, 60_000_000)
    assert last.first_seen >= 200_000_000
    assert first.visit_id != last.visit_id


def test_all_rows_of_a_visit_have_the_beginning_that_its_key_holds(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    """Faces that walk, vanish for a while, come back and cross: the tables rely on it."""
    random = np.random.default_rng(5)
    detector = ScriptedDetector([])
    analyser = Analyser(detector, classifier, "m")
    places = random.uniform(20, 180, (3, 2))
    rows: list[Visit] = []
    for number in range(200):
        places = np.clip(places + random.uniform(-12, 12, places.shape), 0, 200)
        seen = places[random.random(len(places)) < 0.6] if number % 50 < 35 else []
        detector.boxes = [(float(x), float(y), 40.0, 50.0) for x, y in seen]
        rows += visits(run(analyser, picture, [number / 5]))
    rows += analyser.close("till").visits
    beginnings = {(row.visit_id, row.first_seen) for row in rows}
    assert len({visit_id for visit_id, _ in beginnings}) == len(beginnings) > 5
    assert len(rows) > 3 * len(beginnings)
