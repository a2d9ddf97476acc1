"""Sources on the command line: which camera they are, and what must not be shown or stored of them."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from tests.support.mjpeg_camera import MjpegCamera
from tests.support.processes import mien, running
from tests.support.recordings import recording

SECRET = "hush/Kw@rt 7"


def cameras(folder: Path) -> dict[str, str]:
    """The source of each registered camera, by id."""
    connection = sqlite3.connect(folder / "mien.db")
    try:
        return dict(connection.execute("select id, source from cameras").fetchall())
    finally:
        connection.close()


def dump(folder: Path) -> str:
    """Everything that the database contains."""
    connection = sqlite3.connect(folder / "mien.db")
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()


def frames(folder: Path) -> dict[str, int]:
    connection = sqlite3.connect(folder / "mien.db")
    try:
        query = "select camera_id, sum(captured) from camera_minutes group by 1"
        return dict(connection.execute(query).fetchall())
    finally:
        connection.close()


def test_files_of_the_same_name_are_two_cameras_in_any_run(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in ("a", "b", "20261128"))
    for folder in (a, b, c):
        folder.mkdir()
    recording(a / "door.mp4")
    recording(b / "door.mp4")
    recording(c / "\u6b63\u9762.mp4")
    for arguments in (
        ["--source", "a/door.mp4"],
        ["--source", "b/door.mp4"],
        ["--source", b / "door.mp4", "--source", a / "door.mp4", "--source", "20261128/\u6b63\u9762.mp4"],
    ):
        done = mien(tmp_path, "run", *arguments, "--fast")
        assert done.returncode == 0, done.stderr
    assert cameras(tmp_path) == {
        "door": str(a / "door.mp4"),
        "door-2": str(b / "door.mp4"),
        "camera": str(c / "\u6b63\u9762.mp4"),
    }
    assert frames(tmp_path) == {"door": 60, "door-2": 60, "camera": 30}


def test_a_name_that_is_not_utf_8_is_read_and_stored(tmp_path: Path) -> None:
    name = os.fsdecode(b"Stra\xdfe.mp4")
    recording(tmp_path / "whole.mp4").rename(tmp_path / name)
    done = mien(tmp_path, "run", "--source", name, "--fast")
    assert done.returncode == 0, done.stderr
    assert list(cameras(tmp_path).values()) == [f"file://{tmp_path}/Stra%DFe.mp4"]
    assert list(frames(tmp_path).values()) == [30]


def test_a_relative_path_is_read_from_another_folder(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    recording(tmp_path / "clip.mp4")
    database = f"sqlite:///{tmp_path}/mien.db"
    assert mien(tmp_path, "cameras", "add", "door", "clip.mp4", "--database", database).returncode == 0
    assert cameras(tmp_path) == {"door": str(tmp_path / "clip.mp4")}
    done = mien(other, "run", "--fast", "--database", database)
    assert done.returncode == 0, done.stdout + done.stderr
    assert frames(tmp_path) == {"door": 30}


def test_the_command_line_and_the_registry_know_the_same_camera(tmp_path: Path) -> None:
    clip = recording(tmp_path / "clip.mp4")
    assert mien(tmp_path, "cameras", "add", "door", clip, "--name", "Front door").returncode == 0
    assert mien(tmp_path, "run", "--source", "clip.mp4", "--fast").returncode == 0
    assert cameras(tmp_path) == {"door": str(clip)}
    assert "Front door" in mien(tmp_path, "cameras", "list").stdout


def test_a_changed_source_of_the_configuration_is_said(tmp_path: Path) -> None:
    recording(tmp_path / "a.mp4")
    recording(tmp_path / "b.mp4")
    file = tmp_path / "mien.yaml"
    for name, said in (("a", False), ("a", False), ("b", True)):
        file.write_text(f"cameras:\n- {{id: door, source: {name}.mp4}}\n- {{id: cam, source: 0}}\n")
        done = mien(tmp_path, "cameras", "sync")
        assert done.returncode == 0, done.stderr
        assert ("camera door: its source changed from" in done.stderr) is said
    assert cameras(tmp_path) == {"door": str(tmp_path / "b.mp4"), "cam": "0"}
    assert mien(tmp_path, "cameras", "remove", "door").returncode == 0
    refused = mien(tmp_path, "cameras", "add", "door", "a.mp4")
    assert refused.returncode == 2
    assert "'door' belonged to another source" in refused.stderr
    assert mien(tmp_path, "cameras", "add", "door", "a.mp4", "--continue-history").returncode == 0


WRITTEN_OUT = (
    "rtsp://admin:hushKwart@10.0.0.7/1",
    "rtsp://hushKwart@10.0.0.7/1",
    "rtsp://admin:hu shKwart#@10.0.0.7/1",
    "http://10.0.0.7/v?psw=hushKwart",
    "http://10.0.0.7/user=a_password=hushKwart",
)
REFERENCES = (
    "http://u:${SECRET}@10.0.0.7/1",
    "http://${MIEN_CAMERA_SECRET}/1",
    "http://10.0.0.7/${MIEN_CAMERA_SECRET}",
)


@pytest.mark.parametrize(
    ("command", "source"),
    [
        *(("add", source) for source in (WRITTEN_OUT[3], WRITTEN_OUT[4], REFERENCES[1])),
        *((command, WRITTEN_OUT[number]) for number, command in enumerate(("run", "ingest", "sync"))),
        *((command, REFERENCES[number]) for number, command in enumerate(("test", "run", "ingest"))),
    ],
)
def test_a_secret_is_refused_without_being_shown(tmp_path: Path, command: str, source: str) -> None:
    variables = {"SECRET": "hushKwart", "MIEN_CAMERA_SECRET": "hushKwart"}
    if command == "ingest":
        variables["MIEN_BUS"] = "kafka://127.0.0.1:1"
    (tmp_path / "other.yaml").write_text(f"cameras: [{{id: door, source: '{source}'}}]")
    arguments = {
        "add": ["cameras", "add", "door", source],
        "test": ["cameras", "test", source],
        "run": ["run", "--no-dashboard", "--source", source],
        "ingest": ["ingest", "--source", source],
        "sync": ["run", "--no-dashboard", "--config", "other.yaml"],
    }
    done = mien(tmp_path, *arguments[command], variables=variables)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "hush" not in done.stdout + done.stderr
    assert "Kwart" not in done.stdout + done.stderr
    assert "MIEN_CAMERA_" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_login_of_a_working_camera_is_nowhere_in_output_or_database(tmp_path: Path) -> None:
    with MjpegCamera() as camera:
        camera.login, camera.digest = ("admin", SECRET), True
        source = camera.url("admin:${MIEN_CAMERA_DOOR}@")
        variables = {"MIEN_CAMERA_DOOR": SECRET, "MIEN_LOG_LEVEL": "debug"}
        assert mien(tmp_path, "cameras", "add", "door", source, variables=variables).returncode == 0
        with running(tmp_path, "run", "--no-dashboard", variables=variables) as process:
            while not frames(tmp_path).get("door"):
                assert process.poll() is None
                time.sleep(0.1)
            camera.login = ("admin", "another")
            camera.stop()
            camera.start()
            process.terminate()
            output = process.communicate(timeout=60)[0]
        listed = mien(tmp_path, "cameras", "list", variables=variables).stdout
    for text in (output, listed, dump(tmp_path)):
        assert "hush" not in text
        assert "Kw%40rt" not in text
