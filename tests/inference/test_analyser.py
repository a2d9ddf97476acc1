"""The analyser with a scripted detector and the shipped classifier."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typing_extensions import override

from bus.messages import MICROSECONDS, Results, Visit
from inference.analyser import Analyser, FaceDetector
from inference.classifier import Classifier
from inference.crops import crop
from inference.detector import Faces, ScoreLevels
from tests.support.people import count_every_face

Box = tuple[float, float, float, float]


@dataclass
class ScriptedDetector(FaceDetector):
    """Finds the boxes that a test has set, in any picture."""

    boxes: list[Box]
    score: float = 0.9
    scale: float = 1.0
    levels = ScoreLevels(weak=0.3, face=0.5, sure=0.8)

    @override
    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        return Faces(boxes, np.full(len(boxes), self.score, np.float32), self.scale)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 255, (240, 320), np.uint8)


@pytest.fixture
def every_face_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    count_every_face(monkeypatch)


def run(
    analyser: Analyser, picture: NDArray[np.uint8], times: list[float], camera: str = "till"
) -> list[Results]:
    return [analyser.analyse(camera, int(t * MICROSECONDS), picture).results for t in times]


def visits(parts: list[Results]) -> list[Visit]:
    return [visit for part in parts for visit in part.visits]


@pytest.mark.usefixtures("every_face_counts")
def test_three_faces_make_a_visit(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    parts = run(analyser, picture, [10.0, 10.2])
    assert not any(parts)
    (visit,) = visits(run(analyser, picture, [10.4]))
    assert (visit.first_seen, visit.last_seen, visit.frames) == (10_000_000, 10_400_000, 3)
    assert (visit.closed, visit.model, visit.camera_id) == (False, "m", "till")
    assert visit.face_size == pytest.approx(np.sqrt(40 * 50))
    assert visit.quality == pytest.approx(0.9)


@pytest.mark.usefixtures("every_face_counts")
def test_two_faces_do_not_make_a_visit(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    run(analyser, picture, [0.0, 0.2])
    assert not analyser.close("till")


@pytest.mark.usefixtures("every_face_counts")
def test_an_open_visit_is_written_once_per_second_and_once_when_it_closes(
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
    assert not analyser.close("till"), "already closed"


@pytest.mark.usefixtures("every_face_counts")
def test_a_visit_has_one_observation_per_second(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    parts = run(analyser, picture, [t / 10 for t in range(100, 135)])
    parts.append(analyser.close("till"))
    seconds = [seen.observed_at for part in parts for seen in part.observations]
    assert seconds == [10_000_000, 11_000_000, 12_000_000, 13_000_000]


@pytest.mark.usefixtures("every_face_counts")
def test_cameras_do_not_share_faces(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    ids = {visits(run(analyser, picture, [1.0, 1.2, 1.4], camera))[0].visit_id for camera in ("a", "b")}
    assert len(ids) == 2
    assert analyser.cameras == ("a", "b")
    assert len(analyser.close("a").visits) == 1
    assert analyser.cameras == ("b",)


@pytest.mark.usefixtures("every_face_counts")
def test_the_same_frames_give_the_same_results(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    def once() -> list[Results]:
        analyser = Analyser(ScriptedDetector([(100, 80, 40, 50), (200, 60, 30, 36)]), classifier, "m")
        return [*run(analyser, picture, [t / 5 for t in range(20)]), analyser.close("till")]

    assert once() == once()


@pytest.mark.usefixtures("every_face_counts")
def test_a_clock_that_is_set_back_ends_the_visit(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    run(analyser, picture, [7200.0, 7200.2, 7200.4])
    (visit,) = visits(run(analyser, picture, [3600.0]))
    assert visit.closed


@pytest.mark.usefixtures("every_face_counts")
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


def test_what_never_moves_is_no_visit(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    """An object on a shelf that looks like a face in every frame is not a visitor and is not classified."""
    detector = ScriptedDetector([(100, 80, 40, 50)], score=0.95)
    analyser = Analyser(detector, classifier, "m")
    frames = [analyser.analyse("till", t * MICROSECONDS // 5, picture) for t in range(50)]
    assert not any(frame.results for frame in frames)
    assert [frame.faces for frame in frames] == [0] * 50
    assert not analyser.close("till")


def test_the_same_face_is_a_visit_after_it_has_moved(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    detector = ScriptedDetector([(100, 80, 40, 50)], score=0.75)
    analyser = Analyser(detector, classifier, "m")
    assert not any(run(analyser, picture, [t / 5 for t in range(20)]))
    for t in range(20, 30):
        detector.boxes = [(100 + 5 * (t - 20), 80, 40, 50)]
        run(analyser, picture, [t / 5])
    (visit,) = analyser.close("till").visits
    assert visit.first_seen > 4 * MICROSECONDS, "the visit begins when the face moves"


def walk(
    detector: ScriptedDetector, analyser: Analyser, picture: NDArray[np.uint8], begin: int
) -> list[Visit]:
    """Ten frames from a time in seconds on, two a second, in which the face moves to the right."""
    parts = []
    for step in range(10):
        detector.boxes = [(100 + 8 * step, 80, 40, 50)]
        parts += run(analyser, picture, [begin + step / 2])
    return visits(parts)


def test_a_person_in_front_of_a_tracked_object_starts_a_new_visit(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    """One track: a bag with a face that is carried in, an object after a minute, then a person's face."""
    detector = ScriptedDetector([], score=0.95)
    analyser = Analyser(detector, classifier, "m")
    carried_in = walk(detector, analyser, picture, 0)
    run(analyser, picture, [t / 2 for t in range(10, 400)])
    detector.boxes = [(100, 80, 40, 50)]
    first, *_, last = [*walk(detector, analyser, picture, 200), *analyser.close("till").visits]
    assert first.visit_id == carried_in[0].visit_id
    assert first.closed
    assert 60_000_000 < first.last_seen < 70_000_000
    assert last.first_seen >= 200_000_000
    assert first.visit_id != last.visit_id


