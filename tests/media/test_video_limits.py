"""Videos of huge frames, and videos damaged at random: refused or decoded in little memory and time."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.media.limits import run_python
from tests.media.test_fuzz import mutate
from tests.support.videos import scene, write

MEGABYTES = 400
"""A frame of 16,383 pixels a side takes 400 MB, and decoders keep several."""
SECONDS = 60
MUTATIONS = 40

SCRIPT = f"""
import sys
from pathlib import Path
from media.errors import ImageError, VideoError
from media.videos import VideoDecoder
from tests.media.limits import limit

def read(path):
    try:
        video = VideoDecoder(path)
    except VideoError as error:
        return f"refused: {{error}}"
    frames = 0
    try:
        while video.grab():
            try:
                frames += video.gray().size > 0
            except ImageError:
                pass
    except VideoError as error:
        return f"{{frames}} frames, then: {{error}}"
    finally:
        video.close()
    return f"{{frames}} frames"

valid, *others = map(Path, sys.argv[1:])
assert read(valid).endswith("12 frames")
limit({MEGABYTES}, {SECONDS})
for path in others:
    print(read(path))
"""


def run(valid: Path, paths: list[Path], folder: Path) -> list[str]:
    """What a process with limits reports of each file."""
    return run_python(["-c", SCRIPT, str(valid), *map(str, paths)], folder, timeout=200).splitlines()


def huge_mpeg2(path: Path) -> bytes:
    """Every sequence header announces 16,383 x 16,383 pixels (ISO/IEC 13818-2, 6.2.2)."""
    data = bytearray(path.read_bytes())
    at = -1
    while (at := data.find(b"\0\0\1\xb3", at + 1)) >= 0:
        data[at + 4 : at + 7] = b"\xff\xff\xff"
        extension = data.find(b"\0\0\1\xb5", at)
        # The two high bits of width and height: bits 15 to 18 of the extension.
        data[extension + 5] |= 0x01
        data[extension + 6] |= 0xE0
    return bytes(data)


def huge_avi(path: Path) -> bytes:
    """The stream's header announces 16,000 x 16,000 pixels."""
    data = bytearray(path.read_bytes())
    at = data.index(b"strf") + 8
    data[at + 4 : at + 12] = struct.pack("<ii", 16_000, 16_000)
    return bytes(data)


def huge_mp4(path: Path) -> bytes:
    """The sample description announces 16,000 x 16,000 pixels."""
    data = bytearray(path.read_bytes())
    at = data.index(b"jpeg") + 28
    data[at : at + 4] = struct.pack(">HH", 16_000, 16_000)
    return bytes(data)


def huge_jpeg(path: Path) -> bytes:
    """Every frame of a motion JPEG announces 16,000 x 16,000 pixels."""
    data = bytearray(path.read_bytes())
    at = -1
    while (at := data.find(b"\xff\xc0\0\x11", at + 1)) >= 0:
        data[at + 5 : at + 9] = struct.pack(">HH", 16_000, 16_000)
    return bytes(data)


@pytest.mark.parametrize(
    ("suffix", "codec", "enlarge"),
    [
        ("mpg", "mpeg2video", huge_mpeg2),
        ("ts", "mpeg2video", huge_mpeg2),
        ("avi", "mjpeg", huge_avi),
        ("avi", "mjpeg", huge_jpeg),
        ("mov", "mjpeg", huge_mp4),
    ],
)
def test_a_video_of_huge_frames_is_refused_in_little_memory(
    suffix: str, codec: str, enlarge: Callable[[Path], bytes], tmp_path: Path
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    valid = write(tmp_path / f"valid.{suffix}", [scene(n) for n in range(12)], codec, pix_fmt=pix_fmt)
    bomb = tmp_path / f"bomb.{suffix}"
    bomb.write_bytes(enlarge(valid))
    assert bomb.read_bytes() != valid.read_bytes()
    (line,) = run(valid, [bomb], tmp_path)
    assert not line.endswith("12 frames") or enlarge in (huge_avi, huge_mp4), line


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "libx264"), ("ts", "libx264"), ("mkv", "libx264"), ("avi", "mpeg4"), ("mpg", "mpeg2video")],
)
def test_damaged_videos_are_decoded_or_refused_within_limits(suffix: str, codec: str, tmp_path: Path) -> None:
    valid = write(tmp_path / f"valid.{suffix}", [scene(n) for n in range(12)], codec)
    data = valid.read_bytes()
    paths = []
    for seed in range(MUTATIONS):
        path = tmp_path / f"{seed}.{suffix}"
        path.write_bytes(mutate(data, seed))
        paths.append(path)
    lines = run(valid, paths, tmp_path)
    assert len(lines) == MUTATIONS
    assert np.count_nonzero(["frames" in line for line in lines]) > 0
