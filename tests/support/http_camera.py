"""A scripted HTTP camera: a test writes what each connection answers, byte by byte if need be."""

from __future__ import annotations

import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.request import parse_http_list, parse_keqv_list

import pytest

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
_PAUSE = 0.02
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


@dataclass(frozen=True)
class Request:
    """One request: its target, and its headers with names in lower case, decoded as Latin-1."""

    target: str
    headers: Mapping[str, str]


class Connection:
    """The camera's side of one connection."""

    def __init__(self, connection: socket.socket, camera: HttpCamera) -> None:
        self._connection = connection
        self._camera = camera
        self._file = connection.makefile("rb")

    def request(self) -> Request | None:
        """The next request, None where the client has closed the connection."""
        lines = []
        while (line := self._file.readline()) not in (b"\r\n", b""):
            lines.append(line.decode("latin-1").strip())
        if not lines:
            return None
        fields = (each.partition(":") for each in lines[1:])
        request = Request(lines[0].split()[1], {name.lower(): value.strip() for name, _, value in fields})
        self._camera.requests.append(request)
        return request

    def send(self, *data: bytes) -> None:
        for each in data:
            self._connection.sendall(each)

    def drip(self, data: bytes) -> None:
        """Send `data` again and again, slowly, until the client has closed the connection."""
        while not self._camera.stopped.is_set():
            self.drip_once(data)

    def drip_once(self, data: bytes) -> None:
        """Send `data` one byte at a time, slowly."""
        for at in range(len(data)):
            self.send(data[at : at + 1])
            if self._camera.stopped.wait(_PAUSE):
                return

    def repeat(self, data: bytes) -> None:
        """Send `data` again and again, as fast as it is read, until the client has closed the connection."""
        while not self._camera.stopped.is_set():
            self.send(data)

    def wait(self) -> None:
        """Keep the connection open, without sending, until the client closes it."""
        with suppress(OSError):
            while self._connection.recv(4096):
                pass


Script = Callable[[Connection], None]


class HttpCamera:
    """Listens on an address of loopback while it is a context; every connection runs the script in a thread.

    Attributes:
        requests: every request so far.
        connections: number of connections that were accepted.
    """

    def __init__(self, script: Script, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._script = script
        self._tls = tls
        self._listener = socket.create_server((host, 0))
        self._host, self.port = self._listener.getsockname()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def url(self, path: str = "/video", login: str = "", host: str = "") -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{login}{host or self._host}:{self.port}{path}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in list(self._threads):
            thread.join()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            try:
                self._script(Connection(connection, self))
            finally:
                connection.close()


def answer(status: str = "200 OK", *headers: str, body: bytes = b"") -> bytes:
    """An answer after which the connection can be used again."""
    lines = f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def is_valid_digest(
    request: Request, user: str, password: str, encoding: str = "utf-8", method: str = "GET"
) -> bool:
    """Whether a request answers a Digest challenge (RFC 7616, section 3.4)."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme != "Digest":
        return False
    fields = parse_keqv_list(parse_http_list(given))
    name = fields.get("algorithm", "MD5").upper()
    algorithm, session = name.removesuffix("-SESS"), name.endswith("-SESS")

    def digest(*parts: bytes) -> bytes:
        return hashlib.new(_HASHES[algorithm], b":".join(parts)).hexdigest().encode()

    nonce, target = fields["nonce"].encode(), fields["uri"].encode()
    secret = digest(user.encode(encoding), fields["realm"].encode("latin-1"), password.encode(encoding))
    if session:
        secret = digest(secret, nonce, fields["cnonce"].encode())
    what = (method.encode(), target, *([digest(b"")] if fields.get("qop") == "auth-int" else []))
    use = [fields[each].encode() for each in ("nc", "cnonce", "qop")] if "qop" in fields else []
    return fields["response"].encode() == digest(secret, nonce, *use, digest(*what)) and (
        fields["uri"] == request.target
    )


@contextmanager
def certificate(folder: Path, name: str, *extensions: str) -> Iterator[tuple[Path, ssl.SSLContext]]:
    """A self-signed certificate and a server's context with it; the name is not checked against anything."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing")
    key, made = folder / f"{name}.key", folder / f"{name}.crt"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    further = [part for each in extensions for part in ("-addext", each)]
    command = ["openssl", "req", *options, *further, "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    yield made, context
