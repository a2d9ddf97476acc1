"""HTTP to a network camera: one request at a time, with login and redirects, within deadlines and limits.

The standard library reads the answer, since cameras deviate from HTTP in ways that stricter libraries
refuse. What it lacks is here: one deadline for an answer as a whole, a limit for its head, and a connection
to an address that was judged. Environment variables for proxies have no effect.
"""

from __future__ import annotations

import http.client
import io
import socket
from dataclasses import replace
from typing import cast
from urllib.parse import urljoin, urlsplit, urlunsplit

from typing_extensions import Buffer, override

from ingest.address_policy import AddressPolicy
from ingest.deadline import Deadline
from ingest.errors import SourceError, SourceLost
from ingest.login import ASKS_FOR_LOGIN, Login
from ingest.network import REFUSED, Address, connect_by, explain

_MOST_ANSWERS = 12
"""Answers until the stream begins: redirects, challenges and stale nonces."""
_LONGEST_HEAD = 65_536
"""Bytes of an answer's status line and headers, and of the interim answers (1xx) before it."""
_LONGEST_REFUSAL = 65_536
"""Bytes of the body of a refusal that are read to keep the connection."""
_CHUNK = 65_536
_REDIRECTS = (301, 302, 303, 307, 308)
_ACCEPT = "multipart/x-mixed-replace, image/jpeg;q=0.9, */*;q=0.1"


class CameraHttp:
    """Requests to one camera; the connection is kept where the camera allows it.

    Args:
        address: with the login.
        policy: judges the address of each connection, those of redirects included.
    """

    def __init__(self, address: Address, policy: AddressPolicy) -> None:
        self._address = address
        self._policy = policy
        self._login = None if address.user is None else Login(address.user, address.password)
        self._connection: _Connection | None = None
        self._answer: http.client.HTTPResponse | None = None

    def request(self, deadline: Deadline) -> http.client.HTTPMessage:
        """Request the stream or picture; returns the headers of the answer, which has status 200.

        Args:
            deadline: for everything until the headers are there: connections, logins and redirects.

        Raises:
            SourceError: the address is not allowed.
            SourceLost: there is no such answer; gives the reason.
        """
        address = self._address
        if self._login:
            self._login.begin_request()
        for _ in range(_MOST_ANSWERS):
            answer = self._answer = self._ask(address, deadline)
            if answer.status == http.HTTPStatus.OK:
                return _begin_body(answer)
            if answer.status in _REDIRECTS and answer.headers["Location"]:
                address = _redirected(address, str(answer.headers["Location"]))
            elif answer.status != http.HTTPStatus.UNAUTHORIZED or not self._try_login(address, answer):
                raise SourceLost(self._refusal(address, answer.status))
            self._finish_refusal(deadline)
        raise SourceLost("the camera redirects or asks for a login without end")

    def read(self, deadline: Deadline) -> bytes:
        """The next bytes of the answer's body, empty at its end.

        Raises:
            SourceLost: the connection failed, or nothing arrived before the deadline.
        """
        if self._connection is None or self._answer is None:
            return b""
        self._connection.deadline = deadline
        try:
            return self._answer.read1(_CHUNK)
        except TimeoutError:
            raise SourceLost(f"no picture for {deadline.seconds:g} s") from None
        except OSError as error:
            raise SourceLost(explain(error, deadline.seconds)) from error
        except http.client.HTTPException as error:
            raise SourceLost("the camera interrupted the stream") from error

    def close(self) -> None:
        """Close the connection."""
        if self._answer is not None:
            self._answer.close()
        if self._connection is not None:
            self._connection.close()
        self._answer = self._connection = None

    def _ask(self, address: Address, deadline: Deadline) -> http.client.HTTPResponse:
        """One request and the head of its answer, over the kept connection if there is one."""
        try:
            if self._keeps_connection_to(address):
                try:
                    return self._exchange(address, deadline)
                except (ConnectionError, http.client.HTTPException):
                    # The camera may close a connection that is not in use at any moment, or it sent bytes
                    # behind the last answer, which are no answer to this request.
                    pass
            self.close()
            self._connection = _Connection(address, self._policy, deadline)
            return self._exchange(address, deadline)
        except OSError as error:
            raise SourceLost(explain(error, deadline.seconds)) from error
        except http.client.HTTPException as error:
            raise SourceLost("the camera does not respond in HTTP") from error
        except (SourceError, SourceLost) as error:
            if address is self._address:
                raise
            raise SourceLost(f"the camera redirects: {error}") from error

    def _keeps_connection_to(self, address: Address) -> bool:
        """Whether the last answer was read to its end, and the camera keeps that connection open."""
        if self._connection is None or self._answer is None or self._answer.will_close:
            return False
        ended = self._answer.isclosed() or self._answer.length == 0
        return ended and self._connection.leads_to(address)

    def _exchange(self, address: Address, deadline: Deadline) -> http.client.HTTPResponse:
        assert self._connection is not None
        self._connection.deadline = deadline
        self._connection.send(self._request_head(address))
        return self._connection.read_head()

    def _request_head(self, address: Address) -> bytes:
        fields = [
            f"GET {address.target} HTTP/1.1",
            f"Host: {address.authority}",
            "User-Agent: Mien",
            f"Accept: {_ACCEPT}",
            "Accept-Encoding: identity",
        ]
        head = "".join(f"{field}\r\n" for field in fields).encode("ascii")
        if self._login and self._may_log_in(address):
            login = self._login.authorization("GET", address.target)
            head += b"Authorization: " + login + b"\r\n" if login else b""
        return head + b"\r\n"

    def _may_log_in(self, address: Address) -> bool:
        """Whether the login may be sent: to the same server, or to the same host with encryption."""
        own = self._address
        same_server = (address.scheme, address.port) == (own.scheme, own.port)
        return address.host == own.host and (same_server or address.scheme == "https")

    def _try_login(self, address: Address, answer: http.client.HTTPResponse) -> bool:
        challenges = map(str, answer.headers.get_all("WWW-Authenticate", []))
        return self._login is not None and self._may_log_in(address) and self._login.accept(challenges)

    def _refusal(self, address: Address, status: int) -> str:
        if status != http.HTTPStatus.UNAUTHORIZED:
            return REFUSED.get(status, f"the camera responds with status {status}, not with a stream")
        if self._login is None:
            return ASKS_FOR_LOGIN
        if not self._may_log_in(address):
            return "the camera redirects to another server, which asks for a login: it is not sent there"
        return self._login.refusal

    def _finish_refusal(self, deadline: Deadline) -> None:
        """Read the body of an answer that is not the last, so that the connection can be used again."""
        answer, left = self._answer, _LONGEST_REFUSAL
        if answer is None or answer.will_close:
            self.close()
            return
        try:
            while left > 0 and (data := self.read(deadline)):
                left -= len(data)
        except SourceLost:
            self.close()


