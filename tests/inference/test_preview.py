"""The board of looks: the newest of each watched camera, from threads of workers to those who watch."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from inference import preview
from inference.look import Look
from inference.preview import PreviewBoard

NOBODY = np.zeros((0, 4), np.float32)


def look(camera: str, time_us: int = 0) -> Look:
    return Look(camera, time_us, np.zeros((9, 16), np.uint8), NOBODY, (), 0)


def test_only_watched_cameras_are_shown() -> None:
    board = PreviewBoard()
    board.watch("door")
    assert [board.is_watched(each) for each in ("door", "till")] == [True, False]
    board.show(look("door"))
    board.show(look("till"))
    shown = board.newest("door")
    assert shown
    assert (shown.look.camera_id, shown.number, shown.fps) == ("door", 1, None)
    assert board.newest("till") is None


def test_the_newest_look_replaces_the_one_before() -> None:
    board = PreviewBoard()
    board.watch("door")
    for number in range(3):
        board.show(look("door", number))
    shown = board.newest("door")
    assert shown
    assert (shown.look.captured_at, shown.number) == (2, 3)
    assert shown.fps is None or shown.fps > 0


def test_the_rate_is_that_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    board = PreviewBoard()
    for _ in range(100):
        board.watch("door")
        board.show(look("door"))
        now[0] += 0.25
    shown = board.newest("door")
    assert shown
    assert shown.fps == pytest.approx(4)


def test_who_watches_waits_for_the_first_look() -> None:
    board = PreviewBoard()
    board.watch("door")
    assert board.newest("door", timeout=0.01) is None
    thread = threading.Timer(0.05, lambda: board.show(look("door")))
    thread.start()
    assert board.newest("door", timeout=60) is not None
    thread.join()


def test_a_camera_is_no_longer_watched_some_seconds_after_the_last_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    board = PreviewBoard()
    board.watch("door")
    board.watch("till")
    board.show(look("door"))
    now[0] += preview.WATCHED_S - 1
    board.watch("till")
    assert board.is_watched("door")
    now[0] += 2
    assert board.is_watched("till")
    assert not board.is_watched("door")
    assert board.newest("door") is None, "its picture is not kept"


def test_the_board_knows_which_cameras_are_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    board = PreviewBoard()
    assert board.idle_s("door") is None
    board.is_watched("door")
    now[0] += 3
    assert board.idle_s("door") == pytest.approx(3)
