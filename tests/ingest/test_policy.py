"""Masks: every pixel that a mask touches is blanked, and changes apply to the next picture."""

from __future__ import annotations

import numpy as np
import pytest

from common.masks import Masks, make_masks
from ingest.cameras import CameraPolicy
from ingest.policy import BLANK, PolicyInForce, draw_masks

GRAY = np.full((120, 200), 77, np.uint8)


def policy_of(*regions: object) -> PolicyInForce:
    return PolicyInForce(CameraPolicy(make_masks(regions)))  # type: ignore[arg-type]


def test_a_rectangle_is_blanked_and_the_rest_stays() -> None:
    blanked = policy_of([0.25, 0.5, 0.5, 0.25]).blank(GRAY)
    assert (blanked[60:90, 50:150] == BLANK).all()
    assert (blanked[:58] == 77).all()
    assert (blanked[92:] == 77).all()
    assert (blanked[:, :48] == 77).all()
    assert (blanked[:, 152:] == 77).all()
    assert (GRAY == 77).all(), "the given picture is not changed"


def test_without_masks_a_picture_is_not_copied() -> None:
    assert policy_of().blank(GRAY) is GRAY


def test_a_mask_of_the_whole_picture_leaves_nothing() -> None:
    assert not policy_of([0, 0, 1, 1]).blank(GRAY).any()


@pytest.mark.parametrize("seed", range(5))
def test_no_pixel_with_a_part_inside_of_a_mask_is_left(seed: int) -> None:
    """Compared with points of a fine grid, by the even-odd rule."""
    dice = np.random.default_rng(seed)
    angles = np.sort(dice.uniform(0, 2 * np.pi, 7))
    radii = dice.uniform(0.15, 0.45, 7)
    points = np.stack([0.5 + radii * np.cos(angles), 0.5 + radii * np.sin(angles)], 1)
    masks = make_masks([[tuple(point) for point in points.tolist()]])
    shape = (37, 53)
    fine = 8
    y, x = np.mgrid[0 : shape[0] * fine, 0 : shape[1] * fine] + 0.5
    inside = is_inside(x / (shape[1] * fine), y / (shape[0] * fine), masks)
    touched = inside.reshape(shape[0], fine, shape[1], fine).any(axis=(1, 3))
    drawn = draw_masks(masks, shape) == BLANK
    assert touched.sum() > 50
    assert not (touched & ~drawn).any()
    assert drawn.sum() < touched.sum() * 1.5


def is_inside(x: np.ndarray, y: np.ndarray, masks: Masks) -> np.ndarray:
    (polygon,) = masks
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        crosses = (ay > y) != (by > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    return inside


def test_a_changed_policy_applies_to_the_next_picture_of_any_size() -> None:
    policy = policy_of([0, 0, 0.5, 1])
    assert not policy.blank(GRAY)[:, :100].any()
    assert not policy.blank(GRAY[:60, :100])[:, :50].any()
    policy.policy = CameraPolicy(make_masks([[0.5, 0, 0.5, 1]]))
    blanked = policy.blank(GRAY)
    assert (blanked[:, :98] == 77).all()
    assert not blanked[:, 100:].any()
    policy.policy = CameraPolicy()
    assert policy.blank(GRAY) is GRAY
