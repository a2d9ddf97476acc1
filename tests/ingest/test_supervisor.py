"""Network cameras that fail, and a list of cameras that changes, while other cameras continue."""

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

from bus.leases import Lease
from bus.messages import CameraState, Frame, Switches
from common.clock import wall_clock_us
from common.masks import make_masks
from ingest.camera_source import CameraSource, Pixels, UndecodedPicture
from ingest.cameras import Camera, CameraPolicy
from ingest.sources import open_source
from ingest.stillness import BLACK, FROZEN
from media.images import decode_gray
from storage.errors import DatabaseError
from tests.support.captures import PATIENCE, QUICK, RunningCaptures, capturing, write_video
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


def assert_undisturbed(running: RunningCaptures, camera_id: str) -> None:
    """Assert that a camera has been online without interruption up to now."""
    running.consumer.wait_for_frames(camera_id, 3)
    frames = running.consumer.of(camera_id)
    assert len({frame.epoch for frame in frames}) == 1
    assert [frame.seq for frame in frames] == list(range(len(frames)))
    states = {each.state for each in running.sink.healths if each.camera_id == camera_id}
    assert states <= {CameraState.CONNECTING, CameraState.ONLINE}
    steps = np.diff([frame.captured_at for frame in frames]) / 1e6
    assert steps.max() < 2, "a gap"


def latest(running: RunningCaptures, camera_id: str) -> Frame:
    running.consumer.wait_for_frames(camera_id, 1)
    return running.consumer.of(camera_id)[-1]


def test_a_camera_is_sampled_published_and_counted(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as running:
        running.consumer.wait_for_frames("door", 30)
        health = running.sink.wait_for_state("door", CameraState.ONLINE)
        assert (health.reason, health.reconnects) == ("", 0)
        running.sink.wait_for(lambda: 8 < running.sink.healths[-1].fps < 11)
        assert abs(latest(running, "door").captured_at - wall_clock_us()) < 10_000_000
        assert_undisturbed(running, "door")
        running.finish()
        frames = running.consumer.of("door")
        assert (running.captured("door"), running.sink.dropped("door")) == (len(frames), {})
        for frame in frames:
            decoded = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
            assert decoded is not None
            assert decoded.shape == (frame.height, frame.width) == (96, 128)
        last = running.sink.healths[-1]
        assert (last.state, last.reason) == (CameraState.ENDED, "Mien was stopped")


def test_a_camera_whose_connection_is_closed_is_opened_again_and_the_other_is_not_affected(
    door: MjpegCamera, till: MjpegCamera
) -> None:
    with capturing(Camera("door", door.url(), 5), Camera("till", till.url(), 5)) as running:
        before = latest(running, "door")
        door.stop()
        lost = running.sink.wait_for_state("door", CameraState.RETRYING)
        assert lost.reason
        running.sink.wait_for_state("door", CameraState.RETRYING, "no connection: connection refused")
        reported = len(running.sink.healths)
        door.start()
        back = running.sink.wait_for_state("door", CameraState.ONLINE, after=reported)
        assert back.reconnects > 0
        assert back.reason == ""
        after = latest(running, "door")
        assert after.epoch > before.epoch
        assert_undisturbed(running, "till")


def test_a_camera_that_stops_sending_is_opened_again(door: MjpegCamera, till: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 5), Camera("till", till.url(), 5)) as running:
        running.consumer.wait_for_frames("door", 3)
        door.shows = "nothing"
        running.sink.wait_for_state("door", CameraState.RETRYING, "no picture for 2 s")
        reported = len(running.sink.healths)
        door.shows = "moving"
        running.sink.wait_for_state("door", CameraState.ONLINE, after=reported)
        assert_undisturbed(running, "till")


