"""Synthetic visitors: position and size of the faces, and their detections."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.detector import Detector
from ingest.demo.sheet import load_sheet
from training.measure.visitors import FRAMES, GAITS, PER_SECOND, SIDE, Gait, make_clip, sightings


def heads(count: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pictures (n, 96, 96) of the demo's heads on grey, and the squares around their faces."""
    sheet, images = load_sheet(), []
    for head in sheet.heads[:count]:
        alpha = head.alpha / 255
        picture = (alpha * head.luminance + (1 - alpha) * 128).astype(np.uint8)
        images.append(cv2.resize(picture, (96, 96), interpolation=cv2.INTER_AREA))
    height, width = sheet.heads[0].luminance.shape
    x, y = sheet.eyes[0] * 96 / width, sheet.eyes[1] * 96 / height
    return np.stack(images), np.tile(np.array([x, y + 8, 50], np.float32), (count, 1))


def centre(picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Of what is bright, in pixels."""
    y, x = np.nonzero(picture > 180)
    return float(x.mean() + 0.5), float(y.mean() + 0.5)


@pytest.mark.parametrize("side", [20.0, 60.0])
def test_the_face_is_at_the_reported_position(side: float) -> None:
    """A bright square instead of a face, small or large in its picture, rotated or not."""
    image = np.zeros((96, 96), np.uint8)
    half = round(side) // 4
    image[50 - half : 50 + half, 40 - half : 40 + half] = 255
    square = np.array([40, 50, side], np.float32)
    gait = Gait(first=(30, 30), last=(40, 40))
    frames = [
        frame
        for seed in range(4)
        for frame in make_clip(image, square, gait, np.random.default_rng(seed))
        if (frame[0] > 180).sum() > 50
    ]
    assert len(frames) > 2 * FRAMES
    off = [np.subtract(centre(picture), (x, y)) for picture, x, y, _ in frames]
    assert np.abs(np.median(off, axis=0)).max() < 0.5


def test_a_face_that_walks_up_grows_as_at_constant_speed_and_a_standing_one_does_not() -> None:
    image, square = np.full((96, 96), 90, np.uint8), np.array([48, 48, 60], np.float32)
    sizes = {
        name: np.array([frame[3] for frame in make_clip(image, square, gait, np.random.default_rng(1))])
        for name, gait in GAITS.items()
    }
    assert np.ptp(sizes["stands"]) < 1e-9
    assert 12 <= sizes["walks up"][0] <= 16
    assert 24 <= sizes["walks up"][-1] <= 44
    np.testing.assert_allclose(np.diff(1 / sizes["walks up"], 2), 0, atol=1e-12)


def test_frames_depend_only_on_the_seed() -> None:
    images, squares = heads(1)

    def frames(seed: int) -> NDArray[np.uint8]:
        gait = GAITS["walks up"]
        return np.stack([f[0] for f in make_clip(images[0], squares[0], gait, np.random.default_rng(seed))])

    assert frames(1).shape == (FRAMES, SIDE, SIDE)
    assert np.array_equal(frames(1), frames(1))
    assert not np.array_equal(frames(1), frames(2))


def test_the_detector_finds_near_visitors_more_often() -> None:
    images, squares = heads(6)
    # From so far away that the first faces are too small for the detector.
    seen = sightings(images, squares, Detector(), 48, Gait(first=(5, 7), last=(24, 44)), seed=1)
    assert set(seen.clips.tolist()) == set(range(6))
    assert np.all(np.diff(seen.clips * 100 + seen.times) > 0)
    assert seen.crops.shape == (len(seen.clips), 48, 48)
    assert seen.scores.min() >= Detector().levels.weak
    late = seen.times >= FRAMES / 2 / PER_SECOND
    assert late.sum() > (~late).sum()
    assert seen.sizes[late].mean() > 1.3 * seen.sizes[~late].mean()


def test_without_a_face_there_is_no_detection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.measure.visitors.COVERED", 0.0)
    grey, square = np.full((2, 96, 96), 128, np.uint8), np.array([[48, 48, 60]] * 2, np.float32)
    seen = sightings(grey, square, Detector(), 48, GAITS["stands"], seed=1)
    assert seen.crops.shape == (0, 48, 48)
    assert len(seen.clips) == len(seen.times) == len(seen.scores) == len(seen.sizes) == 0
