"""Video files and folders as cameras: at their own speed, or as fast as the bus accepts their frames."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import pytest
from PIL import Image

from bus.messages import MICROSECONDS, CameraState, Frame
from ingest.cameras import Camera
from ingest.capture import CaptureSettings
from ingest.recordings import find_pictures
from media.images import decode_gray
from tests.support.captures import QUICK, RunningCaptures, bar_position, capturing, write_video
from tests.support.videos import scene, write

FAST = replace(QUICK, fast=True)


def ended(running: RunningCaptures, timeout: float = 60) -> None:
    """Wait until everything was read, and read the remaining frames."""
    assert running.supervisor.ended.wait(timeout), repr(running.sink)
    running.finish()


def test_fast_loses_no_frame_however_small_the_bus_is(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", pictures=120)
    with capturing(Camera("clip", str(path), None), settings=FAST, capacity=1, pause=0.001) as running:
        ended(running)
        frames = running.consumer.of("clip")
        assert [frame.seq for frame in frames] == list(range(120))
        assert np.abs(np.diff([bar_position(frame) for frame in frames]) - 1 / 119).max() < 0.05
        assert (running.captured("clip"), running.sink.dropped("clip")) == (120, {})
        assert running.supervisor.failures() == {}


def test_fast_pictures_have_the_times_of_the_recording(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", pictures=50, fps=25)
    with capturing(Camera("clip", str(path), 5), settings=FAST) as running:
        ended(running)
        frames = running.consumer.of("clip")
        offsets = [(frame.captured_at - frame.epoch) / MICROSECONDS for frame in frames]
        assert offsets == pytest.approx([n / 5 for n in range(10)], abs=0.002)
        assert len({frame.epoch for frame in frames}) == 1
        assert running.captured("clip") == 10


def test_several_recordings_are_read_in_parallel_to_their_ends(tmp_path: Path) -> None:
    cameras = [
        Camera(f"clip-{n}", str(write_video(tmp_path / f"{n}.mp4", pictures=10 + 20 * n)), None)
        for n in range(4)
    ]
    with capturing(*cameras, settings=FAST, capacity=2) as running:
        ended(running)
        assert [len(running.consumer.of(camera.id)) for camera in cameras] == [10, 30, 50, 70]


@pytest.mark.skipif("MIEN_DATA" not in os.environ, reason="MIEN_DATA names no data folder")
def test_every_frame_of_a_shared_clip_is_published() -> None:
    path = Path(os.environ["MIEN_DATA"], "videos", "face-demographics-walking-and-pause.mp4")
    announced = int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))
    with capturing(Camera("clip", str(path), None), settings=FAST, capacity=4) as running:
        ended(running)
        frames = running.consumer.of("clip")
        assert len(frames) == announced
        assert {(frame.width, frame.height) for frame in frames} == {(480, 270)}


def test_a_file_is_played_at_its_own_speed_unless_fast_is_set(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", pictures=50, fps=25)
    began = time.monotonic()
    with capturing(Camera("clip", str(path), 10)) as running:
        ended(running)
        assert time.monotonic() - began > 1.8
        frames = running.consumer.of("clip")
        assert len(frames) + running.sink.dropped("clip")["read too late"] == 20
        steps = np.diff([frame.captured_at for frame in frames]) / MICROSECONDS
        assert float(np.median(steps)) == pytest.approx(0.1, abs=0.03)
        health = running.sink.wait_for_state("clip", CameraState.ENDED)
        assert health.reason == ""


def test_a_looped_file_continues(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", pictures=10, fps=25)
    with capturing(Camera("clip", str(path), None), settings=replace(QUICK, loop=True)) as running:
        running.consumer.wait_for_frames("clip", 35)
        frames = running.consumer.of("clip")[:30]
        positions = [bar_position(frame) for frame in frames]
        assert positions == pytest.approx([frame.seq % 10 / 9 for frame in frames], abs=0.08)
        assert not running.supervisor.ended.is_set()
        assert len({frame.epoch for frame in running.consumer.of("clip")}) == 1


def test_large_pictures_are_scaled_down(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", pictures=3, size=(640, 360))
    settings = replace(FAST, longest_side=320)
    with capturing(Camera("clip", str(path), None), settings=settings) as running:
        ended(running)
        for frame in running.consumer.of("clip"):
            decoded = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
            assert decoded is not None
            assert decoded.shape == (frame.height, frame.width) == (180, 320)


def test_the_readable_part_of_a_damaged_file_is_published_and_the_reason_reported(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.avi", pictures=60)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with capturing(Camera("cut", str(cut), None), settings=FAST) as running:
        ended(running)
        published = len(running.consumer.of("cut"))
        assert 20 < published < 40
        assert running.captured("cut") == published + running.sink.dropped("cut").total()
        assert "damaged video: it ends after" in running.supervisor.failures()["cut"]
        running.sink.wait_for_state("cut", CameraState.ENDED, "damaged video")


def test_a_video_of_one_constant_picture_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "constant.mp4", [np.full((96, 160), 16, np.uint8)] * 30)
    with capturing(Camera("hall", str(path), None), settings=FAST) as running:
        ended(running)
        assert len(running.consumer.of("hall")) == 30
        assert running.supervisor.failures()["hall"].startswith("every picture of the video is the same")


def test_photographs_that_are_alike_are_no_video(tmp_path: Path) -> None:
    for number in range(12):
        assert cv2.imwrite(str(tmp_path / f"{number}.jpg"), np.full((40, 60), 90, np.uint8))
    with capturing(Camera("folder", str(tmp_path), 5), settings=FAST) as running:
        ended(running)
        assert running.supervisor.failures() == {}


def test_damaged_pictures_of_a_folder_are_counted_and_named_and_the_others_published(tmp_path: Path) -> None:
    for number in range(6):
        assert cv2.imwrite(str(tmp_path / f"{number}.jpg"), np.full((40, 60), 20 * number, np.uint8))
    (tmp_path / "2.jpg").write_bytes((tmp_path / "2.jpg").read_bytes()[:-30])
    (tmp_path / "4.jpg").write_bytes(b"no picture")
    with capturing(Camera("folder", str(tmp_path), 5), settings=FAST) as running:
        ended(running)
        assert [frame.seq for frame in running.consumer.of("folder")] == [0, 1, 3, 5]
        assert running.captured("folder") == 6
        assert running.sink.dropped("folder") == {"damaged picture": 2}
        assert running.supervisor.failures()["folder"].startswith(
            "2 pictures cannot be decoded, the first: 2.jpg: "
        )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("nowhere.mp4", "nowhere.mp4: no such file or folder"),
        ("a" * 300 + ".mp4", "a.mp4: cannot be read: File name too long"),
        ("97", "webcam 97 does not exist"),
        ("gopher://cam/", "its scheme is not known"),
        ("rtsp://admin:${DOOR}@cam/", "set the environment variable DOOR"),
    ],
)
def test_a_source_that_cannot_be_used_ends_at_once_with_the_reason(source: str, reason: str) -> None:
    with capturing(Camera("door", source, 5)) as running:
        ended(running)
        assert reason in running.supervisor.failures()["door"]
        health = running.sink.wait_for_state("door", CameraState.ENDED, reason)
        assert health.reconnects == 0


def test_the_demo_is_captured_like_a_camera() -> None:
    with capturing(Camera("entrance", "demo://entrance", 5), settings=FAST) as running:
        running.consumer.wait_for_frames("entrance", 8)
        frames = running.consumer.of("entrance")
        assert {(frame.width, frame.height) for frame in frames} == {(640, 480)}
        assert not running.supervisor.ended.is_set()
        running.finish()
        assert running.captured("entrance") == len(running.consumer.of("entrance"))


@pytest.mark.parametrize(
    ("source", "loop", "recorded"), [("clip", False, True), ("clip", True, False), ("demo", False, False)]
)
def test_frames_say_whether_they_are_of_a_recording_that_ends(
    source: str, loop: bool, recorded: bool, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "clip.mp4", pictures=10)
    camera = Camera("door", str(path) if source == "clip" else "demo://entrance", 5)
    with capturing(camera, settings=replace(FAST, loop=loop)) as running:
        running.consumer.wait_for_frames("door", 2)
        assert {frame.recorded for frame in running.consumer.of("door")} == {recorded}


def test_numbered_pictures_are_read_in_their_order_and_files_of_systems_are_passed_by(tmp_path: Path) -> None:
    for number in range(1, 13):
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((20, 30), 10 * number, np.uint8))
    for name in ("._1.png", "Thumbs.db", ".DS_Store"):
        (tmp_path / name).write_bytes(b"not a picture")
    with capturing(Camera("folder", str(tmp_path), 5), settings=FAST) as running:
        ended(running)
        greys = [frame_mean(frame) for frame in running.consumer.of("folder")]
        assert greys == pytest.approx([10 * number for number in range(1, 13)], abs=2)
        assert running.supervisor.failures() == {}


def test_a_clock_that_jumps_by_hours_neither_stalls_a_run_nor_puts_pictures_far_ahead(tmp_path: Path) -> None:
    times = [n / 10 for n in range(10)] + [7200 + n / 10 for n in range(10)]
    path = write(tmp_path / "clip.mkv", [scene(n) for n in range(20)], times=times)
    with capturing(Camera("clip", str(path), None), settings=FAST) as running:
        ended(running)
        frames = running.consumer.of("clip")
        assert len(frames) == 20
        steps = np.diff([frame.captured_at for frame in frames]) / MICROSECONDS
        assert (steps > 0).all()
        assert steps.max() == pytest.approx(10, abs=0.01)


@pytest.mark.parametrize("name", ["animation.gif", "pages.tif"])
def test_every_picture_of_a_file_with_several_is_published(name: str, tmp_path: Path) -> None:
    pictures = [Image.fromarray(scene(number)) for number in range(4)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    for source in (tmp_path / name, tmp_path):
        with capturing(Camera("folder", str(source), None), settings=FAST) as running:
            ended(running)
            assert len(running.consumer.of("folder")) == 4
            assert running.supervisor.failures() == {}


def test_a_file_that_cannot_be_read_is_named_and_the_other_pictures_of_its_folder_are_published(
    tmp_path: Path,
) -> None:
    for number in range(3):
        assert cv2.imwrite(str(tmp_path / f"{number}.jpg"), np.full((40, 60), 20 * number, np.uint8))
    for name in ("1.jpg", "notes"):
        (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / name).symlink_to("/proc/self/mem")  # A file that cannot be read, not even by root.
    with capturing(Camera("folder", str(tmp_path), 5), settings=FAST) as running:
        ended(running)
        assert [frame.seq for frame in running.consumer.of("folder")] == [0, 2]
        failure = running.supervisor.failures()["folder"]
        assert failure == "1 pictures cannot be decoded, the first: 1.jpg: cannot be read: Input/output error"


@pytest.mark.parametrize("settings", [FAST, replace(FAST, fast=False)])
def test_the_damaged_end_of_an_animation_is_reported_however_slow_its_pictures_are(
    settings: CaptureSettings, tmp_path: Path
) -> None:
    pictures = [Image.fromarray(scene(number)) for number in range(3)]
    path = tmp_path / "slow.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=1500)
    path.write_bytes(path.read_bytes()[:-1])
    with capturing(Camera("clip", str(path), 5), settings=settings) as running:
        ended(running)
        assert len(running.consumer.of("clip")) == 3
        assert "truncated GIF: it ends after 3 pictures" in running.supervisor.failures()["clip"]


def test_names_that_are_not_utf8_are_read_and_written_escaped(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"Stra\xdfe.jpg")).write_bytes(b"\xff\xd8\xff\xe0 no picture")
    assert cv2.imwrite(str(tmp_path / "b.jpg"), np.zeros((20, 30), np.uint8))
    with capturing(Camera("folder", str(tmp_path), 5), settings=FAST) as running:
        ended(running)
        assert len(running.consumer.of("folder")) == 1
        assert "Stra\\xdfe.jpg: damaged JPEG" in running.supervisor.failures()["folder"]


def frame_mean(frame: Frame) -> float:
    return float(decode_gray(frame.jpeg).mean())


def test_a_large_folder_is_opened_without_reading_the_files_that_are_named_like_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1.jpg", "2.PNG", "3"):
        assert cv2.imwrite(str(tmp_path / "written.png"), np.zeros((20, 30), np.uint8))
        (tmp_path / "written.png").rename(tmp_path / name)
    (tmp_path / "notes").write_text("no picture")
    (tmp_path / "folder.jpg").mkdir()
    opened: list[str] = []

    def opening(path: Path, mode: str = "r") -> IO[Any]:
        opened.append(path.name)
        return open(path, mode)

    monkeypatch.setattr(Path, "open", opening)
    assert [path.name for path in find_pictures(tmp_path)] == ["1.jpg", "2.PNG", "3"]
    assert sorted(opened) == ["3", "notes"]
