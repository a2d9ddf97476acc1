"""A web server that hands out one file, well or badly."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class FileServer:
    """What it serves, how it behaves, and what it was asked for."""

    content: bytes
    ranges: bool = True
    """Whether it can begin in the middle."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which each of the first answers breaks off."""
    announced: int | None = None
    """The length that it claims; the true one where None, and none at all where -1."""
    statuses: list[int] = field(default_factory=list)
    """What the first answers are in place of the file."""
    asked: list[str | None] = field(default_factory=list)
    """The Range of each request."""
    url: str = ""


@contextmanager
def serving(server: FileServer) -> Iterator[FileServer]:
    """Run it on a free port, under its `url`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(server, self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_port}/file.csv"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


def _answer(server: FileServer, request: http.server.BaseHTTPRequestHandler) -> None:
    wanted = request.headers.get("Range")
    server.asked.append(wanted)
    if server.statuses:
        request.send_error(server.statuses.pop(0))
        return
    match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
    start = int(match[1]) if match and server.ranges else 0
    if start >= len(server.content):
        request.send_error(416)
        return
    part = server.content[start:]
    request.send_response(206 if match and server.ranges else 200)
    if match and server.ranges:
        last = len(server.content) - 1
        request.send_header("Content-Range", f"bytes {start}-{last}/{len(server.content)}")
    if server.announced != -1:
        length = len(part) if server.announced is None else server.announced - start
        request.send_header("Content-Length", str(length))
    request.end_headers()
    request.wfile.write(part[: server.cuts.pop(0)] if server.cuts else part)
