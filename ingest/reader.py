"""One opening of a source: read in a thread of its own, which may hang without harm."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from bus.messages import MICROSECONDS
from ingest.errors import BadPicture, IngestError, SourceLost
from ingest.health import wall_clock_us
from ingest.pictures import Gray, Picture, to_gray
from ingest.publisher import Publisher
from ingest.sampling import Sampler
from ingest.sources import Source
from ingest.stillness import PictureWatch

DAMAGED = "damaged picture"
FROZEN = "frozen picture"
LATE = "read too late"
"""Reasons for which sampled pictures are dropped before they reach the bus."""

_GRACE = 1.0
"""Seconds after a time-out of its own within which a source must have returned."""
_LATEST = 1.0
"""Seconds after its time at which a picture of a recording that is read like a camera is passed over."""
_ROOM_WAIT = 0.25


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source is read.

    `fps` pictures per second are sampled, None takes all; `longest_side` in pixels; time-outs in seconds;
    `fast` reads a recording as quickly as the bus takes its pictures.
    """

    fps: float | None
    longest_side: int
    open_timeout: float
    read_timeout: float
    fast: bool


class Reader:
    """Opens a source and publishes what is sampled of it, until it ends, breaks or is cancelled.

    Args:
        open_source: opens the source.
        reading: how it is read.
        publisher: where pictures go.
        watch: looks at the pictures of live cameras.
        changed: called, in the reader's thread, when the camera's state changes or the reader is done.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        reading: Reading,
        publisher: Publisher,
        watch: PictureWatch,
        changed: Callable[[], None],
    ) -> None:
        self.error: IngestError | None = SourceLost("the reader failed, the log says where")
        """Why the source is read no more; None where it ended. Holds once the reader is done."""
        self._open = open_source
        self._reading = reading
        self._publisher = publisher
        self._watch = watch
        self._changed = changed
        self._sampler = Sampler(reading.fps)
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self._deadline = math.inf
        self._began = 0.0
        self._good_at = 0.0
        self._published_since: float | None = None
        self._published_at = 0.0
        self._bad_pictures = 0
        self._first_bad = ""
        self._captured_at = 0
        name = f"reader {publisher.camera_id}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Publish nothing more, and end as soon as the source returns; does not wait for that."""
        self._cancelled.set()
        self._publisher.close()

    def join(self, timeout: float) -> None:
        """Wait for the reader's end."""
        self._thread.join(timeout)

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come and the source was closed."""
        return self._done.is_set()

    @property
    def hangs(self) -> bool:
        """Whether the source has not returned long after its time-outs."""
        return time.monotonic() > self._deadline

    @property
    def well_for(self) -> float:
        """Seconds from the first to the last picture that was published."""
        return 0.0 if self._published_since is None else self._published_at - self._published_since

    def _run(self) -> None:
        try:
            self._read()
            self.error = None
        except IngestError as error:
            self.error = error
        finally:
            self._done.set()
            self._changed()

    def _read(self) -> None:
        with self._within(self._reading.open_timeout):
            source = self._open()
        with closing(source):
            if self._cancelled.is_set():
                return
            self._began = self._good_at = time.monotonic()
            self._watch.opened(self._began)
            while not self._cancelled.is_set():
                with self._within(self._reading.read_timeout):
                    picture = source.read()
                if picture is None:
                    break
                self._take(picture, source.live)
        if self._bad_pictures:
            raise SourceLost(f"{self._bad_pictures} pictures cannot be decoded, the first: {self._first_bad}")

    def _take(self, picture: Picture, live: bool) -> None:
        since_began = time.monotonic() - self._began
        offset = since_began if picture.offset is None else picture.offset
        if not self._sampler.wants(offset):
            return
        fast = self._reading.fast and not live
        captured_at = self._wait_for_room(offset) if fast else self._wait_until(offset)
        if self._cancelled.is_set():
            return
        if not fast and time.monotonic() - self._began > offset + _LATEST:
            self._publisher.drop(captured_at, LATE)
            return
        gray = self._decode(picture, captured_at, live)
        if gray is None or self._cancelled.is_set():
            return
        if live and picture.offset is None:
            self._check(gray, captured_at)
        else:
            self._publish(gray, captured_at)

    def _wait_until(self, offset: float) -> int:
        """Wait for the time of a picture that is shown like a camera's; microseconds UTC then."""
        if (left := self._began + offset - time.monotonic()) > 0:
            self._cancelled.wait(left)
        return wall_clock_us()

    def _wait_for_room(self, offset: float) -> int:
        """Wait until nothing is dropped for a recording's picture; its time in microseconds UTC.

        The recording counts as begun when it was opened; no two pictures have the same time.
        """
        while not self._publisher.wait_for_room(_ROOM_WAIT) and not self._cancelled.is_set():
            pass
        recorded_at = self._publisher.epoch + round(offset * MICROSECONDS)
        self._captured_at = max(recorded_at, self._captured_at + 1)
        return self._captured_at

    def _decode(self, picture: Picture, captured_at: int, live: bool) -> Gray | None:
        try:
            with self._within(self._reading.read_timeout):
                gray = to_gray(picture.pixels(), self._reading.longest_side)
        except BadPicture as error:
            self._publisher.drop(captured_at, DAMAGED)
            self._bad_pictures += 1
            self._first_bad = self._first_bad or str(error)
            if live and time.monotonic() - self._good_at > self._reading.read_timeout:
                raise SourceLost(f"no picture that can be decoded: {error}") from error
            return None
        self._good_at = time.monotonic()
        return gray

    def _check(self, gray: Gray, captured_at: int) -> None:
        """Publish a camera's picture unless it is the one at which the camera froze."""
        now = time.monotonic()
        self._watch.see(gray, now)
        if not self._watch.is_frozen:
            self._publish(gray, captured_at, self._watch.reason)
            return
        self._publisher.drop(captured_at, FROZEN)
        if self._watch.is_overdue(now):
            raise SourceLost(self._watch.reason)

    def _publish(self, gray: Gray, captured_at: int, reason: str = "") -> None:
        self._published_at = time.monotonic()
        if self._published_since is None:
            self._published_since = self._published_at
        if self._publisher.publish(gray, captured_at, reason):
            self._changed()

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Expect the source to return in this time."""
        self._deadline = time.monotonic() + seconds + _GRACE
        try:
            yield
        finally:
            self._deadline = math.inf
