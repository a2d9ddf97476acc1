"""No picture is written to disk during a run."""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from pathlib import Path

import cv2
import numpy as np

from tests.support.processes import free_port, mien, running

PICTURES = {
    # With the first segment: the three bytes before it also occur by chance among megabytes of numbers.
    "JPEG": re.compile(
        rb"\xff\xd8\xff(?:\xe0..JFIF|\xe1..Exif|\xee..Adobe|\xdb\x00[\x43\x84\xc5])", re.DOTALL
    ),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "WebP": re.compile(rb"WEBPVP8"),
}


def pictures_below(folder: Path) -> list[str]:
    """Files below `folder` that contain the first bytes of a picture."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    contents = {path: path.read_bytes() for path in files}
    return [
        f"{path.name}: {kind}"
        for path, content in contents.items()
        for kind, start in PICTURES.items()
        if start.search(content)
    ]


def test_the_search_finds_a_picture_in_a_database(tmp_path: Path) -> None:
    _, jpeg = cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("create table t (b blob)")
    connection.execute("insert into t values (?)", (jpeg.tobytes(),))
    connection.commit()
    connection.close()
    assert pictures_below(tmp_path) == ["a.db: JPEG"]


def test_a_run_writes_no_picture(tmp_path: Path) -> None:
    """Three cameras with people and the dashboard, searched during the run and after Ctrl-C."""
    log = tmp_path / "log"
    with running(tmp_path, "demo", "--port", free_port()) as process:
        assert process.stdout
        wait_for_visits(tmp_path / "mien-demo.db")
        assert pictures_below(tmp_path) == [], "while it runs"
        process.send_signal(signal.SIGINT)
        log.write_text(process.stdout.read())
        assert process.wait(20) == 0
    assert (tmp_path / "mien-demo.db").stat().st_size > 10_000
    assert pictures_below(tmp_path) == []
    checked = mien(
        tmp_path, "privacy", "check", "--database", "sqlite:///mien-demo.db", "--log", log, variables={}
    )
    assert f"log {log}" in checked.stdout
    # Temporary folders beyond this test's are of other tests.
    lines = [line for line in checked.stdout.splitlines() if "/dev/shm" not in line]
    assert [line for line in lines if line.startswith(("found", "unread"))] == [], checked.stdout


def wait_for_visits(database: Path, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if database.exists():
            connection = sqlite3.connect(database)
            try:
                seen = "select count(*) from visits where model <> 'simulation'"
                if connection.execute(seen).fetchone()[0] > 0:
                    return
            except sqlite3.OperationalError:
                pass
            finally:
                connection.close()
        time.sleep(0.2)
    raise AssertionError("no visit was stored")
