"""Media clock: times of the pictures of a recording that never go back, whatever its timestamps do."""

from __future__ import annotations

LONGEST_GAP = 600.0
"""Seconds without a picture that a recording of motion only may have; after more its clock has jumped."""

_STEP_BACK = 2.5
"""Periods by which a timestamp may go back without counting as a clock that started again."""
_LEAST_STEP = 0.001


class MediaClock:
    """Seconds since the first picture, from the timestamps of a container or a stream.

    Timestamps restart where recordings are joined, go back a little where an encoder writes them out of
    order, and jump where the clock of a recorder was set. The times here rise with every picture, and by at
    most `longest_gap`.

    Args:
        period: usual seconds from one picture to the next.
        longest_gap: seconds; a longer gap counts as one of that length.
    """

    def __init__(self, period: float, longest_gap: float = LONGEST_GAP) -> None:
        self._period = period
        self._longest_gap = longest_gap
        self._shift: float | None = None
        self._now = -period

    def tick(self, stamp: float | None) -> float:
        """The time of the next picture, whose timestamp is `stamp` seconds, None where it has none."""
        if stamp is None:
            self._now += self._period
        elif self._shift is None:
            self._start_at(stamp, self._now + self._period)
        else:
            self._follow(stamp, self._shift)
        return self._now

    def _follow(self, stamp: float, shift: float) -> None:
        time_s = stamp + shift
        step = time_s - self._now
        if step > self._longest_gap:
            self._start_at(stamp, self._now + self._longest_gap)
        elif step > 0:
            self._now = time_s
        elif step > -_STEP_BACK * self._period:
            self._now += min(_LEAST_STEP, self._period)
        else:
            self._start_at(stamp, self._now + self._period)

    def _start_at(self, stamp: float, time_s: float) -> None:
        self._now = time_s
        self._shift = time_s - stamp
