"""Decoding of pictures: valid ones keep their content, all others are refused with a clear error."""

from __future__ import annotations

import io
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from media.errors import ImageError
from media.images import (
    BUS_FRAME,
    CAMERA_PICTURE,
    PICTURE_FILE,
    Limits,
    decode_color,
    decode_gray,
    open_picture,
    read_color,
    read_gray,
)
from media.jpeg import MOST_SCANS
from tests.media.bombs import jpeg_of_size, jpeg_with_scans, png_header, segment, tiff

Picture = NDArray[np.uint8]
HEIGHT, WIDTH = 60, 80
_LAST_BLOCK = 9
"""Bytes at the end of a JPEG without which at most its last block differs."""


@pytest.fixture(scope="module")
def scene() -> Picture:
    """A picture without symmetry: blurred noise, brighter to the right."""
    noise = np.random.default_rng(7).integers(0, 255, (HEIGHT, WIDTH)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 3) * 0.5 + np.linspace(0, 120, WIDTH)
    return noise.clip(0, 255).astype(np.uint8)


def encode(extension: str, picture: NDArray[np.generic], *options: int) -> bytes:
    if extension == ".gif":
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "GIF")
        return buffer.getvalue()
    done, data = cv2.imencode(extension, picture, list(options))
    assert done
    return np.asarray(data).tobytes()


def jpeg(picture: Picture, *options: int) -> bytes:
    return encode(".jpg", picture, cv2.IMWRITE_JPEG_QUALITY, 95, *options)


def with_orientation(data: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF segment with its orientation."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tiff", ".webp", ".gif"])
def test_lossless_formats_keep_every_pixel(extension: str, scene: Picture) -> None:
    options = (cv2.IMWRITE_WEBP_QUALITY, 101) if extension == ".webp" else ()
    gray = decode_gray(encode(extension, cv2.merge([scene] * 3), *options), PICTURE_FILE)
    assert gray.dtype == np.uint8
    assert gray.shape == (HEIGHT, WIDTH)
    tolerance = 20 if extension == ".gif" else 1
    assert np.abs(gray.astype(int) - scene).max() <= tolerance


