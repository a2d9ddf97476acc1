"""Pictures damaged at random, with fixed seeds: each is decoded or refused in little memory and time."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.media.limits import run_python

MEGABYTES = 600
SECONDS = 60
MUTATIONS = 100
"""Per format and decode function."""

SCRIPT = f"""
import sys
from pathlib import Path
import cv2
from media import images
from media.errors import ImageError
from tests.media.limits import limit
from tests.media.test_fuzz import MUTATIONS, mutate

cv2.setNumThreads(1)
limits = {{"camera": images.CAMERA_PICTURE, "bus": images.BUS_FRAME, "file": images.PICTURE_FILE}}
path, folder = Path(sys.argv[1]), Path(sys.argv[2])
valid = path.read_bytes()
images.decode_color(valid)
limit({MEGABYTES}, {SECONDS})
mutated = folder / path.name
decoded = refused = 0
for seed in range(MUTATIONS):
    data = mutate(valid, seed)
    mutated.write_bytes(data)
    calls = [
        lambda: images.decode_gray(data, limits["camera"]),
        lambda: images.decode_gray(data, limits["bus"]),
        lambda: images.decode_gray(data, limits["file"]),
        lambda: images.decode_color(data, limits["file"]),
        lambda: images.read_gray(mutated),
        lambda: images.read_color(mutated),
    ]
    for call in calls:
        try:
            picture = call()
        except ImageError as error:
            refused += 1
            assert "memory" not in str(error) and "alloc" not in str(error), (seed, str(error))
        else:
            decoded += 1
            assert picture.dtype == "uint8" and picture.size, seed
print(decoded, refused)
"""


def mutate(data: bytes, seed: int) -> bytes:
    """The picture with some bytes changed, removed, repeated or cut off, half of them in the header."""
    rng = np.random.default_rng(seed)
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(0, min(len(damaged), 200) if rng.random() < 0.5 else len(damaged)))
        match rng.integers(0, 5):
            case 0 | 1:
                damaged[at] = rng.integers(0, 256)
            case 2:
                damaged[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"])
            case 3:
                del damaged[at : at + int(rng.integers(1, 40))]
            case _:
                damaged[at:at] = damaged[at : at + int(rng.integers(1, 200))]
    if rng.random() < 0.1:
        damaged = damaged[: int(rng.integers(1, len(damaged)))]
    return with_checksums(bytes(damaged)) if rng.random() < 0.7 else bytes(damaged)


def with_checksums(data: bytes) -> bytes:
    """The checksums of a PNG made right, so that the decoder reads the damaged chunks."""
    if not data.startswith(b"\x89PNG"):
        return data
    fixed, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + struct.unpack_from(">I", data, at)[0]
        if end + 4 > len(data):
            break
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(fixed)


def picture() -> NDArray[np.uint8]:
    noise = np.random.default_rng(7).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2), np.uint8)


def encode(kind: str) -> bytes:
    options: dict[str, tuple[str, dict[str, object]]] = {
        "baseline.jpg": ("JPEG", {}),
        "progressive.jpg": ("JPEG", {"progressive": True}),
        "rgb.png": ("PNG", {}),
        "rgba.png": ("PNG", {}),
        "plain.bmp": ("BMP", {}),
        "plain.tif": ("TIFF", {}),
        "deflate.tif": ("TIFF", {"compression": "tiff_deflate"}),
        "jpeg.tif": ("TIFF", {"compression": "jpeg"}),
        "lossy.webp": ("WEBP", {}),
        "lossless.webp": ("WEBP", {"lossless": True}),
        "animated.webp": ("WEBP", {"save_all": True, "append_images": [Image.new("RGB", (80, 60))]}),
        "animated.gif": ("GIF", {"save_all": True, "append_images": [Image.new("RGB", (80, 60))]}),
    }
    name, arguments = options[kind]
    image = Image.fromarray(picture())
    buffer = io.BytesIO()
    (image.convert("RGBA") if kind.startswith("rgba") else image).save(buffer, name, **arguments)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "kind",
    [
        *("baseline.jpg", "progressive.jpg", "rgb.png", "rgba.png", "plain.bmp", "plain.tif", "deflate.tif"),
        *("jpeg.tif", "lossy.webp", "lossless.webp", "animated.webp", "animated.gif"),
    ],
)
def test_damaged_pictures_are_decoded_or_refused_within_limits(kind: str, tmp_path: Path) -> None:
    valid = tmp_path / kind
    valid.write_bytes(encode(kind))
    (tmp_path / "mutated").mkdir()
    output = run_python(["-c", SCRIPT, str(valid), str(tmp_path / "mutated")], tmp_path, timeout=180)
    decoded, refused = map(int, output.split())
    assert decoded + refused == 6 * MUTATIONS
    assert refused > MUTATIONS
