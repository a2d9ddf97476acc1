"""HTTP server for the liveness (`/healthz`) and the metrics (`/metrics`) of a process."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app
from typing_extensions import override

from common.addresses import as_host, family_of
from mien.errors import StartError
from mien.metrics import ALIVE_S, Metrics
from mien.settings import Settings

ANSWER_S = 5.0
"""The longest time from the start of a connection to its end."""
MOST_CONNECTIONS = 16
"""A further connection ends the one that is open for longest."""

_POLL_S = 0.2

_log = logging.getLogger(__name__)


class _SilentHandler(WSGIRequestHandler):
    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass  # Otherwise every scrape would be a line in the log.


class _HealthServer(ThreadingMixIn, WSGIServer):
    """A thread for each connection; both the number of connections and the duration of each are bounded.

    A client that sends nothing, or one byte now and then, holds a thread until its connection is ended here:
    neither other clients nor the end of the process wait for it.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: str, port: int) -> None:
        self.address_family = family_of(address)
        self._address = address
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}
        super().__init__((address, port), _SilentHandler)

    @override
    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # `HTTPServer` looks up the host's name as well, which may take seconds.
        self.server_name, self.server_port = self._address, self.socket.getsockname()[1]
        self.setup_environ()

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                self._end(next(iter(self._open)))
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    @override
    def service_actions(self) -> None:
        """End the connections that are open for too long; called several times a second."""
        with self._lock:
            oldest = time.monotonic() - ANSWER_S
            for request in [each for each, since in self._open.items() if since < oldest]:
                self._end(request)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("health server: a connection ended early: %s", sys.exception())

    def end_all(self) -> None:
        """End every connection."""
        with self._lock:
            for request in list(self._open):
                self._end(request)

    def _end(self, request: socket.socket) -> None:
        """Let the thread of a connection continue: it reads the end of the stream, or cannot write."""
        self._open.pop(request, None)
        with suppress(OSError):  # The client has ended it.
            request.shutdown(socket.SHUT_RDWR)


def serve_health(metrics: Metrics, settings: Settings) -> AbstractContextManager[str | None]:
    """Serve on the port of the settings while the block runs; without a port, do nothing."""
    if settings.health_port is None:
        return nullcontext()
    return serve(metrics, settings.health_address, settings.health_port)


@contextmanager
def serve(metrics: Metrics, address: str, port: int) -> Iterator[str]:
    """Serve while the block runs; yields the URL.

    Raises StartError where the port cannot be opened.
    """
    try:
        server = _HealthServer(address, port)
    except OSError as error:
        raise StartError(
            f"health_port {port}: {error.strerror}; choose another with MIEN_HEALTH_PORT"
        ) from error
    server.set_app(_application(metrics))
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name="health", daemon=True)
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


def _application(metrics: Metrics) -> Callable[..., Iterable[bytes]]:
    serve_metrics = make_wsgi_app(metrics.registry)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            answer: Iterable[bytes] = serve_metrics(environ, start_response)
            return answer
        alive = metrics.alive
        start_response("200 OK" if alive else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"alive\n" if alive else f"no heartbeat for {ALIVE_S:.0f} s\n".encode()]

    return application