@pytest.mark.usefixtures("every_face_counts")
def test_no_time_passes_for_a_face_while_nothing_changes(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    """A still scene: a frame every four seconds, and the pictures between them are not published."""
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    run(analyser, picture, [t / 5 for t in range(10)])
    for t in range(4, 40, 4):
        analyser.analyse("till", t * MICROSECONDS, picture, unchanged=19)
    (visit,) = analyser.close("till").visits
    assert (visit.first_seen, visit.last_seen, visit.frames) == (0, 36_000_000, 19)


@pytest.mark.usefixtures("every_face_counts")
def test_a_camera_that_is_stalled_after_a_still_scene_ends_the_visit(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    """The unchanged pictures before the stall cover their usual time; nobody knows who was there after it."""
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)]), classifier, "m")
    run(analyser, picture, [t / 5 for t in range(10)])
    ended = analyser.analyse("till", 10 * MICROSECONDS, picture, unchanged=14).results.visits
    assert [(visit.closed, visit.frames, visit.last_seen) for visit in ended] == [(True, 10, 1_800_000)]


@pytest.mark.usefixtures("every_face_counts")
@pytest.mark.parametrize(("spacing_s", "least"), [(0.5, 3), (1.0, 2), (2.0, 1), (10.0, 1)])
def test_confirmation_gap_and_duration_follow_the_spacing_of_frames(
    classifier: Classifier, picture: NDArray[np.uint8], spacing_s: float, least: int
) -> None:
    """With frames ten seconds apart a visitor is in one or two of them."""
    detector = ScriptedDetector([])
    analyser = Analyser(detector, classifier, "m")
    run(analyser, picture, [number * spacing_s for number in range(10)])
    detector.boxes = [(100, 80, 40, 50)]
    found = visits(run(analyser, picture, [number * spacing_s for number in range(10, 10 + least)]))
    assert len(found) == 1
    detector.boxes = []
    seen = [number * spacing_s for number in range(10 + least, 20)]
    (closed,) = [visit for visit in visits(run(analyser, picture, seen)) if visit.closed]
    spans = least - 1 if spacing_s < 1.5 else least
    assert closed.last_seen - closed.first_seen == pytest.approx(spans * spacing_s * MICROSECONDS)


