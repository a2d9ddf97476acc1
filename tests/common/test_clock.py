from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.clock import wall_clock_us


def test_the_wall_clock_is_utc_in_microseconds() -> None:
    shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=wall_clock_us())
    assert abs(datetime.now(UTC) - shown) < timedelta(seconds=60)