class _Connection:
    """A connection whose deadline ends sending and receiving, and which limits the head of an answer."""

    def __init__(self, address: Address, policy: AddressPolicy, deadline: Deadline) -> None:
        self.deadline = deadline
        self._server = (address.scheme, address.host, address.port)
        self._head_left: int | None = None
        self._socket = connect_by(address, deadline, policy)

    def leads_to(self, address: Address) -> bool:
        """Whether it is a connection to the server of `address`."""
        return self._server == (address.scheme, address.host, address.port)

    def send(self, data: bytes) -> None:
        """Send all of `data`; raises OSError."""
        self._socket.settimeout(self.deadline.left())
        self._socket.sendall(data)

    def read_head(self) -> http.client.HTTPResponse:
        """The status and the headers of the next answer; raises OSError and HTTPException."""
        answer = http.client.HTTPResponse(cast(socket.socket, self), method="GET")
        self._head_left = _LONGEST_HEAD
        try:
            answer.begin()
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            # The library parses headers as those of a mail, and raises these for malformed parameters.
            raise http.client.HTTPException("malformed header") from error
        self._head_left = None
        return answer

    def makefile(self, mode: str) -> io.BufferedReader:
        """What an answer is read from; closing it leaves the connection open."""
        assert mode == "rb"
        return io.BufferedReader(_Receiver(self), _CHUNK)

    def receive_into(self, buffer: Buffer) -> int:
        """Receive at least one byte, 0 at the end; raises OSError and HTTPException."""
        self._socket.settimeout(self.deadline.left())
        size = self._socket.recv_into(buffer)
        if self._head_left is not None:
            self._head_left -= size
            if self._head_left < 0:
                raise http.client.LineTooLong("head of the answer")
        return size

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class _Receiver(io.RawIOBase):
    """The receiving side of a connection for one answer."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer) -> int:
        return self._connection.receive_into(buffer)


def _begin_body(answer: http.client.HTTPResponse) -> http.client.HTTPMessage:
    """The headers of an answer with a stream or a picture."""
    encoding = str(answer.headers.get("Content-Encoding", "")).strip().lower()
    if encoding not in ("", "identity"):
        raise SourceLost(f"the camera compresses its answer ({encoding[:20]}), which is not supported")
    if str(answer.headers.get("Content-Type", "")).strip().lower().startswith("multipart/"):
        # Some cameras announce the length of one picture for the whole stream.
        answer.length = None
    return answer.headers


def _redirected(address: Address, location: str) -> Address:
    """The address that a redirect names; a login in it is left out."""
    try:
        parts = urlsplit(urljoin(address.url, location))
        scheme = parts.scheme.lower()
        if scheme not in ("http", "https"):
            raise SourceLost("the camera redirects to an address that is not HTTP")
        target = urlunsplit((scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
        redirected = Address.parse(target)
    except (ValueError, SourceError):
        raise SourceLost("the camera redirects to an address that cannot be parsed") from None
    # A pinned certificate belongs to the host.
    pinned = address.certificate if redirected.host == address.host and scheme == "https" else None
    return replace(redirected, certificate=pinned)
