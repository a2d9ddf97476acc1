"""The dashboard as a child process: start it, wait until it is ready, log when it ends, stop it."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence

from mien.errors import StartError
from mien.settings import Settings, environment

START_S = 30.0
STOP_S = 2.0

_log = logging.getLogger(__name__)


class Dashboard:
    """The Streamlit process of one run; a context manager that starts and ends it.

    `command` are the arguments that serve it on the address and port of the settings.
    """

    def __init__(self, command: Sequence[str], settings: Settings) -> None:
        self._address, self._port = settings.dashboard_address, settings.dashboard_port
        self._command = command
        self._environment = os.environ | environment(settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._end_logged = False

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{self._address}:{self._port}"

    def __enter__(self) -> Dashboard:
        check_port(self._address, self._port)
        # In a session of its own: Ctrl-C reaches this process only, which then stops the dashboard.
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_until_ready(self, stop: threading.Event) -> None:
        """Wait until it answers or `stop` is set.

        Raises StartError where it ends before it answers, or does not answer within `START_S`.
        """
        deadline = time.monotonic() + START_S
        while not stop.is_set() and not self._answers():
            if self.ended:
                raise StartError("dashboard: ended before it was ready; see its output above")
            if time.monotonic() > deadline:
                raise StartError(f"dashboard: no answer on {self.url} within {START_S:.0f} s")
            stop.wait(0.1)

    def log_if_ended(self) -> None:
        """Log once if it has ended by itself; captures and workers continue without it."""
        if self.ended and not self._end_logged:
            self._end_logged = True
            _log.error("the dashboard has ended; captures and workers continue; restart Mien for a dashboard")

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def check_port(address: str, port: int) -> None:
    """Raise StartError where another process listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise StartError(
                f"dashboard_port {port}: {error.strerror}; choose another with --port or MIEN_DASHBOARD_PORT"
            ) from error
