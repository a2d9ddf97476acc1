"""The wall clock, in the unit of every time that is sent or stored."""

from __future__ import annotations

import time


def wall_clock_us() -> int:
    """The current time in microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000
