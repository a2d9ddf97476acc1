"""HTTP server for the liveness (`/healthz`) and the metrics (`/metrics`) of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app
from typing_extensions import override

from mien.errors import StartError
from mien.metrics import ALIVE_S, Metrics
from mien.settings import Settings

_POLL_S = 0.2


class _SilentHandler(WSGIRequestHandler):
    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass  # Otherwise every scrape would be a line in the log.


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
        server = make_server(address, port, _application(metrics), WSGIServer, _SilentHandler)
    except OSError as error:
        raise StartError(
            f"health_port {port}: {error.strerror}; choose another with MIEN_HEALTH_PORT"
        ) from error
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name="health", daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
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
