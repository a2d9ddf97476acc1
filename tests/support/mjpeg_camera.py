"""A network camera that serves MJPEG over HTTP, and does what real ones do when they fail."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import cv2
import numpy as np

BOUNDARY = "picture"


def jpeg(number: int, size: tuple[int, int] = (96, 128)) -> bytes:
    """A picture that differs from that of every other number."""
    noise = np.random.default_rng(number).integers(40, 255, size).astype(np.uint8)
    return cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 2))[1].tobytes()


class MjpegCamera:
    """Listens on loopback from `start` to `stop`, on one port that it keeps.

    Attributes:
        shows: "moving", "frozen", "black", "damaged" (a part of each picture is missing), "nothing" (the
            connection stays open, nothing is sent), or "page" (HTML in the place of a stream).
        login: user and password that are asked for, None for a camera that is open to everybody.
        digest: whether the login goes by Digest (MD5, qop=auth), else by Basic.
        tells_length: whether each part has a Content-Length.
        connections: how often a stream was begun.
    """

    def __init__(self, fps: float = 25.0) -> None:
        self.fps = fps
        self.shows = "moving"
        self.login: tuple[str, str] | None = None
        self.digest = False
        self.tells_length = True
        self.connections = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._server: ThreadingHTTPServer | None = None
        self._stopped = threading.Event()

    def url(self, login: str = "") -> str:
        return f"http://{login}127.0.0.1:{self.port}/video"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._stopped.clear()
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Cut every connection and answer no more."""
        self._stopped.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def pictures(self, handler: BaseHTTPRequestHandler) -> None:
        """Send pictures until the connection or the camera ends."""
        self.connections += 1
        number = self.connections * 10_000
        while not self._stopped.wait(1 / self.fps):
            if self.shows == "nothing":
                continue
            number += 1
            data = self._picture(number)
            length = f"Content-Length: {len(data)}\r\n" if self.tells_length else ""
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n{length}\r\n"
            handler.wfile.write(head.encode() + data + b"\r\n")

    def admits(self, header: str | None) -> bool:
        """Whether a request with this Authorization header is let in."""
        if self.login is None:
            return True
        user, password = self.login
        if self.digest:
            return _digest_fits(header or "", user, password)
        return header == "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    @property
    def challenge(self) -> str:
        return 'Digest realm="camera", nonce="abc123", qop="auth"' if self.digest else 'Basic realm="camera"'

    def _picture(self, number: int) -> bytes:
        match self.shows:
            case "frozen":
                return jpeg(7)
            case "black":
                noise = np.random.default_rng(number).integers(0, 12, (96, 128)).astype(np.uint8)
                return cv2.imencode(".jpg", noise)[1].tobytes()
            case "damaged":
                return jpeg(number)[:-200]
        return jpeg(number)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


def _handler(camera: MjpegCamera) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not camera.admits(self.headers["Authorization"]):
                self.send_response(401)
                self.send_header("WWW-Authenticate", camera.challenge)
                self.end_headers()
            elif self.path != "/video":
                self.send_error(404)
            elif camera.shows == "page":
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<html>")
            else:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary=--{BOUNDARY}")
                self.end_headers()
                camera.pictures(self)

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

    return Handler


def _digest_fits(header: str, user: str, password: str) -> bool:
    """RFC 7616, section 3.4.1, for MD5 and qop=auth."""
    fields = {
        name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', header)
    }
    if not header.startswith("Digest ") or fields.get("username") != user:
        return False
    secret = _md5(f"{user}:camera:{password}")
    request = _md5(f"GET:{fields['uri']}")
    expected = _md5(f"{secret}:abc123:{fields['nc']}:{fields['cnonce']}:auth:{request}")
    return bool(fields["response"] == expected)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
