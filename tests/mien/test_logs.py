"""No log line shows a password, whichever module writes it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from mien.logs import clean

SCRIPT = """
import logging
import threading
from mien.logs import configure
configure("info")
log = logging.getLogger("some.library")
log.info("opening %s", "rtsp://viewer:p%40ss:w%2Frd!@cam.example/1")
log.debug("not shown")
try:
    raise OSError("http://admin:hunter2@cam.example/video refused")
except OSError:
    log.exception("capture failed")
def capture():
    raise OSError("rtsp://admin:hunter3@cam.example/1 broke")
thread = threading.Thread(target=capture, name="capture door")
thread.start()
thread.join()
"""


def test_urls_in_messages_arguments_and_tracebacks_are_redacted() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "hunter" not in done.stderr
    assert "thread capture door ended: rtsp://***@cam.example/1 broke" in done.stderr
    assert "w%2Frd" not in done.stderr
    assert "cam.example/1" in done.stderr
    assert "Traceback" in done.stderr
    assert "not shown" not in done.stderr
    assert done.stdout == ""


UNCAUGHT = """
import sys, threading, warnings
from mien.logs import configure
configure("info")
warnings.warn("an old\\nfunction of rtsp://admin:hunter2@cam.example/1")
def fail():
    raise OSError("rtsp://admin:hunter2@cam.example/1\\nforged \\x1b[2J")
threading.Thread(target=fail).start()
fail()
"""


def test_warnings_and_exceptions_that_nobody_catches_are_one_line_each() -> None:
    done = subprocess.run([sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 3, done.stderr
    assert all(line.isprintable() for line in lines)
    assert "hunter2" not in done.stderr


def test_a_text_is_cleaned_of_passwords_and_line_breaks() -> None:
    assert clean("rtsp://admin:hunter2@cam.example/1\nforged") == "rtsp://***@cam.example/1\\nforged"


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_every_level_of_the_settings_exists(level: str) -> None:
    assert isinstance(logging.getLevelName(level.upper()), int)


def test_a_secret_that_is_not_utf8_is_hidden_and_prevents_no_line() -> None:
    script = """
import logging, os
from mien.logs import configure
configure("info", [os.environ["MIEN_CAMERA_DOOR"]])
logging.info("camera door: %s is refused", os.environ["MIEN_CAMERA_DOOR"])
"""
    environ = {**os.environb, b"MIEN_CAMERA_DOOR": b"gr\xfc\xdfHush"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environ, check=True)
    assert b"camera door: *** is refused" in done.stderr
    assert b"Hush" not in done.stderr
