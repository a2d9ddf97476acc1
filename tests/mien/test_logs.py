"""No password leaves through a log line, whoever writes it."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from mien.logs import Redaction

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
    assert "thread capture door ended: rtsp://admin:***@cam.example/1 broke" in done.stderr
    assert "w%2Frd" not in done.stderr
    assert "cam.example/1" in done.stderr
    assert "Traceback" in done.stderr
    assert "not shown" not in done.stderr
    assert done.stdout == ""


def test_the_filter_keeps_every_record() -> None:
    record = logging.LogRecord("a", logging.INFO, "b", 1, "%d frames", (3,), None)
    assert Redaction().filter(record)
    assert record.getMessage() == "3 frames"


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_every_level_of_the_settings_is_known(level: str) -> None:
    assert isinstance(logging.getLevelName(level.upper()), int)