@pytest.mark.usefixtures("every_face_counts")
def test_at_a_low_rate_a_face_that_is_missed_once_is_one_visit(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    detector = ScriptedDetector([(100, 80, 40, 50)])
    analyser = Analyser(detector, classifier, "m")
    for number in range(12):
        detector.boxes = [] if number % 3 == 1 else [(100, 80, 40, 50)]
        analyser.analyse("till", number * 5 * MICROSECONDS + number % 2 * 300_000, picture)
    (visit,) = analyser.close("till").visits
    assert visit.frames == 8


@pytest.mark.usefixtures("every_face_counts")
def test_all_rows_of_a_visit_have_the_same_first_seen(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    """Faces that walk, disappear, return and cross: the primary key contains `first_seen`."""
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


def test_small_faces_are_searched_in_the_frames_that_ask_for_it(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    thorough = ScriptedDetector([(100, 80, 40, 50)])
    analyser = Analyser(ScriptedDetector([]), classifier, "m", thorough=thorough)
    for step in range(20):
        thorough.boxes = [(100 + 5 * step, 80, 40, 50)]
        analyser.analyse("quick", step * MICROSECONDS // 5, picture)
        analyser.analyse("thorough", step * MICROSECONDS // 5, picture, thorough=True)
    assert not analyser.close("quick")
    assert len(analyser.close("thorough").visits) == 1


@pytest.mark.parametrize("later", [[66, 68], [30, 32], [59, 61]])
def test_a_poster_is_no_visitor_of_a_slow_camera_after_an_interruption(
    classifier: Classifier, picture: NDArray[np.uint8], later: list[float]
) -> None:
    """A gap, or a clock that is set back: the poster is a new track, and it would count by its first face."""
    analyser = Analyser(ScriptedDetector([(100, 80, 40, 50)], score=0.95), classifier, "m")
    parts = run(analyser, picture, [*range(0, 62, 2), *later])
    assert not visits([*parts, analyser.close("till")])


def test_a_visitor_of_a_slow_camera_counts_by_one_face_again_after_an_interruption(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    detector = ScriptedDetector([], score=0.95)
    analyser = Analyser(detector, classifier, "m")
    run(analyser, picture, [*range(0, 22, 2), 30])
    detector.boxes = [(100, 80, 40, 50)]
    (visit,) = visits(run(analyser, picture, [32]))
    assert visit.frames == 1


@pytest.mark.usefixtures("every_face_counts")
def test_a_clock_that_is_set_back_a_little_ends_the_visit_of_a_face_that_was_missed_before(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    detector = ScriptedDetector([(100, 80, 40, 50)])
    analyser = Analyser(detector, classifier, "m")
    run(analyser, picture, [10.0, 10.2, 10.4])
    detector.boxes = []
    run(analyser, picture, [10.6, 10.8])
    (visit,) = visits(run(analyser, picture, [10.5]))
    assert (visit.closed, visit.last_seen) == (True, 10_400_000)


def larger(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same picture with 1.2 times as many pixels a side."""
    height, width = picture.shape
    return np.asarray(cv2.resize(picture, (width * 6 // 5, height * 6 // 5)), np.uint8)


@pytest.mark.parametrize("step_s", [0.2, 2.0])
def test_a_poster_does_not_move_when_the_size_of_the_pictures_changes(
    classifier: Classifier, picture: NDArray[np.uint8], step_s: float
) -> None:
    detector = ScriptedDetector([(100, 80, 40, 50)], score=0.95)
    analyser = Analyser(detector, classifier, "m")
    parts = run(analyser, picture, [number * step_s for number in range(20)])
    detector.boxes = [(120, 96, 48, 60)]
    parts += run(analyser, larger(picture), [number * step_s for number in range(20, 30)])
    assert not visits([*parts, analyser.close("till")])


@pytest.mark.usefixtures("every_face_counts")
def test_another_size_of_the_pictures_ends_the_visit(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    detector = ScriptedDetector([(100, 80, 40, 50)])
    analyser = Analyser(detector, classifier, "m")
    run(analyser, picture, [10.0, 10.2, 10.4])
    detector.boxes = [(120, 96, 48, 60)]
    (visit,) = visits(run(analyser, larger(picture), [10.6]))
    assert (visit.closed, visit.frames) == (True, 3)
