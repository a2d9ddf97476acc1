from __future__ import annotations

import pytest

from dashboard.components import describe_freshness

NOW = 1_700_000_000_000_000


@pytest.mark.parametrize(("seconds", "live"), [(0, True), (1, True), (600, False), (-2, True)])
def test_a_recent_result_is_live(seconds: int, live: bool) -> None:
    assert describe_freshness(NOW - seconds * 1_000_000, NOW)[1] is live


@pytest.mark.parametrize("seconds", [61, 3600, 86_400])
def test_a_result_of_the_future_is_never_live(seconds: int) -> None:
    text, live = describe_freshness(NOW + seconds * 1_000_000, NOW)
    assert not live
    assert "Live" not in text
    assert "in the future: a clock is wrong" in text
