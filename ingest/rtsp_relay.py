"""Relay between FFmpeg and an RTSP camera: FFmpeg connects to this machine alone, Mien to the camera.

FFmpeg would resolve the camera's name itself, would not check certificates, and would follow a redirect to
any address. Behind the relay it can do none of this: Mien connects to an address that was judged, with TLS
where the camera has it, and a redirect ends the stream. One connection, one thread; RTP travels in the same
connection.
"""

from __future__ import annotations

import re
import selectors
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from ingest.address_policy import AddressPolicy
from ingest.deadline import Deadline
from ingest.errors import SourceLost
from ingest.network import Address, connect_by
from ingest.rtsp_requests import RtspRequests, answer_end

_LOOPBACK = "127.0.0.1"
_CHUNK = 65_536
_LAST_REQUEST_S = 0.5
"""Seconds within which FFmpeg's last request (TEARDOWN) reaches the camera, which frees its session."""
_LONGEST_LINE = 1 << 20
_STATUS = re.compile(rb"RTSP/\S*[ \t]+\+?0*(\d{3})(?!\d)")
"""The status line of an answer, as leniently as FFmpeg reads it; it ignores every carriage return."""
_UNFINISHED = re.compile(rb"R(?:\r*T(?:\r*S(?:\r*P(?:\r*/.*)?)?)?)?\Z", re.DOTALL)
_UNAUTHORIZED = re.compile(rb"RTSP/\S*[ \t]+401\b")
_REFUSED_IN_STREAM = re.compile(rb"RTSP/1\.\d[ \t]+401\b.{0,4000}?\r?\n\r?\n", re.DOTALL)
"""The head of a refusal between packets of a stream."""
REDIRECTIONS = range(300, 400)


