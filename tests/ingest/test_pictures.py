"""Pictures on their way to the bus, and pictures that are refused."""

from __future__ import annotations

from contextlib import suppress

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.errors import BadPicture
from ingest.pictures import decode_gray, encode_jpeg, to_gray


def scene(height: int = 90, width: int = 160) -> NDArray[np.uint8]:
    noise = np.random.default_rng(2).integers(0, 255, (height, width, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)


def jpeg(*options: int) -> bytes:
    return cv2.imencode(".jpg", scene(), list(options))[1].tobytes()


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


def test_an_encoded_picture_is_a_grey_jpeg() -> None:
    gray = to_gray(scene(), 1280)
    data = encode_jpeg(gray, 90)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert decoded.shape == gray.shape
    assert cv2.PSNR(decoded, gray) > 35


@pytest.mark.parametrize(
    "options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 4)]
)
def test_a_jpeg_is_decoded(options: tuple[int, ...]) -> None:
    assert decode_gray(jpeg(*options)).shape == (90, 160)
    assert decode_gray(jpeg(*options) + b"\r\n" * 20).shape == (90, 160), "cameras pad their pictures"


def test_a_png_is_decoded() -> None:
    assert decode_gray(cv2.imencode(".png", scene())[1].tobytes()).shape == (90, 160)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a picture: 0 bytes"),
        (b"<html>", "not a picture"),
        (b"\xff\xd8", "ends within its header"),
        (b"\xff\xd8\xff\xe0\xff\xff", "ends within its header"),
        (b"\xff\xd8 no picture", "header is damaged at byte 2"),
        (jpeg()[:-100], "in the midst of the picture"),
    ],
)
def test_what_is_no_whole_picture_is_refused(
    data: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadPicture, match=message):
        decode_gray(data)
    assert capfd.readouterr().err == ""


def test_an_absurdly_large_jpeg_is_refused_before_it_is_decoded() -> None:
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\xdc\xff\xdc"
    with pytest.raises(BadPicture, match="65500 x 65500 pixels"):
        decode_gray(bytes(data))


def test_damaged_pictures_never_raise_anything_else() -> None:
    random = np.random.default_rng(3)
    whole = jpeg()
    for _ in range(400):
        data = bytearray(whole)
        for at in random.integers(0, 700, random.integers(1, 8)):
            data[at] = random.integers(0, 256)
        with suppress(BadPicture):
            assert decode_gray(bytes(data)).dtype == np.uint8
