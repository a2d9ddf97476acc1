"""One answer of many faces: what each weighs, and how they add up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.classifier import Classes, Classifier
from inference.pooling import Pool, face_weight


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


def texture(side: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 255, (side, side), np.uint8)


def classes(classifier: Classifier, female: list[float]) -> Classes:
    """Faces that are women's with these probabilities; expressions beyond doubt, each another one."""
    women = np.array(female, np.float32)
    genders = np.zeros((len(women), 2), np.float32)
    column = classifier.gender_head.labels.index("female")
    genders[:, column], genders[:, 1 - column] = women, 1 - women
    expressions = np.eye(7, dtype=np.float32)[: len(women)]
    return Classes(expressions, genders, classifier.expression_head, classifier.gender_head)


def test_a_face_weighs_more_the_sharper_larger_and_surer_it_is() -> None:
    crop = texture(48)
    weight = face_weight(crop, 30, 0.8)
    blurred = np.asarray(cv2.GaussianBlur(crop, (0, 0), 1.0), np.uint8)
    assert 0 < face_weight(blurred, 30, 0.8) < weight
    assert face_weight(crop, 60, 0.8) == pytest.approx(4 * weight)
    assert face_weight(crop, 30, 0.4) == pytest.approx(weight / 4)
    assert face_weight(np.full_like(crop, 90), 30, 0.8) > 0


def test_gender_is_the_weighted_mean_of_the_log_odds(classifier: Classifier) -> None:
    pool, seen = Pool(), classes(classifier, [0.9, 0.4])
    pool.add(seen, 0, 1.0)
    pool.add(seen, 1, 3.0)
    odds = (0.9 / 0.1) ** 0.25 * (0.4 / 0.6) ** 0.75
    found = pool.estimate(classifier.expression_head, classifier.gender_head)
    assert found.female == pytest.approx(odds / (1 + odds), abs=1e-6)
    assert found.gender == ("female" if found.female >= classifier.gender_head.unknown_below else "unknown")


def test_the_face_of_more_weight_decides_the_expression(classifier: Classifier) -> None:
    pool, seen = Pool(), classes(classifier, [0.5, 0.5])
    pool.add(seen, 0, 1.0)
    pool.add(seen, 1, 2.0)
    expressions = pool.estimate(classifier.expression_head, classifier.gender_head).expressions
    assert max(expressions, key=expressions.__getitem__) == classifier.expression_head.labels[1]
    assert sum(expressions.values()) == pytest.approx(1, abs=1e-5)


def test_one_sure_face_does_not_decide_for_many(classifier: Classifier) -> None:
    pool, seen = Pool(), classes(classifier, [1.0, *[0.2] * 6])
    for row in range(6):
        pool.add(seen, row, 1.0)
    pool.add(seen, 6, 1.0)
    assert 0.2 < pool.estimate(classifier.expression_head, classifier.gender_head).female < 0.6


def test_an_empty_pool_has_no_answer(classifier: Classifier) -> None:
    assert not Pool()
    with pytest.raises(ValueError, match="add at least one face"):
        Pool().estimate(classifier.expression_head, classifier.gender_head)