@contextmanager
def _expect_resources() -> Iterator[None]:
    """Raise SourceLost where this machine has no further open files, ports or threads for a camera."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceLost(
            f"this machine has no further open files or threads for it ({reason}): raise their limits "
            "(ulimit -n, ulimit -u)"
        ) from error


class RtspRelay:
    """A relay for one connection to one camera.

    Args:
        address: with the login, which FFmpeg does not get.
        policy: judges the camera's address.
        deadline: by which the camera must be connected and FFmpeg must have connected to the relay.
        timeout: seconds for which either side may accept no data.

    Raises:
        SourceError: the address is not allowed.
        SourceLost: there is no connection; gives the reason.
    """

    def __init__(self, address: Address, policy: AddressPolicy, deadline: Deadline, timeout: float) -> None:
        self.status: int | None = None
        """The status of the camera's last answer before the stream, None if it did not answer in RTSP."""
        self._timeout = timeout
        self._client: socket.socket | None = None
        self._held = b""
        self._play_requested = self._streaming = False
        self._thread = threading.Thread(target=self._run, name=f"relay {address.host}", daemon=True)
        with ExitStack() as opened, _expect_resources():
            self._camera = opened.enter_context(connect_by(address, deadline, policy))
            self._camera.settimeout(timeout)
            self._listener = opened.enter_context(socket.create_server((_LOOPBACK, 0), backlog=1))
            self._listener.settimeout(deadline.seconds)
            self._wake, self._woken = map(opened.enter_context, socket.socketpair())
            server = f"rtsp://{_LOOPBACK}:{self._listener.getsockname()[1]}"
            self._requests = RtspRequests(address, server)
            self.url = server + address.target
            """The address for FFmpeg."""
            self._thread.start()
            opened.pop_all()  # From here on the thread closes them.

    @property
    def refusal(self) -> str:
        """Why a camera that answered with status 401 gives no stream."""
        return self._requests.refusal

    def close(self) -> None:
        """End both connections; what FFmpeg sent before it closed its own is passed on."""
        self._thread.join(_LAST_REQUEST_S)
        with suppress(OSError):
            self._wake.send(b"x")
        with suppress(OSError):
            # On Linux this also ends a wait for FFmpeg's connection.
            self._listener.shutdown(socket.SHUT_RDWR)
        if self._client is not None:
            with suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            with suppress(OSError):
                self._client, _ = self._listener.accept()
                self._listener.close()
                self._client.settimeout(self._timeout)
                self._relay(self._client)
        finally:
            for each in (self._listener, self._client, self._camera, self._wake, self._woken):
                if each is not None:
                    each.close()

    def _relay(self, client: socket.socket) -> None:
        """Pass data on until one side ends, the camera redirects or the relay is closed."""
        with selectors.DefaultSelector() as selector:
            for each in (client, self._camera, self._woken):
                selector.register(each, selectors.EVENT_READ)
            while True:
                readable = {key.fileobj for key, _ in selector.select()}
                # A last request, such as TEARDOWN, is passed on also when the relay is closed.
                if client in readable and not self._pass_request(client):
                    return
                if self._woken in readable:
                    return
                if self._camera in readable and not self._pass_answer(client):
                    return

    def _pass_request(self, client: socket.socket) -> bool:
        """Pass on what FFmpeg has sent; False if that was its end."""
        request = client.recv(_CHUNK)
        self._play_requested = self._play_requested or request.startswith(b"PLAY ")
        self._camera.sendall(self._requests.complete(request))
        return bool(request)

    def _pass_answer(self, client: socket.socket) -> bool:
        """Pass on what the camera has sent; False if that was its end, or a redirect."""
        data = self._receive()
        if data is None:
            return True
        if not data:
            return False
        if not self._streaming:
            data = self._inspect(self._answer_challenge(self._held + data))
            # FFmpeg would answer what is not RTSP, as a request, and the camera that answer, without end.
            is_foreign = b"\n" in data and self.status is None
            if is_foreign or self.status in REDIRECTIONS:
                return False
        else:
            self._renew_nonce(data)
        client.sendall(data)
        return len(self._held) <= _LONGEST_LINE

    def _answer_challenge(self, data: bytes) -> bytes:
        """Log in, in FFmpeg's place, where `data` begins with a challenge; returns what remains of `data`."""
        end = answer_end(data) if _UNAUTHORIZED.match(data) else None
        repeated = self._requests.answer_challenge(data[:end]) if end else None
        if end is None or repeated is None:
            return data
        self._camera.sendall(repeated)
        return data[end:]

    def _renew_nonce(self, data: bytes) -> None:
        """Note the challenge where the camera refuses a request during the stream: its nonce has expired.

        FFmpeg sees the refusal, too, and repeats the request that keeps the session alive; that one has the
        new nonce. A refusal that arrives in two pieces is noted when the repeated request is refused.
        """
        # The search for the whole head would be slow in every packet.
        if b" 401" in data and (refused := _REFUSED_IN_STREAM.search(data)):
            self._requests.note_challenge(refused[0])

    def _receive(self) -> bytes | None:
        """What the camera has sent, empty if that was its end; None if it was a part of TLS alone."""
        self._camera.settimeout(0)
        try:
            data = self._camera.recv(_CHUNK)
            # What TLS has decrypted already is not seen by `select`.
            while pending := getattr(self._camera, "pending", int)():
                data += self._camera.recv(pending)
            return data
        except ssl.SSLWantReadError:
            return None
        finally:
            self._camera.settimeout(self._timeout)

    def _inspect(self, data: bytes) -> bytes:
        """Note the camera's status; returns what may be passed on.

        Held back until it is whole: a challenge, and a line that could become a status line.
        """
        status_line = _UNFINISHED.search(data, data.rfind(b"\n") + 1)
        end = status_line.start() if status_line else len(data)
        if _UNAUTHORIZED.match(data) and answer_end(data) is None:
            end = 0
        lines, self._held = data[:end], data[end:]
        for found in _STATUS.finditer(lines.replace(b"\r", b"")):
            self.status = int(found[1])
            if self.status in REDIRECTIONS:
                return b""
            if self._play_requested and self.status == 200:
                self._streaming = True
        if self._streaming:
            lines, self._held = data, b""
        return lines
