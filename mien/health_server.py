"""A small HTTP server for those who watch over the process: `/healthz` and `/metrics`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from mien.errors import StartError
from mien.metrics import Metrics
from mien.settings import Settings

_POLL_S = 0.2


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A line for every scrape is of no use to anybody."""


@contextmanager
def serving(metrics: Metrics, address: str, port: int) -> Iterator[str]:
    """Serve while the block runs; yields the address to be asked.

    Raises StartError where the port cannot be had.
    """
    try:
        server = make_server(address, port, _application(metrics), WSGIServer, _Quiet)
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


def optionally(metrics: Metrics, settings: Settings) -> AbstractContextManager[str | None]:
    """`serving` where the settings name a port, otherwise nothing."""
    if settings.health_port is None:
        return nullcontext()
    return serving(metrics, settings.health_address, settings.health_port)


def _application(metrics: Metrics) -> Callable[..., Iterable[bytes]]:
    figures = make_wsgi_app(metrics.registry)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            answer: Iterable[bytes] = figures(environ, start_response)
            return answer
        words = [("Content-Type", "text/plain")]
        start_response("200 OK" if metrics.alive else "503 Service Unavailable", words)
        return [b"alive\n" if metrics.alive else b"the loop was not heard of for a minute\n"]

    return application