def test_a_frozen_picture_is_reported_and_not_published_until_it_moves(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as running:
        running.consumer.wait_for_frames("door", 5)
        door.shows = "frozen"
        running.sink.wait_for_state("door", CameraState.RETRYING, FROZEN)
        reported, connections = len(running.sink.healths), door.connections
        published = len(running.consumer.of("door"))
        running.sink.wait_for(lambda: door.connections > connections + 1)
        assert {each.state for each in running.sink.healths[reported:]} <= {CameraState.RETRYING}
        assert len(running.consumer.of("door")) <= published + 1
        door.shows = "moving"
        running.sink.wait_for_state("door", CameraState.ONLINE, after=reported)
        running.finish()
        assert running.sink.dropped("door")["frozen picture"] > 0
        assert (
            running.captured("door")
            == len(running.consumer.of("door")) + running.sink.dropped("door").total()
        )


def test_a_black_picture_is_reported_and_the_camera_stays_online(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as running:
        running.consumer.wait_for_frames("door", 2)
        door.shows = "black"
        running.sink.wait_for_state("door", CameraState.ONLINE, BLACK)
        reported = len(running.sink.healths)
        door.shows = "moving"
        running.sink.wait_for(lambda: any(each.reason == "" for each in running.sink.healths[reported:]))
        assert door.connections == 1


def test_damaged_pictures_are_counted_and_a_camera_that_sends_nothing_else_is_lost(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as running:
        running.consumer.wait_for_frames("door", 2)
        door.shows = "damaged"
        running.sink.wait_for_state(
            "door", CameraState.RETRYING, "no picture that can be decoded: truncated JPEG"
        )
        door.shows = "moving"
        running.consumer.wait_for_frames("door", 2)
        running.finish()
        dropped = running.sink.dropped("door")
        assert dropped["damaged picture"] > 0
        assert running.captured("door") == len(running.consumer.of("door")) + dropped.total()


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_camera_that_never_responds_delays_no_other(scheme: str, till: MjpegCamera, tmp_path: Path) -> None:
    clip = str(write_video(tmp_path / "clip.mp4", pictures=25))
    settings = replace(QUICK, open_timeout=6.0, loop=True)
    with socket.create_server(("127.0.0.1", 0)) as hole:
        url = f"{scheme}://127.0.0.1:{hole.getsockname()[1]}/live"
        began = time.monotonic()
        cameras = Camera("hole", url, 5), Camera("till", till.url(), 5), Camera("clip", clip, 5)
        with capturing(*cameras, settings=settings) as running:
            for camera_id in ("till", "clip"):
                running.consumer.wait_for_frames(camera_id, 1)
            assert time.monotonic() - began < 5, "they waited for the camera that does not respond"
            running.sink.wait_for_state("hole", CameraState.RETRYING, "no answer within 6 s")
            assert_undisturbed(running, "till")


def test_a_wrong_login_is_reported(door: MjpegCamera) -> None:
    door.login = ("admin", "right")
    with capturing(Camera("door", door.url("admin:${DOOR}@"), 5), environ={"DOOR": "wrong"}) as running:
        running.sink.wait_for_state("door", CameraState.RETRYING, "refuses the login (401)")
        door.login = ("admin", "wrong")
        running.sink.wait_for_state("door", CameraState.ONLINE)


def test_dropped_frames_are_counted_and_the_totals_agree(door: MjpegCamera) -> None:
    door.fps = 100
    with capturing(Camera("door", door.url(), None), capacity=2, pause=0.1) as running:
        running.sink.wait_for(lambda: running.sink.dropped("door").total() > 50)
        running.finish()
        frames = running.consumer.of("door")
        dropped = running.sink.dropped("door")
        assert set(dropped) == {"buffer full"}
        assert running.captured("door") == len(frames) + dropped.total()
        assert frames[-1].seq == running.captured("door") - 1, "the newest is kept"


def test_changes_of_the_list_are_followed_while_others_continue(door: MjpegCamera, till: MjpegCamera) -> None:
    camera = Camera("door", door.url(), 10)
    with capturing(Camera("till", till.url(), 5)) as running:
        running.consumer.wait_for_frames("till", 2)

        running.camera_list.now.append(camera)
        running.consumer.wait_for_frames("door", 3)

        running.camera_list.change("door", replace(camera, paused=True, pause_reason="stocktaking"))
        running.sink.wait_for_state("door", CameraState.PAUSED, "stocktaking")
        published = len(running.consumer.of("door"))
        reported = len(running.sink.healths)
        running.consumer.wait_for_frames("till", 3)
        assert len(running.consumer.of("door")) == published

        running.camera_list.change("door", camera)
        running.sink.wait_for_state("door", CameraState.ONLINE, after=reported)
        running.consumer.wait_for_frames("door", 3)

        connections = door.connections
        running.camera_list.change("door", replace(camera, fps=2.0))
        running.sink.wait_for(lambda: door.connections > connections)
        running.consumer.wait_for_frames("door", 2)

        running.camera_list.now = [each for each in running.camera_list.now if each.id != "door"]
        running.sink.wait_for(lambda: threads_of("door") == [])
        reported = len(running.sink.healths)
        running.consumer.wait_for_frames("till", 5)
        assert all(each.camera_id == "till" for each in running.sink.healths[reported:])
        assert running.supervisor.states() == [CameraState.ONLINE]
        assert_undisturbed(running, "till")
        running.finish()
        assert running.captured("door") == len(running.consumer.of("door"))


def test_a_changed_policy_needs_no_restart_and_applies_to_the_next_frames(door: MjpegCamera) -> None:
    camera = Camera("door", door.url(), 10)
    with capturing(camera, settings=replace(QUICK, motion_gate=False)) as running:
        running.consumer.wait_for_frames("door", 3)
        assert decode_gray(latest(running, "door").jpeg).any()
        policy = CameraPolicy(make_masks([[0, 0, 1, 1]]), Switches(expression=False))
        running.camera_list.change("door", replace(camera, policy=policy))
        running.consumer.wait_for(lambda: not running.consumer.of("door")[-1].switches.expression)
        running.consumer.wait_for_frames("door", 2)
        assert decode_gray(latest(running, "door").jpeg).max() < 8, "JPEG changes black a little"
        assert_undisturbed(running, "door")
        assert door.connections == 1


def test_a_camera_that_is_closed_is_not_opened_and_says_why(door: MjpegCamera, till: MjpegCamera) -> None:
    closed = Camera("door", door.url(), 10, closed="outside of its opening hours, until Mo 09:00")
    with capturing(closed, Camera("till", till.url(), 5)) as running:
        running.sink.wait_for_state("door", CameraState.NOT_SCHEDULED, "until Mo 09:00")
        running.consumer.wait_for_frames("till", 2)
        assert (door.connections, running.consumer.of("door")) == (0, [])
        running.camera_list.change("door", replace(closed, closed=""))
        running.consumer.wait_for_frames("door", 2)
        reported = len(running.sink.healths)
        running.camera_list.change("door", closed)
        running.sink.wait_for_state("door", CameraState.NOT_SCHEDULED, after=reported)
        assert_undisturbed(running, "till")
    last = [each for each in running.sink.healths if each.camera_id == "door"][-1]
    assert last.state is CameraState.NOT_SCHEDULED, "also after Mien was stopped"


def test_a_camera_whose_thread_cannot_be_started_is_tried_again(
    door: MjpegCamera, till: MjpegCamera, caplog: pytest.LogCaptureFixture
) -> None:
    with capturing(Camera("door", door.url(), 5)) as running:
        running.consumer.wait_for_frames("door", 2)
        threading.stack_size(1 << 46)  # More than the system gives a thread.
        try:
            running.camera_list.now.append(Camera("till", till.url(), 5))
            running.consumer.wait_for_frames("door", 2)
            running.sink.wait_for(lambda: "camera till: can't start new thread" in caplog.text)
        finally:
            threading.stack_size(0)
        running.consumer.wait_for_frames("till", 2)
        assert_undisturbed(running, "door")
    assert caplog.text.count("can't start new thread") == 1


def test_a_camera_whose_reader_cannot_be_started_is_opened_again(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 5)) as running:
        running.consumer.wait_for_frames("door", 2)
        threading.stack_size(1 << 46)  # More than the system gives a thread.
        try:
            door.stop()
            running.sink.wait_for_state("door", CameraState.RETRYING, "can't start new thread")
        finally:
            threading.stack_size(0)
        reported = len(running.sink.healths)
        door.start()
        running.sink.wait_for_state("door", CameraState.ONLINE, after=reported)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_sink_that_is_no_outage_ends_the_captures_and_is_kept(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 5)) as running:
        running.consumer.wait_for_frames("door", 2)
        running.supervisor.check()
        running.sink.refusal = DatabaseError("no permission")
        assert running.supervisor.ended.wait(PATIENCE)
        running.supervisor.stop()
        assert threads_of("door") == []
        with pytest.raises(DatabaseError, match="no permission"):
            running.supervisor.check()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_leases_that_is_no_outage_is_reported_by_the_supervisor(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 5)) as running:
        running.consumer.wait_for_frames("door", 2)
        running.leases.refusal = DatabaseError("no permission")
        running.sink.wait_for(lambda: running.keeper.error is not None)
        with pytest.raises(DatabaseError, match="no permission"):
            running.supervisor.check()


