"""Network cameras that fail in every way, and a list of cameras that changes, while others go on."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bus.messages import CameraState, Frame
from ingest.cameras import Camera
from ingest.health import wall_clock_us
from ingest.pictures import Picture, Pixels
from ingest.sources import Source, open_source
from ingest.stillness import BLACK, FROZEN
from tests.support.captures import PATIENCE, QUICK, Scene, capturing, write_video
from tests.support.mjpeg_camera import MjpegCamera

HOUR_NS = 3600 * 10**9


@pytest.fixture
def door() -> Iterator[MjpegCamera]:
    with MjpegCamera() as camera:
        yield camera


@pytest.fixture
def till() -> Iterator[MjpegCamera]:
    with MjpegCamera() as camera:
        yield camera


def undisturbed(scene: Scene, camera_id: str) -> None:
    """Assert that a camera was online in one go, up to now, and is still."""
    scene.viewer.wait_for_frames(camera_id, 3)
    frames = scene.viewer.of(camera_id)
    assert len({frame.epoch for frame in frames}) == 1
    assert [frame.seq for frame in frames] == list(range(len(frames)))
    states = {each.state for each in scene.books.healths if each.camera_id == camera_id}
    assert states <= {CameraState.CONNECTING, CameraState.ONLINE}
    steps = np.diff([frame.captured_at for frame in frames]) / 1e6
    assert steps.max() < 2, "a gap"


def latest(scene: Scene, camera_id: str) -> Frame:
    scene.viewer.wait_for_frames(camera_id, 1)
    return scene.viewer.of(camera_id)[-1]


def test_a_camera_is_sampled_published_and_counted(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as scene:
        scene.viewer.wait_for_frames("door", 30)
        health = scene.books.wait_for_state("door", CameraState.ONLINE)
        assert (health.reason, health.reconnects) == ("", 0)
        scene.books.wait_for(lambda: 8 < scene.books.healths[-1].fps < 11)
        assert abs(latest(scene, "door").captured_at - wall_clock_us()) < 10_000_000
        undisturbed(scene, "door")
        scene.finish()
        frames = scene.viewer.of("door")
        assert (scene.books.captured("door"), scene.books.dropped("door")) == (len(frames), {})
        for frame in frames:
            decoded = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
            assert decoded is not None
            assert decoded.shape == (frame.height, frame.width) == (96, 128)
        last = scene.books.healths[-1]
        assert (last.state, last.reason) == (CameraState.ENDED, "Mien was stopped")


def test_a_camera_that_is_cut_comes_back_and_the_other_never_notices(
    door: MjpegCamera, till: MjpegCamera
) -> None:
    with capturing(Camera("door", door.url(), 5), Camera("till", till.url(), 5)) as scene:
        before = latest(scene, "door")
        door.stop()
        lost = scene.books.wait_for_state("door", CameraState.RETRYING)
        assert lost.reason
        scene.books.wait_for_state("door", CameraState.RETRYING, "no connection: connection refused")
        told = len(scene.books.healths)
        door.start()
        back = scene.books.wait_for_state("door", CameraState.ONLINE, after=told)
        assert back.reconnects > 0
        assert back.reason == ""
        after = latest(scene, "door")
        assert after.epoch > before.epoch
        undisturbed(scene, "till")


def test_a_camera_that_falls_silent_is_opened_again(door: MjpegCamera, till: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 5), Camera("till", till.url(), 5)) as scene:
        scene.viewer.wait_for_frames("door", 3)
        door.shows = "nothing"
        scene.books.wait_for_state("door", CameraState.RETRYING, "no picture for 2 s")
        told = len(scene.books.healths)
        door.shows = "moving"
        scene.books.wait_for_state("door", CameraState.ONLINE, after=told)
        undisturbed(scene, "till")


def test_a_frozen_picture_is_told_and_not_published_until_it_moves(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as scene:
        scene.viewer.wait_for_frames("door", 5)
        door.shows = "frozen"
        scene.books.wait_for_state("door", CameraState.RETRYING, FROZEN)
        told, connections = len(scene.books.healths), door.connections
        published = len(scene.viewer.of("door"))
        scene.books.wait_for(lambda: door.connections > connections + 1)
        assert {each.state for each in scene.books.healths[told:]} <= {CameraState.RETRYING}
        assert len(scene.viewer.of("door")) <= published + 1
        door.shows = "moving"
        scene.books.wait_for_state("door", CameraState.ONLINE, after=told)
        scene.finish()
        assert scene.books.dropped("door")["frozen picture"] > 0
        assert (
            scene.books.captured("door") == len(scene.viewer.of("door")) + scene.books.dropped("door").total()
        )


def test_a_black_picture_is_told_and_the_camera_stays_online(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as scene:
        scene.viewer.wait_for_frames("door", 2)
        door.shows = "black"
        scene.books.wait_for_state("door", CameraState.ONLINE, BLACK)
        told = len(scene.books.healths)
        door.shows = "moving"
        scene.books.wait_for(lambda: any(each.reason == "" for each in scene.books.healths[told:]))
        assert door.connections == 1


def test_damaged_pictures_are_counted_and_a_camera_that_sends_nothing_else_is_lost(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as scene:
        scene.viewer.wait_for_frames("door", 2)
        door.shows = "damaged"
        scene.books.wait_for_state(
            "door", CameraState.RETRYING, "no picture that can be decoded: a JPEG that ends"
        )
        door.shows = "moving"
        scene.viewer.wait_for_frames("door", 2)
        scene.finish()
        dropped = scene.books.dropped("door")
        assert dropped["damaged picture"] > 0
        assert scene.books.captured("door") == len(scene.viewer.of("door")) + dropped.total()


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_camera_that_never_answers_holds_nobody_up(scheme: str, till: MjpegCamera, tmp_path: Path) -> None:
    clip = str(write_video(tmp_path / "clip.mp4", pictures=25))
    settings = replace(QUICK, open_timeout=6.0, loop=True)
    with socket.create_server(("127.0.0.1", 0)) as hole:
        url = f"{scheme}://127.0.0.1:{hole.getsockname()[1]}/live"
        began = time.monotonic()
        cameras = Camera("hole", url, 5), Camera("till", till.url(), 5), Camera("clip", clip, 5)
        with capturing(*cameras, settings=settings) as scene:
            for camera_id in ("till", "clip"):
                scene.viewer.wait_for_frames(camera_id, 1)
            assert time.monotonic() - began < 5, "they waited for the camera that does not answer"
            scene.books.wait_for_state("hole", CameraState.RETRYING, "no answer within 6 s")
            undisturbed(scene, "till")


def test_a_wrong_login_is_told(door: MjpegCamera) -> None:
    door.login = ("admin", "right")
    with capturing(Camera("door", door.url("admin:${DOOR}@"), 5), environ={"DOOR": "wrong"}) as scene:
        scene.books.wait_for_state("door", CameraState.RETRYING, "refuses the login (401)")
        door.login = ("admin", "wrong")
        scene.books.wait_for_state("door", CameraState.ONLINE)


def test_dropped_pictures_are_counted_and_all_adds_up(door: MjpegCamera) -> None:
    door.fps = 100
    with capturing(Camera("door", door.url(), None), capacity=2, pause=0.1) as scene:
        scene.books.wait_for(lambda: scene.books.dropped("door").total() > 50)
        scene.finish()
        frames = scene.viewer.of("door")
        dropped = scene.books.dropped("door")
        assert set(dropped) == {"buffer full"}
        assert scene.books.captured("door") == len(frames) + dropped.total()
        assert frames[-1].seq == scene.books.captured("door") - 1, "the newest is kept"


def test_the_list_is_followed_while_others_go_on(door: MjpegCamera, till: MjpegCamera) -> None:
    camera = Camera("door", door.url(), 10)
    with capturing(Camera("till", till.url(), 5)) as scene:
        scene.viewer.wait_for_frames("till", 2)

        scene.shelf.now.append(camera)
        scene.viewer.wait_for_frames("door", 3)

        scene.shelf.change("door", replace(camera, paused=True, pause_reason="stocktaking"))
        scene.books.wait_for_state("door", CameraState.PAUSED, "stocktaking")
        published = len(scene.viewer.of("door"))
        told = len(scene.books.healths)
        scene.viewer.wait_for_frames("till", 3)
        assert len(scene.viewer.of("door")) == published

        scene.shelf.change("door", camera)
        scene.books.wait_for_state("door", CameraState.ONLINE, after=told)
        scene.viewer.wait_for_frames("door", 3)

        connections = door.connections
        scene.shelf.change("door", replace(camera, fps=2.0))
        scene.books.wait_for(lambda: door.connections > connections)
        scene.viewer.wait_for_frames("door", 2)

        scene.shelf.now = [each for each in scene.shelf.now if each.id != "door"]
        scene.books.wait_for(lambda: threads_of("door") == [])
        told = len(scene.books.healths)
        scene.viewer.wait_for_frames("till", 5)
        assert all(each.camera_id == "till" for each in scene.books.healths[told:])
        undisturbed(scene, "till")
        scene.finish()
        assert scene.books.captured("door") == len(scene.viewer.of("door"))


def test_while_the_list_is_away_the_last_one_stays_in_force(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as scene:
        scene.viewer.wait_for_frames("door", 2)
        scene.shelf.away = True
        scene.viewer.wait_for_frames("door", 10)
        undisturbed(scene, "door")


def test_counts_are_kept_while_the_sink_is_away(door: MjpegCamera, caplog: pytest.LogCaptureFixture) -> None:
    with capturing(Camera("door", door.url(), 20), capacity=2, pause=0.1) as scene:
        scene.books.wait_for_state("door", CameraState.ONLINE)
        scene.books.away = True
        scene.books.wait_for(lambda: scene.books.refused > 5)
        scene.viewer.wait_for_frames("door", 5)
        assert sum("cannot be stored, they are kept" in each.getMessage() for each in caplog.records) == 1
        scene.books.away = False
        scene.finish()
        frames, dropped = scene.viewer.of("door"), scene.books.dropped("door")
        assert scene.books.captured("door") == len(frames) + dropped.total()


def test_counts_that_cannot_be_stored_to_the_end_are_told(
    door: MjpegCamera, caplog: pytest.LogCaptureFixture
) -> None:
    with capturing(Camera("door", door.url(), 20)) as scene:
        scene.viewer.wait_for_frames("door", 2)
        scene.books.away = True
        scene.supervisor.stop(1.0)
        scene.books.wait_for(
            lambda: any("pictures were not stored" in each.getMessage() for each in caplog.records)
        )


@pytest.mark.parametrize("step", [HOUR_NS, -HOUR_NS])
def test_a_step_of_the_clock_restarts_nothing(
    door: MjpegCamera, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with capturing(Camera("door", door.url(), 10)) as scene:
        scene.viewer.wait_for_frames("door", 3)
        time_ns, before = time.time_ns, scene.viewer.of("door")[-1].captured_at
        monkeypatch.setattr(time, "time_ns", lambda: time_ns() + step)
        scene.viewer.wait_for_frames("door", 30)
        frames = scene.viewer.of("door")
        assert abs(frames[-1].captured_at - before) > 3_000_000_000, "the clock was stepped"
        assert len({frame.epoch for frame in frames}) == 1
        assert door.connections == 1
        assert {each.state for each in scene.books.healths} <= {CameraState.CONNECTING, CameraState.ONLINE}


class Stuck:
    """A source that shows a few pictures and then does not return until it is released."""

    live = True
    released = threading.Event()
    opened = 0

    def __init__(self) -> None:
        type(self).opened += 1
        self._read = 0

    def read(self) -> Picture:
        self._read += 1
        if self._read > 3:
            self.released.wait(PATIENCE * 2)
            time.sleep(0.02)
        return Picture(None, self._pixels)

    def close(self) -> None:
        """Nothing is open."""

    def _pixels(self) -> Pixels:
        return np.random.default_rng(self._read).integers(0, 255, (48, 64)).astype(np.uint8)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Stuck]]:
    """Webcam 0 is such a source."""
    Stuck.released.clear()
    Stuck.opened = 0

    def open_or_hang(source: str, **options: Any) -> Source:
        return Stuck() if source == "0" else open_source(source, **options)

    monkeypatch.setattr("ingest.capture.open_source", open_or_hang)
    yield Stuck
    Stuck.released.set()
    for thread in threads_of("webcam"):
        thread.join(PATIENCE)


def threads_of(camera_id: str) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.endswith(f" {camera_id}")]


def test_a_source_that_never_returns_is_left_behind(stuck: type[Stuck], till: MjpegCamera) -> None:
    settings = replace(QUICK, read_timeout=0.5)
    with capturing(Camera("webcam", "0", None), Camera("till", till.url(), 10), settings=settings) as scene:
        scene.books.wait_for_state("webcam", CameraState.RETRYING, "the source hangs: it does not return")
        scene.books.wait_for(lambda: stuck.opened == 3)
        scene.books.wait_for_state("webcam", CameraState.RETRYING, "3 attempts to read it never returned")
        told = len(scene.books.healths)
        scene.viewer.wait_for_frames("till", 10)
        assert stuck.opened == 3, "no more threads are spent on it"
        assert len(scene.viewer.of("webcam")) == 9

        began = time.monotonic()
        stuck.released.set()
        scene.books.wait_for_state("webcam", CameraState.ONLINE, after=told)
        undisturbed(scene, "till")
        scene.finish()
        late = [frame for frame in scene.viewer.of("webcam") if frame.seq > 2]
        assert all(frame.captured_at > wall_clock_us() - (time.monotonic() - began) * 1e6 for frame in late)
        assert len({frame.epoch for frame in late}) == 1, "a reader that was given up published nothing"


def test_stopping_does_not_wait_for_a_source_that_hangs(stuck: type[Stuck], till: MjpegCamera) -> None:
    cameras = [Camera("till", till.url(), 10)]
    cameras += [Camera("webcam", "0", None)]
    with capturing(*cameras) as scene:
        scene.viewer.wait_for_frames("webcam", 3)
        scene.viewer.wait_for_frames("till", 1)
        began = time.monotonic()
        scene.supervisor.stop()
        assert time.monotonic() - began < 3
        published = len(scene.viewer.of("webcam"))
        stuck.released.set()
        for thread in threads_of("webcam"):
            thread.join(PATIENCE)
        scene.finish()
        assert len(scene.viewer.of("webcam")) == published
        assert scene.books.captured("till") == len(scene.viewer.of("till"))


def test_a_pipe_that_nobody_fills_holds_nobody_up(till: MjpegCamera, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    settings = replace(QUICK, open_timeout=0.5)
    with capturing(Camera("pipe", str(pipe), 5), Camera("till", till.url(), 10), settings=settings) as scene:
        scene.books.wait_for_state("pipe", CameraState.ENDED, "the source hangs: it does not return")
        assert "hangs" in scene.supervisor.failures()["pipe"]
        undisturbed(scene, "till")
        while threads_of("pipe"):
            with suppress(OSError):
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            time.sleep(0.05)
