"""A TCP proxy for PostgreSQL that breaks a connection during a commit."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum


class Break(Enum):
    """The fate of the next commit; its connection is closed afterwards."""

    BEFORE = "the server does not get it"
    AFTER = "the server executes it, the client gets no answer"
    LATE = "the server gets it once `deliver` is called"


class CommitProxy:
    """Forwards all traffic; `arm` makes it break one commit."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.broken = threading.Event()
        self._fate: Break | None = None
        self._may_deliver = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, fate: Break) -> None:
        """Break the next commit with this fate."""
        self.broken.clear()
        self._may_deliver.clear()
        with self._lock:
            self._fate = fate

    def deliver(self) -> None:
        """Send the delayed commit to the server."""
        self._may_deliver.set()

    def close(self) -> None:
        """Close all connections."""
        self._may_deliver.set()
        with self._lock:
            for each in (self._listener, *self._sockets):
                _close(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                with self._lock:
                    self._sockets += [client, server]
                threading.Thread(target=self._forward_requests, args=(client, server), daemon=True).start()

    def _forward_requests(self, client: socket.socket, server: socket.socket) -> None:
        silent = threading.Event()
        down = threading.Thread(target=self._forward_answers, args=(server, client, silent), daemon=True)
        down.start()
        with suppress(OSError):
            while data := client.recv(1 << 16):
                fate = self._fate_of(data)
                if fate is None:
                    server.sendall(data)
                    continue
                silent.set()
                if fate is Break.AFTER:
                    server.sendall(data)
                    down.join()
                # Set before the client notices, since a test may check it at once.
                self.broken.set()
                _close(client)
                if fate is Break.LATE and self._may_deliver.wait(60):
                    server.sendall(data)
                    down.join()
                break
        _close(server)
        down.join()
        _close(client)

    def _forward_answers(self, server: socket.socket, client: socket.socket, silent: threading.Event) -> None:
        """Forward answers until `silent` is set; the first answer after that is dropped."""
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if silent.is_set():
                    return
                client.sendall(data)
            _close(client)

    def _fate_of(self, data: bytes) -> Break | None:
        with self._lock:
            fate = self._fate if b"COMMIT" in data else None
            if fate:
                self._fate = None
            return fate


@contextmanager
def commit_proxy(host: str, port: int) -> Iterator[CommitProxy]:
    """A proxy that is closed afterwards."""
    proxy = CommitProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()


def _close(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
