from __future__ import annotations

from bus.messages import CameraMinute
from inference.ledger import Ledger

MINUTE = 60_000_000


def test_frames_are_counted_by_camera_and_minute_once() -> None:
    ledger = Ledger()
    ledger.analysed("a", MINUTE - 200_000, faces=2, age_us=30_000)
    ledger.analysed("a", MINUTE, faces=1, age_us=50_000)
    ledger.analysed("b", MINUTE, faces=0, age_us=10_000)
    ledger.stale("a", MINUTE + 1)
    ledger.failed("b", MINUTE + 2)
    assert ledger.take() == (
        CameraMinute("a", 0, analysed=1, faces=2, age_sum_us=30_000),
        CameraMinute("a", MINUTE, analysed=1, faces=1, age_sum_us=50_000, watched_us=200_000, stale=1),
        CameraMinute("b", MINUTE, analysed=1, age_sum_us=10_000, failed=1),
    )
    assert ledger.take() == ()


def test_a_gap_is_not_watched() -> None:
    ledger = Ledger()
    for second in (0, 1, 40, 39):
        ledger.analysed("a", second * 1_000_000, faces=0, age_us=0)
    (minute,) = ledger.take()
    assert minute.watched_us == 1_000_000 + 2_000_000, "at most two seconds a frame, none backwards"
