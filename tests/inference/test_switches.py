"""Switches: what is off is not computed, and leaves no estimate behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from bus.messages import EVERYTHING, OFF, Results, Switches
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Faces, ScoreLevels
from inference.model_file import make_session_options, shipped
from inference.model_outputs import keep_outputs

SECOND_US = 1_000_000


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def crops_for(classifier: Classifier) -> NDArray[np.uint8]:
    size = classifier.size
    return np.random.default_rng(5).integers(0, 255, (3, size, size), np.uint8)


@pytest.mark.parametrize("model", ["faces.onnx", "faces.int8.onnx"])
def test_the_nodes_of_a_head_that_is_off_do_not_run(model: str, tmp_path: Path) -> None:
    content = (shipped("faces").parent / model).read_bytes()
    whole = nodes_that_run(content, tmp_path)
    genders = nodes_that_run(keep_outputs(content, ["gender"]), tmp_path)
    expressions = nodes_that_run(keep_outputs(content, ["expression"]), tmp_path)
    assert genders < whole
    assert expressions < whole
    assert genders != expressions
    assert len(whole - genders) >= 2, "those of both outputs with expressions"


def nodes_that_run(content: bytes, folder: Path) -> set[str]:
    options = make_session_options(1)
    # Without fusions nodes keep their names.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (pixels,) = session.get_inputs()
    session.run(None, {pixels.name: np.zeros((1, *pixels.shape[1:]), np.uint8)})
    events = json.loads(Path(session.end_profiling()).read_text())
    return {each["name"] for each in events if each.get("cat") == "Node" and "kernel_time" in each["name"]}


def test_an_output_that_does_not_exist_cannot_be_kept() -> None:
    with pytest.raises(ValueError, match="'age'"):
        keep_outputs(shipped("faces").read_bytes(), ["age"])


def test_one_head_alone_gives_what_it_gives_with_the_other(classifier: Classifier) -> None:
    crops = crops_for(classifier)
    both = classifier.classify(crops)
    only_gender = classifier.classify(crops, Switches(expression=False))
    only_expression = classifier.classify(crops, Switches(gender=False))
    np.testing.assert_allclose(only_gender.genders, both.genders, atol=1e-5)
    np.testing.assert_allclose(only_expression.expressions, both.expressions, atol=1e-5)
    assert only_gender.expressions.shape == only_expression.genders.shape == (3, 0)


def test_with_both_off_the_network_does_not_run(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "_session", None)
    monkeypatch.setattr(classifier, "_session_of", None)
    found = classifier.classify(crops_for(classifier), Switches(expression=False, gender=False))
    assert (len(found), found.expressions.shape, found.genders.shape) == (3, (3, 0), (3, 0))


class WalkingFace:
    """A detector that finds one face, which walks through the picture and leaves after some frames."""

    levels = ScoreLevels(weak=0.1, face=0.3, sure=0.6)

    def __init__(self, frames: int) -> None:
        self.x = 20.0
        self.frames_left = frames

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        self.x += 6
        self.frames_left -= 1
        if self.frames_left < 0:
            return Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        return Faces(np.array([[self.x, 60, 48, 60]], np.float32), np.array([0.95], np.float32))


def analyse(classifier: Classifier, switches: list[Switches], frames: int = 100) -> Results:
    """The results of a frame for each of `switches`, five a second; a face is in the first `frames`."""
    analyser = Analyser(WalkingFace(frames), classifier, "m")
    dice = np.random.default_rng(3)
    parts = [
        analyser.analyse(
            "door", n * SECOND_US // 5, dice.integers(0, 255, (240, 320), np.uint8), switches=each
        ).results
        for n, each in enumerate(switches)
    ]
    parts.append(analyser.close("door"))
    return Results(
        tuple(visit for part in parts for visit in part.visits),
        tuple(seen for part in parts for seen in part.observations),
    )


@pytest.mark.parametrize("expression", [True, False])
@pytest.mark.parametrize("gender", [True, False])
def test_a_visit_has_the_estimates_that_are_on(
    classifier: Classifier, expression: bool, gender: bool
) -> None:
    results = analyse(classifier, [Switches(expression, gender)] * 12)
    *_, last = results.visits
    assert last.closed
    assert (last.estimate.expression == OFF) is not expression
    assert (last.estimate.gender == OFF) is not gender
    assert bool(last.estimate.expressions) is expression
    assert (last.estimate.female is not None) is gender
    assert bool(results.observations) is (expression or gender), "a second without an estimate is no row"


def test_a_switch_during_a_visit_drops_what_was_estimated_before(classifier: Classifier) -> None:
    off = Switches(expression=False)
    assert analyse(classifier, [EVERYTHING] * 8 + [off] * 4).visits[-1].estimate.expression == OFF
    again = analyse(classifier, [off] * 4 + [EVERYTHING] * 8).visits[-1].estimate
    assert sum(again.expressions.values()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("off", [Switches(expression=False), Switches(gender=False)])
def test_a_switch_after_the_face_is_gone_drops_its_estimates(classifier: Classifier, off: Switches) -> None:
    results = analyse(classifier, [EVERYTHING] * 8 + [off] * 12, frames=8)
    closed, seen = results.visits[-1], results.observations[-1]
    assert closed.closed
    assert (closed.last_seen, seen.observed_at) == (7 * SECOND_US // 5, SECOND_US)
    for estimate in (closed.estimate, seen.estimate):
        assert (estimate.expression != OFF, estimate.gender != OFF) == (off.expression, off.gender)
        assert (bool(estimate.expressions), estimate.female is not None) == (off.expression, off.gender)


def test_after_everything_is_switched_off_the_latest_second_has_no_observation(
    classifier: Classifier,
) -> None:
    results = analyse(classifier, [EVERYTHING] * 8 + [Switches(False, False)] * 12, frames=8)
    assert results.visits[-1].estimate.expression == OFF
    assert SECOND_US not in [seen.observed_at for seen in results.observations]


def test_a_switch_at_the_end_of_a_second_drops_what_was_estimated_in_it(classifier: Classifier) -> None:
    """Its observation is written with the first frame of the next second, the first with the switch off."""
    results = analyse(classifier, [EVERYTHING] * 10 + [Switches(expression=False)] * 4)
    found = {seen.observed_at: seen.estimate.expression for seen in results.observations}
    assert found == {SECOND_US: OFF, 2 * SECOND_US: OFF}
