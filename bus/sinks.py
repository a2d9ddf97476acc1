"""Sinks: where results, camera states and counts are stored, and the errors that a sink may raise.

SinkError
├── SinkUnavailable   the sink cannot store or read at present: call again later, with the same arguments
├── SinkFenced        another worker stores these partitions: drop the results, resume at the sink's positions
└── SinkRefused       the sink refuses these values however often it is called: bad data, or a bug

Any other exception of a sink is a wrong configuration or a bug, and ends the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from bus.messages import CameraHealth, CameraMinute, LastFrame, Partition, Positions, Results


class SinkError(Exception):
    """Root of the errors that callers of a sink handle."""


class SinkUnavailable(SinkError):
    """The sink cannot store or read at present. Nothing is stored; the same call may succeed later."""


class SinkFenced(SinkError):
    """Another worker moved a position. Nothing is stored.

    The sink refuses these partitions until the caller reads their positions again.
    """


class SinkRefused(SinkError):
    """The sink refuses the values. Nothing is stored; the same call fails again."""


class ResultSink(Protocol):
    """Stores the results of workers."""

    def write(self, results: Results, positions: Positions) -> None:
        """Store results and positions, all or nothing.

        Raises:
            SinkUnavailable: call again with the same arguments.
            SinkFenced: a position is not where the caller last wrote or read it, or another worker stored
                frames of a camera that are not older than these, or of a later epoch.
            SinkRefused: a value cannot be stored.
        """

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        """The stored positions of those partitions that have one.

        Raises:
            SinkUnavailable: call again later.
        """

    def last_frames(self, camera_id: str) -> Sequence[LastFrame]:
        """The last stored frame of each epoch of a camera, the latest epochs at least.

        Raises:
            SinkUnavailable: call again later.
        """


class CaptureSink(Protocol):
    """Stores the states and the counts of captures."""

    def report(self, health: CameraHealth) -> None:
        """Store the state of one camera in place of the previous one.

        Raises:
            SinkUnavailable: call again later.
        """

    def count(self, minute: CameraMinute) -> None:
        """Add one increment.

        Raises:
            SinkUnavailable: call again with these counts, or with these and newer ones of the same minute.
        """


class Store(ResultSink, CaptureSink, Protocol):
    """A sink for everything."""
