"""HTTP server for the liveness (`/healthz`) and the metrics (`/metrics`) of a process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import choose_encoder

from mien.bind_errors import describe_bind_error
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

    Raises StartError where the address or the port cannot be used.
    """
    limits = Limits(ANSWER_S, MOST_CONNECTIONS)
    with ExitStack() as stack:
        server = serve_application(_application(metrics), address, port, name="health", limits=limits)
        try:
            url = stack.enter_context(server)
        except (OSError, TypeError) as error:
            raise StartError(describe_bind_error(error, "health", address, port)) from error
        yield url


def _application(metrics: Metrics) -> Application:
    serve_metrics = make_wsgi_app(metrics.registry)

    def without_unreadable(environ: dict[str, Any]) -> dict[str, Any]:
        """The request; without its header Accept where a version in it cannot be read."""
        try:
            choose_encoder(environ.get("HTTP_ACCEPT", ""))
        except (ValueError, TypeError):  # Of a version that is no number, by `prometheus_client`.
            return {name: value for name, value in environ.items() if name != "HTTP_ACCEPT"}
        return environ

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/healthz":
            answer: Iterable[bytes] = serve_metrics(without_unreadable(environ), start_response)
            return answer
        alive = metrics.alive
        start_response("200 OK" if alive else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"alive\n" if alive else f"no heartbeat for {ALIVE_S:.0f} s\n".encode()]

    return application
