"""HTTP server for the liveness (`/healthz`) and the metrics (`/metrics`) of a process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from prometheus_client import make_wsgi_app

from mien.errors import StartError
from mien.http_server import Application, Limits, serve_application
from mien.metrics import ALIVE_S, Metrics
from mien.settings import Settings

ANSWER_S = 5.0
"""The longest time from the start of a connection to its end."""
MOST_CONNECTIONS = 16
"""A further connection ends the one that is open for longest."""


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
    limits = Limits(ANSWER_S, MOST_CONNECTIONS)
    with ExitStack() as stack:
        server = serve_application(_application(metrics), address, port, name="health", limits=limits)
        try:
            url = stack.enter_context(server)
        except OSError as error:
            raise StartError(
                f"health_port {port}: {error.strerror}; choose another with MIEN_HEALTH_PORT"
            ) from error
        yield url


def _application(metrics: Metrics) -> Application:
    serve_metrics = make_wsgi_app(metrics.registry)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            answer: Iterable[bytes] = serve_metrics(environ, start_response)
            return answer
        alive = metrics.alive
        start_response("200 OK" if alive else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"alive\n" if alive else f"no heartbeat for {ALIVE_S:.0f} s\n".encode()]

    return application
