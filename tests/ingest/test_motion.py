"""The motion gate: movement passes at once, a still scene a few times a minute, whatever the noise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.motion import HEARTBEAT_S, HOLD_S, MotionGate

Picture = NDArray[np.uint8]
FPS = 5
SETTLED = 10 * FPS
"""Pictures after which the gate knows the scene."""


def make_shop() -> NDArray[np.float32]:
    """A place with shelves: (180, 320)."""
    tiles = np.random.default_rng(3).uniform(30, 220, (18, 32)).astype(np.float32)
    return np.asarray(cv2.resize(tiles, (320, 180), interpolation=cv2.INTER_NEAREST), np.float32)


SHOP = make_shop()
NOISE = np.random.default_rng(5).normal(0, 1, (19, *SHOP.shape))


def record(scene: NDArray[np.float32], number: int, noise: float = 2.0, quality: int = 85) -> Picture:
    """What a camera delivers of a scene: with noise of its own, as JPEG."""
    noisy = scene + noise * NOISE[number % len(NOISE)]
    code = cv2.imencode(
        ".jpg", noisy.round().clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return np.asarray(cv2.imdecode(code[1], cv2.IMREAD_GRAYSCALE), np.uint8)


def passed(picture: Callable[[int], Picture], count: int, fps: float = FPS) -> list[bool]:
    """Whether each of these pictures passes."""
    gate = MotionGate()
    return [gate.select(picture(number), number / fps) for number in range(count)]


def with_head(number: int, shift: float, noise: float = 2.0) -> Picture:
    """Somebody who sits: a head of 24 pixels on shoulders."""
    scene = SHOP.round().astype(np.uint8)
    x, y = 150 + shift, 90.0
    for right, down, width, height, grey in (
        (0, 40, 60, 50, 60),
        (0, 0, 22, 28, 190),
        (-5, -3, 4, 3, 60),
        (5, -3, 4, 3, 60),
    ):
        centre, axes = (x + right) * 16, (y + down) * 16
        cv2.ellipse(
            scene, (round(centre), round(axes)), (width * 8, height * 8), 0, 0, 360, grey, -1, cv2.LINE_AA, 4
        )
    return record(scene.astype(np.float32), number, noise)


@pytest.mark.parametrize("noise", [0, 2, 4])
@pytest.mark.parametrize("quality", [50, 85])
def test_a_still_scene_costs_less_than_a_tenth(noise: float, quality: int) -> None:
    result = passed(lambda number: record(SHOP, number, noise, quality), SETTLED + 300)
    assert result[0]
    assert 0 < np.mean(result[SETTLED:]) <= 0.1


def test_a_change_of_light_is_no_movement() -> None:
    def scene(number: int) -> Picture:
        along = np.linspace(0.9, 1.1, SHOP.shape[1], dtype=np.float32)
        return record(SHOP * (0.9 + 0.1 * np.sin(number / 40) * along), number)

    assert np.mean(passed(scene, SETTLED + 300)[SETTLED:]) <= 0.1


@pytest.mark.parametrize("steps", [1.0, 3.0])
def test_somebody_who_appears_passes_at_once(steps: float) -> None:
    def scene(number: int) -> Picture:
        return record(SHOP, number) if number < SETTLED else with_head(number, steps * (number - SETTLED))

    assert all(passed(scene, SETTLED + 20)[SETTLED:])


@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_somebody_who_sits_and_sways_keeps_the_gate_open(noise: float) -> None:
    """The head sways by less than a tenth of its size."""

    def scene(number: int) -> Picture:
        if number < SETTLED:
            return record(SHOP, number, noise)
        return with_head(number, 2 * np.sin(number / 3), noise)

    assert np.mean(passed(scene, SETTLED + 200)[SETTLED:]) > 0.8


def test_a_key_frame_that_changes_the_whole_picture_a_little_is_no_movement() -> None:
    def scene(number: int) -> Picture:
        pumped = SHOP + 6 * NOISE[number // 8 % 7].clip(-2, 2)
        return record(pumped, number, noise=0)

    assert np.mean(passed(scene, SETTLED + 300)[SETTLED:]) <= 0.1


def test_after_a_movement_the_gate_stays_open_for_a_while() -> None:
    def scene(number: int) -> Picture:
        return with_head(number, 8.0 if number >= SETTLED else 0.0)

    result = passed(scene, SETTLED + 40)[SETTLED:]
    hold = round(HOLD_S * FPS)
    assert all(result[:hold])
    assert not any(result[hold + 1 : hold + 5])


def test_a_still_scene_is_published_every_few_seconds() -> None:
    result = passed(lambda number: record(SHOP, number), 300)
    gaps = np.diff(np.flatnonzero(result))
    assert gaps.max() <= HEARTBEAT_S * FPS
    rare = passed(lambda number: record(SHOP, number), 30, fps=0.2)
    assert all(rare), "at a low rate every picture is one of these"


def test_the_time_in_the_picture_is_no_movement() -> None:
    """A camera that writes the time with seconds at the top."""

    def scene(number: int) -> Picture:
        text = f"12:{number // FPS // 60:02d}:{number // FPS % 60:02d}"
        dated = SHOP.round().astype(np.uint8)
        cv2.putText(dated, text, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1)
        return record(dated.astype(np.float32), number)

    assert np.mean(passed(scene, 600)[300:]) <= 0.1


def test_another_size_and_an_earlier_time_pass() -> None:
    gate = MotionGate()
    assert gate.select(record(SHOP, 0), 100)
    assert gate.select(np.zeros((48, 64), np.uint8), 100.2)
    assert gate.select(np.zeros((48, 64), np.uint8), 5)


def test_pictures_may_be_tiny() -> None:
    assert passed(lambda _: np.zeros((1, 1), np.uint8), 3) == [True] * 3