def test_jpeg_grey_and_colour_are_the_same_picture(scene: Picture) -> None:
    data = jpeg(cv2.merge([scene, scene // 2, 255 - scene]))
    gray = decode_gray(data)
    color = decode_color(data)
    assert color.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(cv2.cvtColor(color, cv2.COLOR_BGR2GRAY).astype(int) - gray).mean() < 1
    assert color[..., 2].mean() > color[..., 1].mean()


@pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp", ".tiff", ".webp", ".gif"])
def test_headers_announce_what_is_decoded(extension: str, scene: Picture) -> None:
    image, _ = open_picture(encode(extension, scene), PICTURE_FILE)
    assert image.size == (WIDTH, HEIGHT)


def test_sixteen_bits_become_eight(scene: Picture) -> None:
    for extension in (".png", ".tiff"):
        deep = scene.astype(np.uint16) * 257
        assert np.abs(decode_gray(encode(extension, deep), PICTURE_FILE).astype(int) - scene).max() <= 1


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_transparency_becomes_white(depth: type[np.unsignedinteger], scene: Picture) -> None:
    white = int(np.iinfo(depth).max)
    alpha = np.zeros((HEIGHT, WIDTH), depth)
    alpha[:, 40:] = white
    alpha[:, 79] = white // 2
    deep = scene.astype(depth) * depth(white // 255)
    gray = decode_gray(encode(".png", cv2.merge([deep, deep, deep, alpha])), PICTURE_FILE)
    assert (gray[:, :40] == 255).all()
    assert np.abs(gray[:, 40:79].astype(int) - scene[:, 40:79]).max() <= 1
    assert np.abs(gray[:, 79] - (scene[:, 79] / 2 + 127.5)).max() <= 2


def test_the_orientation_in_exif_is_applied(scene: Picture) -> None:
    plain = decode_gray(jpeg(scene))
    turned = with_orientation(jpeg(scene), 6)
    assert np.array_equal(decode_gray(turned), np.rot90(plain, -1))
    assert np.array_equal(decode_color(turned)[..., 0], np.rot90(plain, -1))


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_truncated_jpeg_is_refused_wherever_it_ends(progressive: int, scene: Picture) -> None:
    data = jpeg(scene, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    for length in range(len(data) - _LAST_BLOCK):
        with pytest.raises(ImageError):
            decode_gray(data[:length], CAMERA_PICTURE)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("behind", [b"", b"\xff", bytes(700), b"\r\n\r\n"])
def test_a_jpeg_without_an_end_marker_is_whole(progressive: int, behind: bytes, scene: Picture) -> None:
    data = jpeg(scene, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    assert np.array_equal(decode_gray(data[:-2] + behind, CAMERA_PICTURE), decode_gray(data, CAMERA_PICTURE))


@pytest.mark.parametrize("progressive", [0, 1])
def test_padding_does_not_make_a_truncated_jpeg_whole(progressive: int, scene: Picture) -> None:
    data = jpeg(scene, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    for length in (len(data) // 2, 3 * len(data) // 4, len(data) - 60):
        with pytest.raises(ImageError):
            decode_gray(data[:length] + bytes(4096), CAMERA_PICTURE)


@pytest.mark.parametrize("stray", [b"\r\n", b"\0\0\0", b"\n"])
def test_stray_bytes_before_a_jpeg_and_between_its_segments_are_passed_over(
    stray: bytes, scene: Picture
) -> None:
    data = with_orientation(jpeg(scene), 1)
    at = data.index(b"\xff\xdb")
    for changed in (stray + data, data[:at] + stray + data[at:]):
        assert np.array_equal(decode_gray(changed, CAMERA_PICTURE), decode_gray(data))


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tiff", ".webp", ".gif"])
def test_other_formats_are_refused_when_cut_in_half(extension: str, scene: Picture, tmp_path: Path) -> None:
    path = tmp_path / f"cut{extension}"
    data = encode(extension, scene)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError):
        read_gray(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty file"),
        (b"file,age,gender\n", "not a picture: it begins with b'file', expected JPEG, PNG"),
        (b"\xff\xd8", "not a picture"),
        (b"\xff\xd8\xff\xe0\xff\xff", "damaged JPEG, or of a kind that is not supported: Truncated"),
        (b"\xff\xd8 no picture", "not a picture"),
        (b"\xff\xd8\xff\xe0\0\0" * 9, "damaged JPEG.*: its header has no size"),
        (b"\xff\xd8\xff\xd9", "damaged JPEG.*: its header has no size"),
        (b"\xff\xd8" + b"\xff" * 100_000, "damaged JPEG.*: its header has no size"),
        (b"\xff\xd8\xff\xda\0\2", "damaged JPEG.*: its header has no size"),
        (b"\xff\xd8" + segment(0xC0, struct.pack(">BHHB", 8, 9, 9, 1)) * 2, "JPEG"),
        (b"\xff\xd8" + segment(0xC0, struct.pack(">BHHB", 8, 9, 9, 2)), "cannot handle 2-layer images"),
        (b"\xff\xd8" + segment(0xC0, struct.pack(">BHHB", 12, 9, 9, 1)), "cannot handle 12-bit layers"),
        (png_header(9, 9)[:20], "damaged PNG.*: Truncated File Read"),
        (png_header(9, 9), "damaged PNG.*: it ends within its header"),
        (b"\x89PNG\r\n\x1a\n" + png_header(9, 9)[8:].replace(b"IHDR", b"IDAT"), "damaged PNG.*: broken PNG"),
        (b"RIFF\0\0\0\0WEBPVP9 ", "unknown chunk"),
        (b"RIFF\0\0\0\0AVI LIST", "not a picture"),
        (b"RIFF\xff\0\0\0WEBPVP8 ", "truncated WebP: 16 bytes"),
        (b"II*\0\xff\xff\xff\x7f", "damaged TIFF"),
        (tiff({256: 9, 257: 9, 259: 34712}), "TIFF.* not supported: 34712 is not a known value"),
        (tiff({256: 9, 257: 9, 277: 200}), "TIFF.* not supported: Invalid value for samples per pixel"),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 0, 9) + bytes(40), "damaged BMP"),
        (b"\0\0\0\x1cftypavif" + bytes(40), "AVIF: expected JPEG"),
        (b"\0\0\0\x1cftypheic" + bytes(40), "HEIC: expected JPEG"),
        (b"\xff\x0a" + bytes(40), "JPEG XL: expected JPEG"),
    ],
)
def test_bytes_that_are_not_a_picture_are_refused_with_the_reason(
    data: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ImageError, match=message):
        decode_gray(data, PICTURE_FILE)
    assert capfd.readouterr().err == ""


def test_only_baseline_jpeg_is_accepted_on_the_bus_and_only_jpeg_from_cameras(scene: Picture) -> None:
    assert decode_gray(jpeg(scene), BUS_FRAME).shape == (HEIGHT, WIDTH)
    progressive = jpeg(scene, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    with pytest.raises(ImageError, match="a progressive JPEG: expected baseline"):
        decode_gray(progressive, BUS_FRAME)
    assert decode_gray(progressive, CAMERA_PICTURE).shape == (HEIGHT, WIDTH)
    with pytest.raises(ImageError, match="PNG: expected JPEG"):
        decode_gray(encode(".png", scene), CAMERA_PICTURE)


def test_a_jpeg_with_restart_markers_is_decoded(scene: Picture) -> None:
    data = jpeg(scene, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)
    assert data.count(b"\xff\xd0") > 0
    assert decode_gray(data, BUS_FRAME).shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    "tail", [b"\r\n" * 20, bytes(4096), b"\xff\xd8\xff\xe0 another", b"\0\0\0\x18ftypmp42" * 99]
)
def test_bytes_behind_the_end_of_a_picture_are_ignored(tail: bytes, scene: Picture, tmp_path: Path) -> None:
    assert np.array_equal(decode_gray(jpeg(scene) + tail), decode_gray(jpeg(scene)))
    for extension in (".jpg", ".png", ".webp"):
        path = tmp_path / f"tail{extension}"
        path.write_bytes(encode(extension, scene) + tail)
        assert read_gray(path).shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_a_film_behind_a_jpeg_is_not_taken_for_its_scans(
    seed: int, progressive: int, scene: Picture, tmp_path: Path
) -> None:
    data = with_orientation(jpeg(scene, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive), 1)
    film = np.random.default_rng(seed).bytes(12_000_000)
    assert film.count(b"\xff\xda") > MOST_SCANS
    comment = segment(0xFE, b"\xff\xd9 and \xff\xda")
    path = tmp_path / "motion.jpg"
    path.write_bytes(data[:2] + comment + data[2:] + film)
    expected = decode_gray(data, PICTURE_FILE)
    assert np.array_equal(decode_gray(path.read_bytes(), PICTURE_FILE), expected)
    assert np.array_equal(read_gray(path), expected)


def test_the_limit_on_pixels_is_half_where_decoding_takes_twice_the_memory() -> None:
    large = jpeg_with_scans(400, 300, 3)
    assert decode_gray(large, Limits(10**6, 400, 240_000)).shape == (300, 400)
    with pytest.raises(ImageError, match=r"400 x 300 pixels, the most for its kind is 0\.1 million"):
        decode_gray(large, Limits(10**6, 400, 200_000))


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageError, match="announces 60000 x 60000 pixels, the most is 4096 a side"):
        decode_gray(jpeg_of_size(60_000, 60_000))
    with pytest.raises(ImageError, match="the most is 30000 a side"):
        decode_color(jpeg_of_size(60_000, 60_000))


def test_limits_on_bytes_sides_and_pixels(scene: Picture, tmp_path: Path) -> None:
    data = jpeg(scene)
    with pytest.raises(ImageError, match=r"more than 0\.0005 MB"):
        decode_gray(data, Limits(500, 100, 10_000))
    with pytest.raises(ImageError, match="80 x 60 pixels, the most is 79 a side"):
        decode_gray(data, Limits(10_000, 79, 10_000))
    with pytest.raises(ImageError, match=r"the most for its kind is 0\.0045 million"):
        decode_gray(data, Limits(10_000, 80, 4_500))
    path = tmp_path / "large.jpg"
    path.write_bytes(data + bytes(5000))
    with pytest.raises(ImageError, match=r"more than 0\.005 MB"):
        read_gray(path, Limits(5000, 100, 10_000))
    assert BUS_FRAME.bytes < PICTURE_FILE.bytes


def test_a_file_that_cannot_be_opened_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        read_gray(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="Is a directory"):
        read_color(tmp_path)


def test_a_jpeg_with_a_hole_is_refused_and_stderr_stays_clean(
    scene: Picture, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    large = cv2.resize(scene, (640, 480))
    data = bytearray(jpeg(large))
    middle = len(data) // 2
    data[middle : middle + 2] = b"\xff\xd9"
    path = tmp_path / "hole.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match="a part of the picture is missing"):
        read_gray(path)
    path.write_bytes(encode(".png", large)[:-500])
    with pytest.raises(ImageError, match="truncated PNG"):
        read_gray(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seed", range(4))
def test_damaged_jpegs_give_the_announced_size_or_an_error(
    seed: int, scene: Picture, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(seed)
    whole = jpeg(scene, cv2.IMWRITE_JPEG_PROGRESSIVE, seed % 2)
    decoded = refused = 0
    for _ in range(400):
        data = np.frombuffer(whole, np.uint8).copy()
        # Half of the damage goes to the headers, where it can mislead most.
        end = len(data) if rng.random() < 0.5 else 700
        places = rng.integers(2, end, rng.integers(1, 6))
        data[places] = rng.integers(0, 256, len(places))
        mutated = data.tobytes()
        try:
            gray = decode_gray(mutated, CAMERA_PICTURE)
        except ImageError:
            refused += 1
        else:
            decoded += 1
            width, height = open_picture(mutated, CAMERA_PICTURE)[0].size
            assert gray.dtype == np.uint8
            assert gray.shape in ((height, width), (width, height))
    capfd.readouterr()
    assert decoded > 20
    assert refused > 20


def test_threads_may_decode_in_parallel(scene: Picture) -> None:
    data = jpeg(scene)
    expected = decode_gray(data)
    wrong: list[int] = []

    def work(number: int) -> None:
        if not all(np.array_equal(decode_gray(data), expected) for _ in range(50)):
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_checks_take_less_time_than_decoding(scene: Picture) -> None:
    data = with_orientation(jpeg(cv2.resize(scene, (640, 480))), 1)
    checks = min(_seconds(lambda: open_picture(data, BUS_FRAME)) for _ in range(20))
    decoding = min(_seconds(lambda: cv2.imdecode(np.frombuffer(data, np.uint8), 0)) for _ in range(20))
    assert checks < decoding


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
