"""Random views: of the right square, alike for the same seed, and blended where wanted."""

from __future__ import annotations

import numpy as np
import pytest

from training.classifier.augment import UNREST, VIEW, blend, degrade, erase, plain, views


def squares(n: int, x: float, y: float, side: float) -> np.ndarray:
    return np.tile(np.array([x, y, side], np.float32), (n, 1))


def test_views_depend_on_the_seed_alone() -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, 60, 60)).astype(np.uint8)
    around = squares(16, 30, 30, 48)
    first, second, other = (views(images, around, 48, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.shape == (16, 48, 48)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_views_show_the_square_and_little_else() -> None:
    """A face lights the middle of its square; views keep it in the middle, whatever lies elsewhere."""
    images = np.zeros((200, 96, 96), np.uint8)
    images[:, 50:70, 20:40] = 255
    seen = views(images, squares(200, 30, 60, 40), 48, np.random.default_rng(0)).astype(float)
    light = seen - seen.min(axis=(1, 2), keepdims=True)
    rows = np.arange(48) - 23.5
    weight = light.sum(axis=(1, 2))
    down = (light.sum(axis=2) * rows).sum(axis=1) / weight
    right = (light.sum(axis=1) * rows).sum(axis=1) / weight
    moved = np.hypot(down, right)
    assert np.median(moved) < 48 * VIEW.shift
    assert abs(down.mean()) < 1
    assert abs(right.mean()) < 1


def test_half_of_the_views_are_mirrored_and_none_is_upside_down() -> None:
    images = np.zeros((400, 48, 48), np.uint8)
    images[:, :24] += 100
    images[:, :, :24] += 100
    seen = views(images, squares(400, 24, 24, 48), 48, np.random.default_rng(1)).astype(float)
    left, right = seen[:, :, :24].mean(axis=(1, 2)), seen[:, :, 24:].mean(axis=(1, 2))
    top, bottom = seen[:, :24].mean(axis=(1, 2)), seen[:, 24:].mean(axis=(1, 2))
    assert 0.4 < (left > right).mean() < 0.6
    assert (top > bottom).mean() > 0.95


def test_the_jitter_covers_what_a_detector_does_to_its_boxes() -> None:
    assert np.rad2deg(VIEW.rotation) == pytest.approx(15)
    assert (VIEW.shift, VIEW.zoom) == (0.10, 1.25)


def test_a_picture_without_freedom_is_the_square_itself() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48)).astype(np.uint8)
    assert np.array_equal(plain(images, squares(4, 24, 24, 48), 48, np.random.default_rng(0)), images)


def test_the_frames_of_a_clip_are_near_one_another_and_not_alike() -> None:
    """The middle of a light moves from frame to frame, by no more than the unrest allows."""
    y, x = np.mgrid[0:96, 0:96]
    light = 255 * np.exp(-((x - 48) ** 2 + (y - 48) ** 2) / 200)
    images = np.tile(light.astype(np.uint8), (60, 1, 1))
    for make in (views, plain):
        seen = make(images, squares(60, 48, 48, 72), 48, np.random.default_rng(2), 3)
        assert seen.shape == (60, 3, 48, 48)
        assert not np.array_equal(seen[:, 0], seen[:, 1])
    weight = seen.sum(axis=(2, 3)).astype(float)
    right = (seen.sum(axis=2) * np.arange(48)).sum(axis=2) / weight
    assert np.abs(right[:, 0] - right[:, 1]).max() < 48 * 2.5 * UNREST.shift
    assert np.abs(right - 23.5).max() > 0.5


def test_degrading_takes_detail_and_keeps_the_picture() -> None:
    checks = (np.indices((48, 48)).sum(axis=0) % 2 * 255).astype(np.uint8)
    rng = np.random.default_rng(0)
    kept = 0
    for _ in range(200):
        view = checks.copy()
        degrade(view, rng)
        kept += np.array_equal(view, checks)
        assert view.mean() == pytest.approx(127.5, abs=12)
    assert 90 < kept < 150


def test_erasing_paints_one_even_rectangle() -> None:
    noise = np.random.default_rng(0).integers(1, 255, (48, 48)).astype(np.uint8)
    view = noise.copy()
    erase(view, np.random.default_rng(1))
    rows, columns = np.nonzero(view != noise)
    painted = view[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert len(np.unique(painted)) == 1
    assert painted.size >= 16


def test_blending_mixes_pictures_and_targets_alike() -> None:
    n = 50
    pictures = np.eye(n, dtype=np.float32).reshape(n, n, 1, 1)
    targets = {"labels": np.eye(n, dtype=np.float32), "none": np.zeros((n, 2), np.float32)}
    mixed, found = blend(pictures, targets, 0.5, np.random.default_rng(0))
    assert np.array_equal(mixed[:, :, 0, 0], found["labels"])
    assert found["labels"].sum(axis=1) == pytest.approx(np.ones(n))
    assert (found["labels"] > 0).sum(axis=1).max() == 2
    assert not found["none"].any()


def test_alpha_zero_blends_nothing() -> None:
    pictures = np.ones((2, 4, 4, 1), np.float32)
    targets = {"labels": np.eye(2, dtype=np.float32)}
    assert blend(pictures, targets, 0.0, np.random.default_rng(0)) == (pictures, targets)
