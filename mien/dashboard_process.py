"""The dashboard as a child process: start it, notice when it answers and when it ends, stop it."""

from __future__ import annotations

import http.client
import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from common.addresses import as_host, family_of
from mien.bind_errors import describe_bind_error
from mien.errors import StartError
from mien.settings import Settings, environment

STOP_S = 2.0
SLOW_S = 30.0
"""After so many seconds without an answer it is logged that the dashboard does not answer yet."""

_ANSWER_S = 1.0
_POLL_S = 0.1

_log = logging.getLogger(__name__)


class Dashboard:
    """The Streamlit process of one run; a context manager that starts and ends it.

    `command` are the arguments that serve it on the address, port and base path of the settings. The process
    ends with this one, whatever ends it: enter the context in the main thread (`common.parent`).
    """

    def __init__(self, command: Sequence[str], settings: Settings) -> None:
        self._address, self._port = settings.dashboard_address, settings.dashboard_port
        self._base_path = settings.dashboard_base_path
        self._command = command
        self._environment = os.environ | environment(settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for a browser."""
        path = f"/{self._base_path}" if self._base_path else ""
        return f"http://{as_host(self._address)}:{self._port}{path}"

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

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    @property
    def answers(self) -> bool:
        """Whether it answers now; any answer counts, since Streamlit's own settings may change its paths.

        This machine is asked directly, never through a proxy.
        """
        connection = http.client.HTTPConnection(self._address, self._port, timeout=_ANSWER_S)
        try:
            connection.request("GET", "/_stcore/health")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True


class DashboardMonitor:
    """Announces a dashboard once it answers, and logs once if it does not answer or has ended.

    It never raises: captures and workers continue without a dashboard.
    """

    def __init__(self, dashboard: Dashboard, announce: Callable[[str], None]) -> None:
        self._dashboard = dashboard
        self._announce = announce
        self._slow_at = time.monotonic() + SLOW_S
        self._announced = self._end_logged = self._slow_logged = False

    def tick(self) -> None:
        """Look at the dashboard; takes at most a second, and almost no time once it answers."""
        dashboard = self._dashboard
        if dashboard.ended:
            if not self._end_logged:
                self._end_logged = True
                _log.error(
                    "the dashboard has ended; captures and workers continue; restart Mien for a dashboard"
                )
        elif not self._announced and dashboard.answers:
            self._announced = True
            self._announce(dashboard.url)
        elif not self._announced and not self._slow_logged and time.monotonic() > self._slow_at:
            self._slow_logged = True
            _log.warning("the dashboard does not answer on %s yet", dashboard.url)


def show_until_stopped(dashboard: Dashboard, stop: threading.Event, announce: Callable[[str], None]) -> None:
    """Announce the dashboard once it answers, and wait until `stop` is set.

    Raises StartError where it ends by itself.
    """
    monitor = DashboardMonitor(dashboard, announce)
    while not stop.wait(_POLL_S):
        if dashboard.ended:
            raise StartError("dashboard: ended by itself; see its output above")
        monitor.tick()


def check_port(address: str, port: int) -> None:
    """Raise StartError where the address is none of this machine, or another process listens on the port."""
    try:
        with socket.socket(family_of(address)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except (OSError, TypeError) as error:
        raise StartError(describe_bind_error(error, "dashboard", address, port, "--port")) from error
