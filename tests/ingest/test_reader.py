"""One opening of a scripted source: what is done with pictures that come late, or after the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bus.embedded import EmbeddedBus, EmbeddedReader
from bus.messages import CameraState
from ingest.errors import BadPicture, SourceLost
from ingest.health import Health, Tally, wall_clock_us
from ingest.pictures import Picture, Pixels
from ingest.publisher import Publisher
from ingest.reader import Reader, Reading
from ingest.stillness import PictureWatch
from tests.support.captures import PATIENCE, Books

READING = Reading(fps=None, longest_side=640, open_timeout=5, read_timeout=5, fast=False)


def gray() -> Pixels:
    return np.full((48, 64), 99, np.uint8)


def damaged() -> Pixels:
    raise BadPicture("it is damaged")


class Script:
    """A recording whose pictures come from an iterator."""

    live = False

    def __init__(self, pictures: Iterator[Picture]) -> None:
        self._pictures = pictures
        self.closed = False

    def read(self) -> Picture | None:
        return next(self._pictures, None)

    def close(self) -> None:
        self.closed = True


class Bench:
    """A reader at work, and what came of it."""

    def __init__(self, source: Script, reading: Reading = READING) -> None:
        bus = EmbeddedBus(capacity=1000)
        self.source = source
        self.health, self.tally, self.books = Health("clip"), Tally("clip"), Books()
        self.frames: EmbeddedReader = bus.reader([0], lambda _: {})
        self.changed = threading.Event()
        publisher = Publisher("clip", wall_clock_us(), bus.writer(), self.health, self.tally, 85)
        self.reader = Reader(lambda: source, reading, publisher, PictureWatch(15), self.changed.set)

    def run(self) -> None:
        self.reader.start()
        self.reader.join(PATIENCE)
        assert self.reader.is_done
        self.tally.store(self.books)

    def published(self) -> list[int]:
        return [int(record.headers["seq"]) for record in self.frames.poll(1000, 0).records]


def test_pictures_whose_time_has_passed_are_counted_and_the_rest_is_in_time() -> None:
    def stalling() -> Iterator[Picture]:
        for number in range(40):
            if number == 10:
                time.sleep(2)
            yield Picture(number / 20, gray)

    bench = Bench(Script(stalling()))
    bench.run()
    published, dropped = bench.published(), bench.books.dropped("clip")
    assert set(dropped) == {"read too late"}
    assert 5 < dropped.total() < 25
    assert bench.books.captured("clip") == 40 == len(published) + dropped.total()
    assert published[:10] == list(range(10))
    assert published[-1] == 39
    assert bench.reader.error is None
    assert bench.source.closed


def test_damaged_pictures_are_counted_and_told_at_the_end() -> None:
    pictures = [Picture(n / 100, damaged if n % 3 == 1 else gray) for n in range(10)]
    bench = Bench(Script(iter(pictures)))
    bench.run()
    assert bench.published() == [0, 2, 3, 5, 6, 8, 9]
    assert bench.books.dropped("clip") == {"damaged picture": 3}
    assert str(bench.reader.error) == "3 pictures cannot be decoded, the first: it is damaged"


def test_what_was_read_before_a_source_broke_is_published() -> None:
    def breaking() -> Iterator[Picture]:
        yield Picture(0, gray)
        raise SourceLost("it ends")

    bench = Bench(Script(breaking()))
    bench.run()
    assert bench.published() == [0]
    assert str(bench.reader.error) == "it ends"
    assert bench.source.closed
    assert bench.health.now.state is CameraState.ONLINE


def test_a_wait_for_the_next_picture_ends_when_the_reader_is_cancelled() -> None:
    bench = Bench(Script(iter([Picture(0, gray), Picture(3600, gray)])))
    bench.reader.start()
    assert bench.changed.wait(PATIENCE)
    began = time.monotonic()
    bench.reader.cancel()
    bench.reader.join(PATIENCE)
    assert time.monotonic() - began < 5
    assert bench.published() == [0]
    assert not bench.reader.hangs, "waiting for the time of a picture is no hanging"


def test_a_source_that_does_not_return_hangs_and_what_it_brings_later_is_not_published() -> None:
    release = threading.Event()

    def hanging() -> Iterator[Picture]:
        yield Picture(0, gray)
        release.wait(PATIENCE)
        yield Picture(0.1, gray)

    bench = Bench(Script(hanging()), Reading(None, 640, open_timeout=0.1, read_timeout=0.1, fast=False))
    bench.reader.start()
    until(lambda: bench.reader.hangs)
    bench.reader.cancel()
    release.set()
    bench.reader.join(PATIENCE)
    bench.tally.store(bench.books)
    assert bench.published() == [0]
    assert bench.books.captured("clip") == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_a_reader_is_an_error_that_captures_see() -> None:
    def faulty() -> Iterator[Picture]:
        yield Picture(0, gray)
        raise ZeroDivisionError

    bench = Bench(Script(faulty()))
    bench.run()
    assert str(bench.reader.error) == "the reader failed, the log says where"


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
