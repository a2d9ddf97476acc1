"""Pictures are read as they are meant, or refused; nothing in between, and nothing on standard error."""

from __future__ import annotations

import io
import struct
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inference.errors import ImageError
from media.headers import read_header
from media.images import (
    FILE,
    FRAME,
    Limits,
    decode_color,
    decode_gray,
    read_color,
    read_gray,
)

Picture = NDArray[np.uint8]
HEIGHT, WIDTH = 60, 80


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
    """A JPEG with an EXIF segment that says how it is to be turned."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tiff", ".webp", ".gif"])
def test_lossless_formats_keep_every_pixel(extension: str, scene: Picture) -> None:
    options = (cv2.IMWRITE_WEBP_QUALITY, 101) if extension == ".webp" else ()
    gray = decode_gray(encode(extension, cv2.merge([scene] * 3), *options))
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
    header = read_header(encode(extension, scene))
    assert (header.width, header.height) == (WIDTH, HEIGHT)


def test_big_endian_tiff_and_old_bmp_headers() -> None:
    entries = struct.pack(">HHIHH", 256, 3, 1, 320, 0) + struct.pack(">HHII", 257, 4, 1, 200)
    assert read_header(b"MM\0*" + struct.pack(">IH", 8, 2) + entries)[:3] == ("TIFF", 320, 200)
    old = b"BM" + bytes(12) + struct.pack("<IHH", 12, 320, 200)
    assert read_header(old)[:3] == ("BMP", 320, 200)


def test_sixteen_bits_become_eight(scene: Picture) -> None:
    for extension in (".png", ".tiff"):
        deep = scene.astype(np.uint16) * 257
        assert np.abs(decode_gray(encode(extension, deep)).astype(int) - scene).max() <= 1


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_transparency_becomes_white(depth: type[np.unsignedinteger], scene: Picture) -> None:
    white = int(np.iinfo(depth).max)
    alpha = np.zeros((HEIGHT, WIDTH), depth)
    alpha[:, 40:] = white
    alpha[:, 79] = white // 2
    deep = scene.astype(depth) * depth(white // 255)
    gray = decode_gray(encode(".png", cv2.merge([deep, deep, deep, alpha])))
    assert (gray[:, :40] == 255).all()
    assert np.abs(gray[:, 40:79].astype(int) - scene[:, 40:79]).max() <= 1
    assert np.abs(gray[:, 79] - (scene[:, 79] / 2 + 127.5)).max() <= 2


def test_orientation_is_honoured(scene: Picture) -> None:
    plain = decode_gray(jpeg(scene))
    turned = with_orientation(jpeg(scene), 6)
    assert np.array_equal(decode_gray(turned), np.rot90(plain, -1))
    assert np.array_equal(decode_color(turned)[..., 0], np.rot90(plain, -1))


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_truncated_jpeg_is_refused_wherever_it_ends(progressive: int, scene: Picture) -> None:
    data = jpeg(scene, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    for length in range(len(data) - 1):
        with pytest.raises(ImageError):
            decode_gray(data[:length])


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tiff", ".webp", ".gif"])
def test_other_formats_are_refused_when_cut_in_half(extension: str, scene: Picture, tmp_path: Path) -> None:
    path = tmp_path / f"cut{extension}"
    data = encode(extension, scene)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError):
        read_gray(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"file,age,gender\n", "not a picture: expected JPEG"),
        (b"\xff\xd8", "ends within its header"),
        (b"\xff\xd8\xff\xe0\0\0" * 9, "no marker at byte"),
        (b"\xff\xd8" + b"\xff" * 100_000, "more than 10000 segments"),
        (b"\xff\xd8\xff\xda\0\2", "before its size is told"),
        (b"RIFF\0\0\0\0WEBPVP9 ", "unknown chunk"),
        (b"RIFF\0\0\0\0AVI LIST", "not a picture"),
        (b"II*\0\xff\xff\xff\x7f", "TIFF file that ends within its header"),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 0, 9), "announces 0 x 9"),
    ],
)
def test_what_is_not_a_picture_is_named(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        decode_gray(data)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    with pytest.raises(ImageError, match="announces 60000 x 60000 pixels, the most is 4096"):
        decode_gray(header)
    with pytest.raises(ImageError, match="the most is 30000 a side"):
        decode_color(header)


def test_limits_on_bytes_sides_and_pixels(scene: Picture, tmp_path: Path) -> None:
    data = jpeg(scene)
    with pytest.raises(ImageError, match=r"more than 0\.0005 MB"):
        decode_gray(data, Limits(500, 100, 10_000))
    with pytest.raises(ImageError, match="80 x 60 pixels, the most is 79 a side"):
        decode_gray(data, Limits(10_000, 79, 10_000))
    with pytest.raises(ImageError, match=r"the most is 0\.0045 million"):
        decode_gray(data, Limits(10_000, 80, 4_500))
    path = tmp_path / "large.jpg"
    path.write_bytes(data + bytes(5000))
    with pytest.raises(ImageError, match=r"more than 0\.005 MB"):
        read_gray(path, Limits(5000, 100, 10_000))
    assert FRAME.bytes < FILE.bytes


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
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
    with pytest.raises(ImageError, match=r"a part of the picture is missing|cannot be decoded"):
        read_gray(path)
    path.write_bytes(encode(".png", large)[:-500])
    with pytest.raises(ImageError, match="damaged or truncated PNG"):
        read_gray(path)
    assert capfd.readouterr() == ("", "")


def test_harmless_bytes_between_segments_do_no_harm(scene: Picture, tmp_path: Path) -> None:
    path = tmp_path / "trailing.jpg"
    path.write_bytes(jpeg(scene) + b"a maker's own appendix")
    assert read_gray(path).shape == (HEIGHT, WIDTH)


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
            gray = decode_gray(mutated)
        except ImageError:
            refused += 1
        else:
            decoded += 1
            header = read_header(mutated)
            assert gray.dtype == np.uint8
            assert gray.shape in ((header.height, header.width), (header.width, header.height))
    capfd.readouterr()
    assert decoded > 20
    assert refused > 20


def test_threads_may_decode_at_once(scene: Picture) -> None:
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


def test_checks_cost_next_to_nothing(scene: Picture) -> None:
    data = with_orientation(jpeg(cv2.resize(scene, (640, 480))), 1)
    read_header(data)
    best = min(_seconds(data) for _ in range(20))
    assert best < 0.0002


def _seconds(data: bytes) -> float:
    begin = time.perf_counter()
    read_header(data)
    return time.perf_counter() - begin
