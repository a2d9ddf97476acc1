"""HTTP server of a process for other programs, with bounded connections: their number and duration.

`mien.health_server` serves metrics with it, `mien.internal_server` the dashboard's requests.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from typing_extensions import override

from common.addresses import as_host, family_of

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application (PEP 3333)."""

ALLOW = "mien.allow"
"""Key of the WSGI environment: a function that lets the connection last for so many seconds from now."""

_POLL_S = 0.2
_LONGEST_LINE = 65536
"""Bytes of the first line of a request, as in `http.server`."""
_LOG_EVERY_S = 60.0
"""Anybody may send requests: of those that fail, one is logged in so many seconds."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """`answer_s`: the longest time from the start of a connection to its end; the application may allow more.

    `connections`: how many may be open; a further one ends the oldest, if possible one without more time.
    """

    answer_s: float = 5.0
    connections: int = 16


class _Answer(ServerHandler):
    """Runs the application for one request; `wsgiref` would print a failure to standard error."""

    request_handler: _SilentHandler

    @override
    def log_exception(self, exc_info: Any) -> None:
        self.request_handler.server.log_failure(exc_info[1])


class _SilentHandler(WSGIRequestHandler):
    server: _BoundedServer

    @override
    def handle(self) -> None:
        self.raw_requestline = self.rfile.readline(_LONGEST_LINE + 1)
        if len(self.raw_requestline) > _LONGEST_LINE:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
        elif self.parse_request():
            wfile: Any = self.wfile
            application: Any = self.server.get_app()
            answer = _Answer(self.rfile, wfile, self.get_stderr(), self.get_environ(), multithread=False)
            answer.request_handler = self
            answer.run(application)

    @override
    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), ALLOW: partial(self.server.allow, self.connection)}

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass  # Otherwise every request would be a line in the log.


class _BoundedServer(ThreadingMixIn, WSGIServer):
    """A thread for each connection.

    A client that sends nothing, or one byte now and then, holds a thread until its connection is ended here:
    neither other clients nor the end of the process wait for it.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: str, port: int, limits: Limits) -> None:
        self.address_family = family_of(address)
        self._address = address
        self._limits = limits
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}
        """The connections by age, with the time at which each is ended."""
        self._allowed: set[socket.socket] = set()
        self._log_from = 0.0
        super().__init__((address, port), _SilentHandler)

    @override
    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # `HTTPServer` looks up the host's name as well, which may take seconds.
        self.server_name, self.server_port = self._address, self.socket.getsockname()[1]
        self.setup_environ()

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._open) >= self._limits.connections:
                others = (each for each in self._open if each not in self._allowed)
                self._end(next(others, next(iter(self._open))))
            self._open[request] = time.monotonic() + self._limits.answer_s
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._forget(request)
        super().shutdown_request(request)

    @override
    def service_actions(self) -> None:
        """End the connections that are open for too long; called several times a second."""
        with self._lock:
            now = time.monotonic()
            for request in [each for each, until in self._open.items() if until < now]:
                self._end(request)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("HTTP server: a connection ended early: %s", sys.exception())

    def log_failure(self, error: BaseException) -> None:
        """Log why a request could not be answered, at most once in `_LOG_EVERY_S` seconds."""
        with self._lock:
            now = time.monotonic()
            if now < self._log_from:
                return
            self._log_from = now + _LOG_EVERY_S
        _log.error("HTTP server: a request failed: %s", error, exc_info=error)

    def allow(self, request: socket.socket, seconds: float) -> None:
        """Let a connection last for so many seconds from now; others do not displace it."""
        with self._lock:
            if request in self._open:
                self._open[request] = time.monotonic() + seconds
                self._allowed.add(request)

    def end_all(self) -> None:
        """End every connection."""
        with self._lock:
            for request in list(self._open):
                self._end(request)

    def _end(self, request: socket.socket) -> None:
        """Let the thread of a connection continue: it reads the end of the stream, or cannot write."""
        self._forget(request)
        with suppress(OSError):  # The client has ended it.
            request.shutdown(socket.SHUT_RDWR)

    def _forget(self, request: socket.socket) -> None:
        self._open.pop(request, None)
        self._allowed.discard(request)


@contextmanager
def serve_application(
    application: Application, address: str, port: int, *, name: str, limits: Limits
) -> Iterator[str]:
    """Serve while the block runs, in a thread with that name; yields the URL. Port 0 is any free one.

    Raises OSError where the address or the port cannot be used, TypeError where no host can have such a name.
    """
    server = _BoundedServer(address, port, limits)
    server.set_app(application)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        server.server_close()
        raise
    try:
        yield f"http://{as_host(address)}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        server.end_all()
        thread.join()
