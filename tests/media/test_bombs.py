"""Picture bombs are refused at every door, in little memory and time, with a clear error."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path

import pytest

from media.errors import ImageError
from media.images import decode_gray
from media.jpeg import MOST_SCANS, limit_scans
from tests.media.bombs import BOMBS, jpeg_with_scans
from tests.media.limited import DOORS
from tests.media.limits import run_python

MEGABYTES = 200
"""Memory in which all bombs must be refused: without checks some take 1.7 to 4.6 GB, others 30 to 60 s."""
SECONDS = 10
SCAN = b"\xff\xda"


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bombs")
    for name, make in BOMBS.items():
        (folder / name).write_bytes(make())
    return [folder / name for name in BOMBS]


def run_limited(door: str, paths: list[Path], folder: Path) -> list[str]:
    """The lines that a process with limits prints for these files, after it has decoded a valid picture."""
    arguments = ["-m", "tests.media.limited", door, str(MEGABYTES), str(SECONDS), *map(str, paths)]
    return run_python(arguments, folder, timeout=120).splitlines()


@pytest.mark.parametrize("door", DOORS)
def test_every_bomb_is_refused(door: str, bombs: list[Path], tmp_path: Path) -> None:
    lines = run_limited(door, bombs, tmp_path)
    refusals = dict(zip([path.name for path in bombs], lines, strict=True))
    assert not [name for name, line in refusals.items() if not line.startswith("ImageError: ")], refusals
    decoded = re.compile("cannot be decoded|memory|alloc|Traceback", re.IGNORECASE)
    assert not [line for line in lines if decoded.search(line)], "a bomb is refused before it is decoded"


@pytest.mark.parametrize(
    "hiding",
    [b"\xff\xd9", b"\xff\xe1\xff\xff", b"\xff\xe1\0\0", b"\xff\xdc\0\x04\xff\xd9", b"\xff\x02\xff\xff"],
)
def test_no_scan_is_hidden_from_the_count(hiding: bytes) -> None:
    """What one decoder skips, or takes for the end of a picture, another one may decode."""
    data = jpeg_with_scans(4000, 2300, 45_000)
    first = data.index(SCAN)
    for at in (2, first, data.index(SCAN, first + 2)):
        with suppress(ImageError):
            assert limit_scans(data[:at] + hiding + data[at:]).count(SCAN) <= MOST_SCANS


def test_scans_are_counted_before_any_is_decoded() -> None:
    data = jpeg_with_scans(4000, 2300, 45_000)
    assert len(data) > 1_000_000
    began = time.perf_counter()
    with pytest.raises(ImageError, match=f"more than {MOST_SCANS} scans"):
        decode_gray(data)
    assert time.perf_counter() - began < 5, "a decoder takes a minute"
