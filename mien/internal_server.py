"""Internal server of a process: what the dashboard asks it for while it runs, such as a live picture.

Its address and a random token are stored in the table `processes`, so that whoever may read that table can
call it. A request without the token is refused; the token is sent in a header and is never logged.
"""

from __future__ import annotations

import hmac
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from common.addresses import as_host
from mien.bind_errors import describe_bind_error
from mien.errors import StartError
from mien.http_server import ALLOW, Application, Limits, serve_application
from mien.settings import Settings
from storage.engine import Database
from storage.errors import DatabaseError
from storage.processes import RENEW_EVERY_S, ProcessEntry

HANDLER_S = 60.0
"""The longest time that a handler may take for its answer."""
LARGEST_BODY = 64 * 1024
"""Bytes of a request's body."""
STOP_S = 2.0
"""How long the end of the process waits until its row is erased; otherwise it expires."""

_ANY_ADDRESS = {"0.0.0.0", "::"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A request with the right token: its query, of each name the last value, and its body."""

    query: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and a content that is sent as JSON."""

    content: Mapping[str, Any]
    status: HTTPStatus = HTTPStatus.OK


Handler = Callable[[Request], Answer]
"""Answers one request, in a thread of its own, within `HANDLER_S` seconds."""

Routes = Mapping[str, Handler]
"""Handlers by method and path, such as "GET /preview"."""


@dataclass(frozen=True, slots=True)
class Services:
    """What a process offers: whether it captures and analyses, and its routes."""

    captures: bool
    analyses: bool
    routes: Routes


@contextmanager
def serve_internal(settings: Settings, engine: Database, services: Services) -> Iterator[str]:
    """Serve while the block runs, and keep the process's row in the database; yields the URL.

    While the database is unavailable the server answers, and its row expires. Raises StartError where the
    address or the port of the settings cannot be used.
    """
    entry = ProcessEntry(engine, captures=services.captures, analyses=services.analyses)
    application = create_application(services.routes, entry.token)
    address, port = settings.internal_address, settings.internal_port
    with ExitStack() as stack:
        server = serve_application(application, address, port, name="internal", limits=Limits())
        try:
            url = stack.enter_context(server)
        except (OSError, TypeError) as error:
            raise StartError(describe_bind_error(error, "internal", address, port)) from error
        registration = _Registration(entry, _reachable(url))
        registration.start()
        stack.callback(registration.stop)
        yield url


def create_application(routes: Routes, token: str) -> Application:
    """The WSGI application that answers requests with this token by `routes`."""
    expected = f"Bearer {token}".encode()

    def answer(environ: dict[str, Any]) -> Answer:
        given = environ.get("HTTP_AUTHORIZATION", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, expected):
            return _problem(HTTPStatus.FORBIDDEN, "the token is missing or wrong")
        environ[ALLOW](HANDLER_S)
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        handler = routes.get(f"{method} {path}")
        if handler is None:
            return _problem(HTTPStatus.NOT_FOUND, f"{method} {path}: this process does not offer it")
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_BODY} bytes")
        body: bytes = environ["wsgi.input"].read(int(length))
        return handler(Request(dict(parse_qsl(environ["QUERY_STRING"])), body))

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        given = answer(environ)
        body = json.dumps(given.content).encode()
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        start_response(
            f"{given.status.value} {given.status.phrase}", [*headers, ("Content-Length", str(len(body)))]
        )
        return [body]

    return application


def _problem(status: HTTPStatus, text: str) -> Answer:
    return Answer({"problem": text}, status)


def _reachable(url: str) -> str:
    """The URL for other machines: instead of any address the name of this host."""
    parts = urlsplit(url)
    if parts.hostname not in _ANY_ADDRESS:
        return url
    return f"http://{as_host(socket.gethostname())}:{parts.port}"


class _Registration:
    """Keeps the row of this process in the database, in a thread of its own."""

    def __init__(self, entry: ProcessEntry, url: str) -> None:
        self._entry = entry
        self._url = url
        self._failed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registration", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Erase the row, within `STOP_S` seconds if the database is available."""
        self._stop.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._try(lambda: self._entry.renew(self._url))
            self._stop.wait(RENEW_EVERY_S)
        self._try(self._entry.leave)

    def _try(self, change: Callable[[], None]) -> None:
        """Change the row; the first of several failures is logged."""
        try:
            change()
        except DatabaseError as error:
            if not self._failed:
                _log.warning("the dashboard cannot find this process, its row is not stored: %s", error)
            self._failed = True
        else:
            self._failed = False