def test_the_previous_list_stays_in_force_while_the_list_is_unavailable(door: MjpegCamera) -> None:
    with capturing(Camera("door", door.url(), 10)) as running:
        running.consumer.wait_for_frames("door", 2)
        running.camera_list.unavailable = True
        running.consumer.wait_for_frames("door", 10)
        assert_undisturbed(running, "door")


def test_a_camera_is_captured_only_while_this_process_holds_its_lease(
    door: MjpegCamera, till: MjpegCamera
) -> None:
    with capturing(Camera("door", door.url(), 10), Camera("till", till.url(), 10)) as running:
        running.consumer.wait_for_frames("door", 3)
        lease = running.leases.leases["door"]
        elsewhere = Lease(
            "door", "other", "shop-2 pid 7", lease.token + 1, lease.renewed_at + 1, expired=False
        )
        running.leases.leases["door"] = elsewhere
        running.sink.wait_for(lambda: threads_of("door") == [])
        published, reported = len(running.consumer.of("door")), len(running.sink.healths)
        running.consumer.wait_for_frames("till", 10)
        assert len(running.consumer.of("door")) == published
        assert {each.camera_id for each in running.sink.healths[reported:]} <= {"till"}

        running.leases.leases["door"] = replace(elsewhere, expired=True)
        running.consumer.wait_for_frames("door", 3)
        frames = running.consumer.of("door")
        assert frames[-1].epoch > frames[0].epoch
        assert_undisturbed(running, "till")
        running.finish()
        assert (
            running.captured("door")
            == len(running.consumer.of("door")) + running.sink.dropped("door").total()
        )


