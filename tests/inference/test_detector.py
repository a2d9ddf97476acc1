"""The detector: suppression of overlaps, real pictures, and invalid input."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.detector import Detector, Faces, ScoreLevels, suppress_overlaps
from inference.model_file import MODELS
from tests.support.clips import MAN, PAUSE, WOMAN, frames


@pytest.fixture(scope="module", params=["detector.onnx", "detector.int8.onnx"])
def detector(request: pytest.FixtureRequest) -> Detector:
    return Detector(MODELS / request.param)


@pytest.fixture(scope="module")
def three() -> NDArray[np.uint8]:
    """Three people who stand side by side, 480 x 270."""
    return [picture for _, picture in frames(PAUSE)][-1]


def boxes_of(*boxes: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(boxes, np.float32).reshape(-1, 4)


class TestSuppression:
    def test_the_best_of_overlapping_boxes_is_kept(self) -> None:
        assert suppress_overlaps(boxes_of((0, 0, 10, 10), (1, 0, 10, 10), (20, 0, 10, 10)), 0.4) == [0, 2]

    def test_neighbours_that_touch_are_kept(self) -> None:
        assert suppress_overlaps(boxes_of((0, 0, 10, 10), (7, 0, 10, 10)), 0.4) == [0, 1]

    def test_a_box_inside_a_better_one_is_suppressed_and_one_around_it_is_kept(self) -> None:
        whole, part = (0, 0, 40, 40), (10, 20, 12, 8)
        assert suppress_overlaps(boxes_of(whole, part), 0.4) == [0]
        assert suppress_overlaps(boxes_of(part, whole), 0.4) == [0, 1]

    def test_no_boxes_give_no_indices(self) -> None:
        assert suppress_overlaps(boxes_of(), 0.4) == []


class TestRealPictures:
    def test_three_people_have_three_faces(self, detector: Detector, three: NDArray[np.uint8]) -> None:
        faces = detector.detect(three)
        assert len(faces) == 3
        assert (np.diff(faces.scores) <= 0).all(), "best first"
        centres = np.sort(faces.boxes[:, 0] + faces.boxes[:, 2] / 2)
        np.testing.assert_allclose(centres, [76, 225, 373], atol=8)

    @pytest.mark.parametrize("clip", [MAN, WOMAN])
    def test_a_face_close_to_a_webcam_is_found(self, detector: Detector, clip: str) -> None:
        """Enlarged until it is a third of the picture's width."""
        _, picture = next(frames(clip))
        x, y, w, h = detector.detect(picture).boxes[0]
        width, height = int(3 * w), int(1.5 * h)
        left, top = max(int(x - w), 0), max(int(y - h / 4), 0)
        near = cv2.resize(picture[top : top + height, left : left + width], (640, 480))
        faces = detector.detect(np.asarray(near, np.uint8))
        assert len(faces) == 1
        assert faces.scores[0] > 0.7
        assert faces.boxes[0, 2] > 150

    def test_boxes_are_in_pixels_of_a_picture_of_any_size(
        self, detector: Detector, three: NDArray[np.uint8]
    ) -> None:
        expected = detector.detect(three).boxes
        large = cv2.resize(three, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
        found = detector.detect(np.asarray(large, np.uint8)).boxes / 2.5
        order, other = np.argsort(expected[:, 0]), np.argsort(found[:, 0])
        np.testing.assert_allclose(found[other], expected[order], atol=8)

    def test_padding_does_not_move_boxes(self, detector: Detector, three: NDArray[np.uint8]) -> None:
        """Sides that are no multiples of 32, and a face close to the right edge."""
        cut = np.ascontiguousarray(three[:229, :431])
        whole, part = detector.detect(three), detector.detect(cut)
        assert len(part) == 3
        order, other = np.argsort(whole.boxes[:, 0]), np.argsort(part.boxes[:, 0])
        np.testing.assert_allclose(part.boxes[other], whole.boxes[order], atol=14)

    def test_a_lower_threshold_gives_weaker_faces_too(
        self, detector: Detector, three: NDArray[np.uint8]
    ) -> None:
        all_ = detector.detect(three, 0.01)
        assert len(all_) > len(detector.detect(three)) >= 3
        assert all_.scores.min() >= 0.01
        middle = float(np.median(all_.scores))
        assert detector.detect(three, middle).scores.tolist() == [
            s for s in all_.scores.tolist() if s >= middle
        ]
        assert detector.detect(three).scores.min() >= detector.levels.face

    def test_both_model_files_give_similar_scores(self, three: NDArray[np.uint8]) -> None:
        exact, small = (
            Detector(MODELS / name).detect(three) for name in ("detector.onnx", "detector.int8.onnx")
        )
        np.testing.assert_allclose(exact.scores, small.scores, atol=0.06)


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (500, 2), (33, 31)])
def test_pictures_of_any_shape_are_accepted(detector: Detector, shape: tuple[int, int]) -> None:
    faces = detector.detect(np.full(shape, 127, np.uint8))
    assert faces.boxes.shape == (len(faces), 4)


@pytest.mark.parametrize(
    ("picture", "found"),
    [
        (np.zeros((10, 10, 3), np.uint8), "uint8 (10, 10, 3)"),
        (np.zeros((10, 10), np.float32), "float32 (10, 10)"),
        (np.zeros((0, 10), np.uint8), "uint8 (0, 10)"),
    ],
)
def test_an_input_that_is_not_a_grey_picture_is_refused(
    detector: Detector, picture: NDArray[np.uint8], found: str
) -> None:
    with pytest.raises(ValueError, match="expected uint8") as caught:
        detector.detect(picture)
    assert found in str(caught.value)


def test_a_uniform_picture_has_no_face(detector: Detector) -> None:
    assert len(detector.detect(np.full((360, 640), 90, np.uint8))) == 0


def test_every_face_of_a_crowd_is_found_whatever_the_number_of_candidates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two hundred faces, each with eight candidates whose scores are lower than those of the face before."""
    detector = Detector()
    rows, columns = np.divmod(np.arange(200), 20)
    faces = np.stack([20 * columns, 24 * rows, np.full(200, 16), np.full(200, 20)], axis=1)
    shifts = np.array([[number / 4, 0, 0, 0] for number in range(8)])
    candidates = (faces[:, None] + shifts).reshape(-1, 4).astype(np.float32)
    scores = np.linspace(0.9, 0.6, len(candidates), dtype=np.float32)

    def run_network(
        gray: NDArray[np.uint8], scale: float, lowest: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The candidates at full scale, none at half of it."""
        found = len(candidates) if scale == detector.scale(*gray.shape) else 0
        return candidates[:found], scores[:found]

    monkeypatch.setattr(detector, "_run_network", run_network)
    found = detector.detect(np.zeros((384, 640), np.uint8))
    np.testing.assert_array_equal(found.boxes, faces)


def test_faces_refuse_arrays_of_other_types_or_shapes() -> None:
    with pytest.raises(ValueError, match=r"boxes are float64 \(1, 4\), expected float32"):
        Faces(np.zeros((1, 4)), np.zeros(1, np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"scores are float32 \(2,\), expected float32 \(1,\)"):
        Faces(np.zeros((1, 4), np.float32), np.zeros(2, np.float32))


@pytest.mark.parametrize("levels", [(0.5, 0.4, 0.8), (0.3, 0.9, 0.8), (-0.1, 0.5, 0.8), (0.1, 0.5, 1.1)])
def test_score_levels_must_rise(levels: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="must rise from 0 to 1"):
        ScoreLevels(*levels)
