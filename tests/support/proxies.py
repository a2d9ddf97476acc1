"""A TCP proxy in front of PostgreSQL that breaks a connection at its worst moment: around a commit."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum


class Break(Enum):
    """What happens to the next commit that passes; afterwards its connection is gone."""

    BEFORE = "the server never sees it"
    AFTER = "the server carries it out, the client never hears"
    LATE = "the server sees it only when `deliver` is called"


class CommitProxy:
    """Passes everything on; `arm` it to break one commit."""

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
        """Break the next commit in this way."""
        self.broken.clear()
        self._may_deliver.clear()
        with self._lock:
            self._fate = fate

    def deliver(self) -> None:
        """Let the server see the commit that is late."""
        self._may_deliver.set()

    def close(self) -> None:
        """End everything."""
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
                threading.Thread(target=self._pass_up, args=(client, server), daemon=True).start()

    def _pass_up(self, client: socket.socket, server: socket.socket) -> None:
        silent = threading.Event()
        down = threading.Thread(target=self._pass_down, args=(server, client, silent), daemon=True)
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
                # Who is told of the break may ask about it at once.
                self.broken.set()
                _close(client)
                if fate is Break.LATE and self._may_deliver.wait(60):
                    server.sendall(data)
                    down.join()
                break
        _close(server)
        down.join()
        _close(client)

    def _pass_down(self, server: socket.socket, client: socket.socket, silent: threading.Event) -> None:
        """Pass answers on; the first that comes once the client is not to hear of it is the last."""
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