def test_cameras_are_closed_while_leases_cannot_be_renewed_and_a_recording_waits(
    door: MjpegCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.camera_lease.LEASE_S", 1.0)
    monkeypatch.setattr("ingest.leases.LEASE_S", 1.0)
    monkeypatch.setattr("ingest.leases.RENEW_EVERY_S", 0.2)
    clip = str(write_video(tmp_path / "clip.mp4", pictures=400))
    settings = replace(QUICK, fast=True)
    cameras = Camera("door", door.url(), 10), Camera("clip", clip, None)
    with capturing(*cameras, settings=settings, capacity=1, pause=0.01) as running:
        running.consumer.wait_for_frames("door", 3)
        running.leases.unavailable = True
        running.sink.wait_for(lambda: threads_of("door") == [])
        running.leases.unavailable = False
        running.consumer.wait_for_frames("door", 3)
        running.sink.wait_for_state("clip", CameraState.ENDED)
        running.finish()
        frames, dropped = running.consumer.of("clip"), running.sink.dropped("clip")
        assert len({frame.epoch for frame in frames}) == 1, "a recording is not opened again"
        assert len(frames) + dropped["lease expired"] == 400, "and read to its end"
        assert dropped.total() <= 1, "at most the picture that was being published when the lease expired"


def test_counts_are_kept_during_an_outage_of_the_sink(
    door: MjpegCamera, caplog: pytest.LogCaptureFixture
) -> None:
    with capturing(Camera("door", door.url(), 20), capacity=2, pause=0.1) as running:
        running.sink.wait_for_state("door", CameraState.ONLINE)
        running.sink.unavailable = True
        running.sink.wait_for(lambda: running.sink.refused > 5)
        running.consumer.wait_for_frames("door", 5)
        assert sum("cannot be stored, they are kept" in each.getMessage() for each in caplog.records) == 1
        running.sink.unavailable = False
        running.finish()
        frames, dropped = running.consumer.of("door"), running.sink.dropped("door")
        assert running.captured("door") == len(frames) + dropped.total()


def test_counts_that_could_not_be_stored_before_the_stop_are_logged(
    door: MjpegCamera, caplog: pytest.LogCaptureFixture
) -> None:
    with capturing(Camera("door", door.url(), 20), capacity=2, pause=0.2) as running:
        running.consumer.wait_for_frames("door", 2)
        running.sink.unavailable = True
        before = running.captured("door")
        running.consumer.wait_for(lambda: running.captured("door") > before + 20)
        running.supervisor.stop(1.0)
        running.sink.wait_for(
            lambda: any("pictures were not stored" in each.getMessage() for each in caplog.records)
        )


def test_captures_that_do_not_end_in_time_are_logged(
    door: MjpegCamera, caplog: pytest.LogCaptureFixture
) -> None:
    with capturing(Camera("door", door.url(), 20)) as running:
        running.consumer.wait_for_frames("door", 2)
        running.supervisor.stop(0.0)
        assert any("captures have not ended within 0 s" in each.getMessage() for each in caplog.records)


@pytest.mark.parametrize("step", [HOUR_NS, -HOUR_NS])
def test_a_step_of_the_clock_restarts_nothing(
    door: MjpegCamera, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with capturing(Camera("door", door.url(), 10)) as running:
        running.consumer.wait_for_frames("door", 3)
        time_ns, before = time.time_ns, running.consumer.of("door")[-1].captured_at
        monkeypatch.setattr(time, "time_ns", lambda: time_ns() + step)
        running.consumer.wait_for_frames("door", 30)
        frames = running.consumer.of("door")
        assert abs(frames[-1].captured_at - before) > 3_000_000_000, "the clock was stepped"
        assert len({frame.epoch for frame in frames}) == 1
        assert door.connections == 1
        assert {each.state for each in running.sink.healths} <= {CameraState.CONNECTING, CameraState.ONLINE}


class StuckSource(CameraSource):
    """A source that returns a few pictures and then blocks until it is released."""

    live = True
    released = threading.Event()
    opened = 0

    def __init__(self) -> None:
        type(self).opened += 1
        self._read = 0

    def read(self) -> UndecodedPicture:
        self._read += 1
        if self._read > 3:
            self.released.wait(PATIENCE * 2)
            time.sleep(0.02)
        return UndecodedPicture(None, self._pixels)

    def close(self) -> None:
        """Do nothing."""

    def _pixels(self) -> Pixels:
        return np.random.default_rng(self._read).integers(0, 255, (48, 64)).astype(np.uint8)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StuckSource]]:
    """Make webcam 0 a source that gets stuck."""
    StuckSource.released.clear()
    StuckSource.opened = 0

    def open_or_hang(source: str, **options: Any) -> CameraSource:
        return StuckSource() if source == "0" else open_source(source, **options)

    monkeypatch.setattr("ingest.capture.open_source", open_or_hang)
    yield StuckSource
    StuckSource.released.set()
    for thread in threads_of("webcam"):
        thread.join(PATIENCE)


