"""A real receiver of webhooks: it keeps what it gets and answers as a test demands."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from typing_extensions import override

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass
class Hook:
    """A receiver that runs; `requests` are the path, the headers and the body of each request."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answer: Answer = lambda request: answer_with(request, 204)
    ended: threading.Event = field(default_factory=threading.Event)

    def ids(self) -> list[str]:
        """The ids of the messages, in their order."""
        return [headers["Mien-Id"] for _, headers, _ in self.requests]


def answer_with(request: http.server.BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    """Answer a request without a body."""
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", "0")
    request.end_headers()


@contextmanager
def running_hook(context: ssl.SSLContext | None = None) -> Iterator[Hook]:
    """A receiver on a port of loopback, with TLS where there is a context."""
    hook = Hook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.requests.append((self.path, dict(self.headers), body))
            hook.answer(self)

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        @override
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # Clients of tests end connections early.

    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if context else "http"
    hook.url = f"{scheme}://localhost:{server.server_port}/hook?token=abc"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        hook.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
