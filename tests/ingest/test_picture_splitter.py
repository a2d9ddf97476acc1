"""Pictures in the body of an HTTP answer: by the book, and in the ways in which cameras deviate from it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from ingest.errors import SourceLost
from ingest.picture_splitter import PictureSplitter
from media.errors import ImageError
from media.images import CAMERA_PICTURE, decode_gray
from tests.support.mjpeg_camera import jpeg

PICTURES = [jpeg(number) for number in range(5)]
TYPE = b"Content-Type: image/jpeg\r\n"
MOST = 200_000


def length(size: int) -> bytes:
    return b"Content-Length: %d\r\n" % size


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "by the book": lambda j: b"--frame\r\n" + TYPE + length(len(j)) + b"\r\n" + j + b"\r\n",
    "without a length": lambda j: b"--frame\r\n" + TYPE + b"\r\n" + j + b"\r\n",
    "line feeds alone": lambda j: b"--frame\nContent-Type: image/jpeg\n\n" + j + b"\n",
    "carriage returns alone": lambda j: b"--frame\rContent-Type: image/jpeg\r\r" + j + b"\r",
    "no line break before the delimiter": lambda j: b"--frame\r\n" + TYPE + b"\r\n" + j,
    "four dashes": lambda j: b"----frame\r\n" + TYPE + b"\r\n" + j + b"\r\n",
    "dashes behind": lambda j: b"--frame--\r\n" + TYPE + b"\r\n" + j + b"\r\n",
    "spaces in the name": lambda j: b"--video boundary--\r\n" + TYPE + b"\r\n" + j + b"\r\n",
    "no header": lambda j: b"--frame\r\n\r\n" + j + b"\r\n",
    "no header and no blank line": lambda j: b"--frame\r\n" + j + b"\r\n",
    "no blank line": lambda j: b"--frame\r\n" + TYPE + length(len(j)) + j + b"\r\n",
    "no line break after the header": lambda j: b"--frame\r\n" + TYPE.strip() + j + b"\r\n",
    "blank lines everywhere": lambda j: b"\r\n--frame\r\n\r\n" + TYPE + b"\r\n\r\n" + j + b"\r\n\r\n",
    "names in any case": lambda j: b"--frame\r\ncontent-LENGTH : %d\r\n\r\n" % len(j) + j + b"\r\n",
    "no delimiter": lambda j: TYPE + length(len(j)) + b"\r\n" + j + b"\r\n",
    "pictures alone": lambda j: j,
    "pictures and line breaks": lambda j: j + b"\r\n",
    "a length that is too long": lambda j: b"--frame\r\n" + length(len(j) + 99) + b"\r\n" + j + b"\r\n",
    "a length that is too short": lambda j: b"--frame\r\n" + length(len(j) - 99) + b"\r\n" + j + b"\r\n",
    "a length of zero": lambda j: b"--frame\r\n" + length(0) + b"\r\n" + j + b"\r\n",
    "an absurd length": lambda j: b"--frame\r\n" + length(10**4000) + b"\r\n" + j + b"\r\n",
    "a negative length": lambda j: b"--frame\r\n" + length(-5) + b"\r\n" + j + b"\r\n",
    "zeros within the length": lambda j: (
        b"--frame\r\n" + length(len(j) + 999) + b"\r\n" + j + bytes(999) + b"\r\n"
    ),
    "zeros without a length": lambda j: b"--frame\r\n" + TYPE + b"\r\n" + j + bytes(999) + b"\r\n",
    "bytes before the picture": lambda j: b"--frame\r\n" + TYPE + b"\r\n" + b"\0\0stray" + j + b"\r\n",
    "a picture behind the picture": lambda j: b"--frame\r\n" + length(2 * len(j)) + b"\r\n" + j + j + b"\r\n",
    "parts of another type between": lambda j: (
        b"--frame\r\nContent-Type: text/plain\r\n\r\nmotion=1\r\n--frame\r\n" + TYPE + b"\r\n" + j + b"\r\n"
    ),
    "empty parts between": lambda j: b"--frame\r\n\r\n--frame\r\n" + TYPE + b"\r\n" + j + b"\r\n",
}


def split(data: bytes, step: int = 65_536, most: int = MOST) -> list[bytes]:
    """The pictures of a stream that arrives in pieces of `step` bytes."""
    splitter, found = PictureSplitter(most), []
    for at in range(0, len(data), step):
        splitter.feed(data[at : at + step])
        found += list(iter(splitter.next_picture, None))
    return found


def feed_without_picture(splitter: PictureSplitter, endless: bytes) -> None:
    for _ in range(2 * MOST // 1000):
        splitter.feed(endless)
        assert splitter.next_picture() is None


def is_decodable(picture: bytes) -> bool:
    try:
        return decode_gray(picture, CAMERA_PICTURE).shape == (96, 128)
    except ImageError:
        return False


@pytest.mark.parametrize("step", [1, 100, 65_536])
@pytest.mark.parametrize("form", FORMS)
def test_every_picture_is_found_however_it_is_framed(form: str, step: int) -> None:
    assert split(b"preamble\r\n" + b"".join(map(FORMS[form], PICTURES)), step) == PICTURES


@pytest.mark.parametrize("form", FORMS)
def test_no_picture_waits_for_what_follows_it(form: str) -> None:
    splitter = PictureSplitter(MOST)
    for picture in PICTURES[:2]:
        before, _, after = FORMS[form](picture).partition(picture)
        splitter.feed(before + picture)
        assert splitter.next_picture() == picture
        splitter.feed(after)
        assert splitter.next_picture() is None


# Nothing tells two pictures of one part apart.
@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"a picture behind the picture"}))
def test_pictures_without_an_end_marker_end_where_the_next_part_begins(form: str) -> None:
    cut = [picture[:-2] for picture in PICTURES]
    found = split(b"".join(map(FORMS[form], cut)) + FORMS[form](PICTURES[0]))
    assert len(found) == len(cut) + 1
    assert all(part.startswith(picture) for part, picture in zip(found, cut, strict=False))
    assert found[-1] == PICTURES[0]


def test_the_last_picture_of_an_answer_needs_no_end_marker() -> None:
    splitter = PictureSplitter(MOST)
    splitter.feed(PICTURES[0][:-2])
    assert splitter.next_picture() is None
    assert splitter.finish() == PICTURES[0][:-2]
    assert splitter.finish() is None


def test_a_small_picture_in_the_header_of_a_picture_is_not_taken_for_one() -> None:
    def with_thumbnail(picture: bytes) -> bytes:
        exif = b"Exif\0\0" + PICTURES[0]
        return picture[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + picture[2:]

    whole = [with_thumbnail(picture) for picture in PICTURES]
    assert split(b"".join(whole)) == whole
    for form in ("by the book", "line feeds alone", "no delimiter"):
        # A broken marker behind the header.
        broken = [picture.replace(b"\xff\xdb\0\x43", b"\xff\x02\0\x43") for picture in whole]
        found = split(b"".join(map(FORMS[form], [*broken, PICTURES[0]])))
        assert len(found) == len(PICTURES) + 1
        assert [is_decodable(each) for each in found] == [False] * len(PICTURES) + [True]


@pytest.mark.parametrize("broken", [b"\x89PNG\r\n\x1a\n" + bytes(50), b"not a picture", PICTURES[0][99:]])
def test_a_part_without_a_picture_is_returned_so_that_it_is_counted(broken: bytes) -> None:
    found = split(b"".join(map(FORMS["by the book"], [PICTURES[0], broken, PICTURES[1]])))
    assert found == [PICTURES[0], broken.strip(b"\r\n"), PICTURES[1]]


def test_a_picture_that_is_cut_ends_at_its_length_or_at_the_next_part() -> None:
    for form in ("by the book", "without a length", "line feeds alone"):
        for size in (20, 300, len(PICTURES[0]) - 200):
            found = split(b"".join(map(FORMS[form], [PICTURES[0][:size], *PICTURES[1:]])))
            assert len(found) == len(PICTURES)
            assert found[0].startswith(PICTURES[0][:size])
            assert found[1:] == PICTURES[1:]


@pytest.mark.parametrize(
    ("begin", "endless", "message"),
    [
        (b"", b"x" * 1000, "no picture within 200000 bytes"),
        (b"", b"--frame\r\n\r\n" * 100, "no picture within 200000 bytes"),
        (b"--frame\r\n", b"X-Field: 1\r\n" * 50, "the header of a part does not end"),
        (b"--frame\r\nX-Field:", b"x" * 1000, "the header of a part does not end"),
        (PICTURES[0][:-2], bytes(1000), "no picture that ends within 200000 bytes"),
        (b"--frame\r\n\r\n\x89PNG", bytes(1000), "no picture that ends within 200000 bytes"),
        (b"\xff\xd8\xff\x02", bytes(1000), "no picture that ends within 200000 bytes"),
    ],
)
def test_a_stream_without_end_is_refused_within_bounded_memory(
    begin: bytes, endless: bytes, message: str
) -> None:
    splitter = PictureSplitter(MOST)
    splitter.feed(begin)
    tracemalloc.start()
    try:
        with pytest.raises(SourceLost, match=message):
            feed_without_picture(splitter, endless)
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["by the book", "no line break before the delimiter", "line feeds alone"])
def test_damage_costs_the_damaged_part_alone(form: str) -> None:
    """Random bytes of one part are changed, removed or inserted: all other pictures are found, in order."""
    random = np.random.default_rng(5)
    damaged_part = FORMS[form](PICTURES[0])
    # A damaged length within a picture reaches up to 64 KB: so much follows.
    after = PICTURES[1:] * 7
    before, rest = (b"".join(map(FORMS[form], pictures)) for pictures in (PICTURES[1:], after))
    tracemalloc.start()
    try:
        for _ in range(150):
            damaged = bytearray(damaged_part)
            for _ in range(random.integers(1, 8)):
                at, kind = int(random.integers(len(damaged))), random.integers(3)
                new = random.integers(0, 256, 0 if kind == 1 else 1, np.uint8).tobytes()
                damaged[at : at + (0 if kind == 2 else 1)] = new
            found = split(before + bytes(damaged) + rest)
            assert found[:4] == PICTURES[1:]
            # Damage to the delimiter can merge two parts, damage within a picture can look like another one.
            assert found[-27:] == after[-27:]
            assert len(after) + 3 <= len(found) - 1 <= len(after) + 6
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("streams", "pieces", "step"), [(5, 200, 7), (10, 3000, 65_536)])
def test_random_streams_never_hang_and_never_exceed_their_memory(
    streams: int, pieces: int, step: int
) -> None:
    random = np.random.default_rng(6)
    kinds = [
        *(
            b"--",
            b"-",
            b"frame",
            b"\r\n",
            b"\n",
            b"\r",
            b": ",
            TYPE,
            length(100),
            b"\xff\xd8\xff",
            b"\xff\xd9",
        ),
        *(b"\xff\xda\0\2", b"\xff\xe1\xff\xff", b"\xff\xc4\0\2", b"\xff\xff", b"\0" * 50, b"a" * 300),
        PICTURES[0],
    ]
    for _ in range(streams):
        data = b"".join(kinds[at] for at in random.integers(0, len(kinds), pieces))
        splitter, returned = PictureSplitter(MOST), 0
        tracemalloc.start()
        try:
            for at in range(0, len(data), step):
                splitter.feed(data[at : at + step])
                returned += sum(map(len, iter(splitter.next_picture, None)))
        except SourceLost:
            pass
        finally:
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert most < 4 * MOST
        assert returned <= len(data)
