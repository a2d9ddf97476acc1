"""What a reader knows of each of its partitions: how far it is, what waits, what has been there before."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from bus.messages import Partition
from bus.transport import Record

_REMEMBERED = 4096


class Arrivals:
    """Tells new frames of a partition from those that come twice or too late.

    A producer that misses an acknowledgement sends the same frames once more, and what lay in the socket of
    a broker that stood still comes after younger frames, long after it was given up. Within one run of a
    capture (camera and epoch) only a higher `seq` than before is new. The last 4096 runs are remembered.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[bytes, bytes], int] = {}

    def is_new(self, headers: Mapping[str, bytes]) -> bool:
        """Note a record; what cannot be told apart is new, so that its defect is found later on."""
        try:
            run, seq = (headers["camera"], headers["epoch"]), int(headers["seq"])
        except (KeyError, ValueError):
            return True
        last = self._last.pop(run, -1)
        self._last[run] = max(last, seq)
        if len(self._last) > _REMEMBERED:
            del self._last[next(iter(self._last))]
        return seq > last


@dataclass(slots=True)
class Lane:
    """One partition that a reader owns.

    `read` is the offset of the next record to take in, `stored` that of the next one that the sink does not
    hold, `told` the last position that a batch carried, `goal` where a reader that drains has seen it all.
    """

    partition: Partition
    read: int
    stored: int
    told: int
    goal: int
    waiting: deque[Record] = field(default_factory=deque)
    arrivals: Arrivals = field(default_factory=Arrivals)

    def take_in(self, record: Record) -> int:
        """Let a record wait if it is new; how many before it were deleted unread.

        A record before `read` is there only to be remembered.
        """
        is_new = self.arrivals.is_new(record.headers)
        if record.offset < self.read:
            return 0
        missing = record.offset - self.read
        self.read = record.offset + 1
        if is_new:
            self.waiting.append(record)
        return missing

    @property
    def position(self) -> int:
        """The offset of the next record to be handed out."""
        return self.waiting[0].offset if self.waiting else self.read

    @property
    def is_done(self) -> bool:
        """Whether everything up to the goal is stored."""
        return self.stored >= self.goal and not self.waiting
