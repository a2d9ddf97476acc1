"""Random views: centred on their square, deterministic for a seed, blended by mixup."""

from __future__ import annotations

import numpy as np
import pytest

from training.classifier.augment import (
    FRAME_JITTER,
    VIEW_JITTER,
    degrade,
    erase,
    mix_up,
    plain_views,
    random_views,
)


def squares(n: int, x: float, y: float, side: float) -> np.ndarray:
    return np.tile(np.array([x, y, side], np.float32), (n, 1))


def test_views_depend_only_on_the_seed() -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, 60, 60)).astype(np.uint8)
    around = squares(16, 30, 30, 48)
    first, second, other = (
        random_views(images, around, 48, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert first.shape == (16, 48, 48)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_views_are_centred_on_the_square() -> None:
    """The centre of a bright face stays near the centre of the views."""
    images = np.zeros((200, 96, 96), np.uint8)
    images[:, 50:70, 20:40] = 255
    seen = random_views(images, squares(200, 30, 60, 40), 48, np.random.default_rng(0)).astype(float)
    light = seen - seen.min(axis=(1, 2), keepdims=True)
    rows = np.arange(48) - 23.5
    weight = light.sum(axis=(1, 2))
    down = (light.sum(axis=2) * rows).sum(axis=1) / weight
    right = (light.sum(axis=1) * rows).sum(axis=1) / weight
    moved = np.hypot(down, right)
    assert np.median(moved) < 48 * VIEW_JITTER.shift
    assert abs(down.mean()) < 1
    assert abs(right.mean()) < 1


def test_half_of_the_views_are_mirrored_and_none_is_upside_down() -> None:
    images = np.zeros((400, 48, 48), np.uint8)
    images[:, :24] += 100
    images[:, :, :24] += 100
    seen = random_views(images, squares(400, 24, 24, 48), 48, np.random.default_rng(1)).astype(float)
    left, right = seen[:, :, :24].mean(axis=(1, 2)), seen[:, :, 24:].mean(axis=(1, 2))
    top, bottom = seen[:, :24].mean(axis=(1, 2)), seen[:, 24:].mean(axis=(1, 2))
    assert 0.4 < (left > right).mean() < 0.6
    assert (top > bottom).mean() > 0.95


def test_the_jitter_covers_the_inaccuracy_of_detector_boxes() -> None:
    assert np.rad2deg(VIEW_JITTER.rotation) == pytest.approx(15)
    assert (VIEW_JITTER.shift, VIEW_JITTER.zoom) == (0.10, 1.25)


def test_a_plain_view_is_the_unchanged_square() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48)).astype(np.uint8)
    assert np.array_equal(plain_views(images, squares(4, 24, 24, 48), 48, np.random.default_rng(0)), images)


def test_the_frames_of_a_clip_differ_slightly() -> None:
    """The centre of a light moves from frame to frame, within the jitter."""
    y, x = np.mgrid[0:96, 0:96]
    light = 255 * np.exp(-((x - 48) ** 2 + (y - 48) ** 2) / 200)
    images = np.tile(light.astype(np.uint8), (60, 1, 1))
    for make in (random_views, plain_views):
        seen = make(images, squares(60, 48, 48, 72), 48, np.random.default_rng(2), 3)
        assert seen.shape == (60, 3, 48, 48)
        assert not np.array_equal(seen[:, 0], seen[:, 1])
    weight = seen.sum(axis=(2, 3)).astype(float)
    right = (seen.sum(axis=2) * np.arange(48)).sum(axis=2) / weight
    assert np.abs(right[:, 0] - right[:, 1]).max() < 48 * 2.5 * FRAME_JITTER.shift
    assert np.abs(right - 23.5).max() > 0.5


def test_degrading_removes_detail_and_keeps_the_mean() -> None:
    checks = (np.indices((48, 48)).sum(axis=0) % 2 * 255).astype(np.uint8)
    rng = np.random.default_rng(0)
    kept = 0
    for _ in range(200):
        view = checks.copy()
        degrade(view, rng)
        kept += np.array_equal(view, checks)
        assert view.mean() == pytest.approx(127.5, abs=12)
    assert 90 < kept < 150


def test_erasing_fills_one_rectangle() -> None:
    noise = np.random.default_rng(0).integers(1, 255, (48, 48)).astype(np.uint8)
    view = noise.copy()
    erase(view, np.random.default_rng(1))
    rows, columns = np.nonzero(view != noise)
    painted = view[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert len(np.unique(painted)) == 1
    assert painted.size >= 16


def test_a_quarter_of_the_views_is_partly_covered() -> None:
    images = np.random.default_rng(0).integers(20, 236, (400, 48, 48)).astype(np.uint8)
    seen = random_views(images, squares(400, 24, 24, 48), 48, np.random.default_rng(1))
    windows = np.lib.stride_tricks.sliding_window_view(seen, (6, 6), axis=(1, 2))
    covered = (np.ptp(windows, axis=(3, 4)) == 0).any(axis=(1, 2))
    assert 0.15 < covered.mean() < 0.35


def test_mixup_blends_pictures_and_targets_equally() -> None:
    n = 50
    pictures = np.eye(n, dtype=np.float32).reshape(n, n, 1, 1)
    targets = {"labels": np.eye(n, dtype=np.float32), "none": np.zeros((n, 2), np.float32)}
    mixed, found = mix_up(pictures, targets, 0.5, np.random.default_rng(0))
    assert np.array_equal(mixed[:, :, 0, 0], found["labels"])
    assert found["labels"].sum(axis=1) == pytest.approx(np.ones(n))
    assert (found["labels"] > 0).sum(axis=1).max() == 2
    assert not found["none"].any()


def test_mixup_with_alpha_zero_changes_nothing() -> None:
    pictures = np.ones((2, 4, 4, 1), np.float32)
    targets = {"labels": np.eye(2, dtype=np.float32)}
    assert mix_up(pictures, targets, 0.0, np.random.default_rng(0)) == (pictures, targets)
