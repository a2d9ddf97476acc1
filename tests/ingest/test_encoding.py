"""Frame encoding: luminance, scaled down, as baseline JPEG."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.encoding import encode_jpeg, to_gray
from media.images import BUS_FRAME, decode_gray, open_picture


def scene(height: int = 90, width: int = 160) -> NDArray[np.uint8]:
    noise = np.random.default_rng(2).integers(0, 255, (height, width, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)


def test_the_luminance_of_colour_and_grey_pictures() -> None:
    color = scene()
    expected = color.astype(np.float64) @ [0.114, 0.587, 0.299]
    assert np.abs(to_gray(color, 1280) - expected).max() <= 1
    gray = to_gray(color, 1280)
    assert np.array_equal(to_gray(gray, 1280), gray)


@pytest.mark.parametrize(
    ("size", "scaled"), [((90, 160), (45, 80)), ((160, 90), (80, 45)), ((60, 80), (60, 80))]
)
def test_the_longest_side_is_bounded_and_nothing_is_enlarged(
    size: tuple[int, int], scaled: tuple[int, int]
) -> None:
    gray = to_gray(scene(*size), 80)
    assert gray.shape == scaled
    assert abs(float(gray.mean()) - float(to_gray(scene(*size), 1280).mean())) < 1


def test_an_encoded_picture_is_a_grey_baseline_jpeg() -> None:
    gray = to_gray(scene(), 1280)
    data = encode_jpeg(gray, 90)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert decoded.shape == gray.shape
    assert cv2.PSNR(decoded, gray) > 35
    assert open_picture(data, BUS_FRAME)[1] == "JPEG"


def test_workers_accept_what_is_encoded() -> None:
    gray = to_gray(scene(), 1280)
    assert decode_gray(encode_jpeg(gray, 85), BUS_FRAME).shape == gray.shape


@pytest.mark.parametrize("longest_side", [16, 320, 1280, 3840, 4096])
@pytest.mark.parametrize("size", [(3000, 4000), (4096, 4096), (270, 4000), (270, 9000), (2160, 3840), (9, 9)])
def test_every_longest_side_gives_a_frame_that_workers_accept(
    longest_side: int, size: tuple[int, int]
) -> None:
    gray = to_gray(np.zeros(size, np.uint8), longest_side)
    assert decode_gray(encode_jpeg(gray, 85), BUS_FRAME).shape == gray.shape


def test_a_panorama_keeps_as_many_pixels_as_an_ordinary_picture() -> None:
    height, width = to_gray(np.zeros((270, 4000), np.uint8), 1280).shape
    assert height * width == pytest.approx(1280 * 720, rel=0.01)
    assert to_gray(np.zeros((270, 9000), np.uint8), 4096).shape == (123, 4096)


def test_a_picture_too_large_for_the_bus_gets_a_lower_quality() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1800, 1800)).astype(np.uint8)
    data = encode_jpeg(noise, 100)
    assert len(data) <= BUS_FRAME.bytes < len(cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 100])[1])
    assert decode_gray(data, BUS_FRAME).shape == noise.shape
