"""Captures of a real RTSP server that is killed, stopped and restarted."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from bus.messages import CameraState
from ingest.cameras import Camera
from ingest.sources import SourceRules, open_source
from ingest.stillness import FROZEN
from mien.cli.probe import probe
from tests.support.captures import QUICK, capturing
from tests.support.processes import free_port

SERVER = Path(__file__).with_name("rtsp_server.py")
NEEDS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
SETTINGS = replace(QUICK, open_timeout=10.0, read_timeout=3.0, frozen_after=30.0)
PASSWORD = "p@s/s#1"


def _python() -> str | None:
    """A Python with GStreamer's bindings, which are Debian packages for the system's Python."""
    for python in ("/usr/bin/python3", shutil.which("python3")):
        if python and subprocess.run([python, "-c", NEEDS], capture_output=True, check=False).returncode == 0:
            return python
    return None


PYTHON = _python()
pytestmark = pytest.mark.skipif(
    PYTHON is None,
    reason="GStreamer is missing: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 "
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly",
)


@contextmanager
def serving(port: int, *login: str) -> Iterator[subprocess.Popen[str]]:
    """A server that listens; killed at the end."""
    command = [str(PYTHON), str(SERVER), str(port), *login]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield server
        finally:
            server.kill()


def test_a_server_that_is_killed_and_restarted() -> None:
    port, other_port = free_port(), free_port()
    cameras = (
        Camera("door", f"rtsp://127.0.0.1:{port}/door", 5),
        Camera("till", f"rtsp://127.0.0.1:{other_port}/till", 5),
    )
    with serving(other_port), capturing(*cameras, settings=SETTINGS) as running:
        with serving(port):
            running.consumer.wait_for_frames("door", 10)
            running.consumer.wait_for_frames("till", 10)
        # The reason before, that the stream ended, lasts for a tenth of a second: it may never be reported.
        running.sink.wait_for_state("door", CameraState.RETRYING, "no connection: connection refused")
        reports, killed = len(running.sink.healths), running.consumer.of("door")[-1]
        running.consumer.wait_for_frames("till", 5)
        with serving(port):
            back = running.sink.wait_for_state("door", CameraState.ONLINE, after=reports)
            assert back.reconnects > 0
            running.consumer.wait_for_frames("door", 10)
        assert running.consumer.of("door")[-1].epoch > killed.epoch

        till = running.consumer.of("till")
        assert len({frame.epoch for frame in till}) == 1
        assert [frame.seq for frame in till] == list(range(len(till)))
        assert np.diff([frame.captured_at for frame in till]).max() < 2_000_000
        assert not any(
            each.camera_id == "till" and each.state is CameraState.RETRYING for each in running.sink.healths
        )
        running.finish()
        for camera in cameras:
            published = len(running.consumer.of(camera.id))
            assert running.captured(camera.id) == published + running.sink.dropped(camera.id).total()


def test_a_server_that_hangs_and_continues() -> None:
    port = free_port()
    with (
        serving(port) as server,
        capturing(Camera("door", f"rtsp://127.0.0.1:{port}/door", 5), settings=SETTINGS) as running,
    ):
        running.consumer.wait_for_frames("door", 5)
        server.send_signal(signal.SIGSTOP)
        running.sink.wait_for_state("door", CameraState.RETRYING, "no picture for 3 s")
        reports = len(running.sink.healths)
        server.send_signal(signal.SIGCONT)
        running.sink.wait_for_state("door", CameraState.ONLINE, after=reports)
        running.consumer.wait_for_frames("door", 5)


def test_a_stream_without_motion_is_frozen() -> None:
    port = free_port()
    settings = replace(SETTINGS, frozen_after=3.0)
    with (
        serving(port),
        capturing(Camera("door", f"rtsp://127.0.0.1:{port}/still", 5), settings=settings) as running,
    ):
        running.sink.wait_for_state("door", CameraState.ONLINE)
        running.sink.wait_for_state("door", CameraState.RETRYING, FROZEN)


def test_an_interlaced_stream_shows_the_same_as_another() -> None:
    port = free_port()
    with serving(port):
        with av.open(f"rtsp://127.0.0.1:{port}/analog", options={"rtsp_transport": "tcp"}) as container:
            assert next(container.decode(video=0)).interlaced_frame
        means, deviations = [], []
        for path in ("door", "analog"):
            with closing(open_source(f"rtsp://127.0.0.1:{port}/{path}")) as source:
                picture = source.read()
                assert picture is not None
                pixels = picture.decode()
                assert pixels.shape == (240, 320)
                means.append(float(pixels.mean()))
                deviations.append(float(pixels.std()))
        assert means[1] == pytest.approx(means[0], rel=0.1)
        assert deviations[1] == pytest.approx(deviations[0], rel=0.1)
        assert deviations[1] > 5


def test_the_rate_of_a_stream_is_not_overstated() -> None:
    port = free_port()
    with serving(port):
        # A busy moment of the machine moves pictures across the edges of one measurement, not of three.
        expected = pytest.approx(15, rel=0.15)
        assert any(probe(f"rtsp://127.0.0.1:{port}/door", 4, SourceRules()).fps == expected for _ in range(3))


def test_pictures_are_published_at_the_wanted_rate() -> None:
    port = free_port()
    with (
        serving(port),
        capturing(Camera("door", f"rtsp://127.0.0.1:{port}/door", 5), settings=SETTINGS) as running,
    ):
        running.consumer.wait_for_frames("door", 40)
        frames = running.consumer.of("door")[10:]
        steps = np.diff([frame.captured_at for frame in frames]) / 1e6
        steady = steps[steps < 0.5]  # Without moments in which the machine was busy.
        assert len(steady) > 0.8 * len(steps)
        assert steady.mean() == pytest.approx(0.2, rel=0.15)
        assert {(frame.width, frame.height) for frame in frames} == {(320, 240)}


@pytest.mark.parametrize("method", ["basic", "digest"])
def test_logins_and_paths(method: str, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    login = "admin:${DOOR}@"
    cameras = [
        Camera("right", f"rtsp://{login}127.0.0.1:{port}/door", 5),
        Camera("wrong", f"rtsp://admin:{PASSWORD[0]}@127.0.0.1:{port}/door", 5),
        Camera("none", f"rtsp://127.0.0.1:{port}/door", 5),
    ]
    with (
        serving(port, method, "admin", PASSWORD),
        capturing(*cameras, settings=SETTINGS, environ={"DOOR": PASSWORD}) as running,
    ):
        running.consumer.wait_for_frames("right", 3)
        running.sink.wait_for_state("wrong", CameraState.RETRYING, "refuses the login (401)")
        running.sink.wait_for_state("none", CameraState.RETRYING, "asks for a login (401)")
        assert PASSWORD not in caplog.text
    with serving(port), capturing(Camera("door", f"rtsp://127.0.0.1:{port}/garden", 5)) as running:
        running.sink.wait_for_state("door", CameraState.RETRYING, "no such stream (404)")
