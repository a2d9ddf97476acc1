"""Pieces of photographs: boxes stay on what they mark, however a piece is cut."""

from __future__ import annotations

import numpy as np
import pytest

from training.detector.samples import crop
from training.detector.scenes import Scene
from training.detector.synthesis import Synthesis


def with_light(box: tuple[int, int, int, int], score: float) -> Scene:
    """A dark photograph of 400 x 400 pixels with a bright rectangle that fills its box."""
    x, y, w, h = box
    picture = np.zeros((400, 400), np.uint8)
    picture[y : y + h, x : x + w] = 255
    scores = np.full(1, score, np.float32)
    return Scene("a", picture, np.array([box], np.float32), scores == 1, scores)


class Straight(np.random.Generator):
    """Draws the middle of every range: nothing is turned or stretched."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def random(self, *args: object, **kwargs: object) -> float:
        return 0.9

    def uniform(self, low: float, high: float, *args: object) -> float:
        return (low + high) / 2


@pytest.mark.parametrize("zoom", [0.4, 1.0, 2.0, 2.5])
def test_a_square_fills_its_box(zoom: float) -> None:
    scene = with_light((150, 180, 40, 40), 1.0)
    sample = crop(scene, 256, 256, zoom, (170.0, 200.0), (120.0, 128.0), Straight())
    ((x, y, w, h),) = sample.boxes
    assert (x, y, w, h) == pytest.approx((120 - 20 * zoom, 128 - 20 * zoom, 40 * zoom, 40 * zoom))
    light = sample.pixels.astype(float)
    # Pixel i reaches from i to i + 1, as boxes count.
    middle = [float(light.sum(axis) @ (np.arange(256) + 0.5) / light.sum()) for axis in (0, 1)]
    assert middle == pytest.approx([x + w / 2, y + h / 2], abs=0.1)


def test_a_place_that_may_be_a_face_is_not_turned_away_from_its_box() -> None:
    """A photograph without faces is turned by a quarter at times, but for one with a weak mark."""
    marked, face = with_light((300, 60, 60, 60), 0.05), with_light((90, 80, 40, 50), 1.0)
    synthesis = Synthesis([face] * 30 + [marked], [], [], 256)
    synthesis.groceries = [marked]
    samples = [synthesis._empty(np.random.default_rng(seed)) for seed in range(60)]
    seen = [
        sample.pixels[round(y + h / 2), round(x + w / 2)]
        for sample in samples
        for x, y, w, h in sample.boxes
        if x >= 0 and x + w <= 256 and y >= 0 and y + h <= 256
    ]
    assert len(seen) > 5
    assert min(seen) > 200