def threads_of(camera_id: str) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.endswith(f" {camera_id}")]


def test_a_stuck_source_is_abandoned(stuck: type[StuckSource], till: MjpegCamera) -> None:
    with capturing(Camera("webcam", "0", None), Camera("till", till.url(), 10)) as running:
        running.sink.wait_for_state("webcam", CameraState.RETRYING, "the source hangs: it does not return")
        running.sink.wait_for(lambda: stuck.opened == 3)
        running.sink.wait_for_state("webcam", CameraState.RETRYING, "3 attempts to read it have not returned")
        reported = len(running.sink.healths)
        running.consumer.wait_for_frames("till", 10)
        assert stuck.opened == 3, "it is not opened again"
        assert len(running.consumer.of("webcam")) == 9

        began = time.monotonic()
        stuck.released.set()
        running.sink.wait_for_state("webcam", CameraState.ONLINE, after=reported)
        assert_undisturbed(running, "till")
        running.finish()
        late = [frame for frame in running.consumer.of("webcam") if frame.seq > 2]
        assert all(frame.captured_at > wall_clock_us() - (time.monotonic() - began) * 1e6 for frame in late)
        assert len({frame.epoch for frame in late}) == 1, "an abandoned reader published nothing"


def test_stopping_does_not_wait_for_a_stuck_source(stuck: type[StuckSource], till: MjpegCamera) -> None:
    cameras = [Camera("till", till.url(), 10)]
    cameras += [Camera("webcam", "0", None)]
    with capturing(*cameras) as running:
        running.consumer.wait_for_frames("webcam", 3)
        running.consumer.wait_for_frames("till", 1)
        began = time.monotonic()
        running.supervisor.stop()
        assert time.monotonic() - began < 3
        published = len(running.consumer.of("webcam"))
        stuck.released.set()
        for thread in threads_of("webcam"):
            thread.join(PATIENCE)
        running.finish()
        assert len(running.consumer.of("webcam")) == published
        assert running.captured("till") == len(running.consumer.of("till"))


def test_a_pipe_without_a_writer_does_not_delay_the_others(till: MjpegCamera, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with capturing(Camera("pipe", str(pipe), 5), Camera("till", till.url(), 10)) as running:
        running.sink.wait_for_state("pipe", CameraState.ENDED, "the source hangs: it does not return")
        assert "hangs" in running.supervisor.failures()["pipe"]
        assert_undisturbed(running, "till")
        while threads_of("pipe"):
            with suppress(OSError):
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            time.sleep(0.05)
