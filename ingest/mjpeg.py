"""MJPEG over HTTP: pictures one after the other in one answer that never ends.

Not through FFmpeg, which decodes every picture: here those that are not sampled are passed over undecoded,
sizes are checked before anything is decoded, and the reason of a failure is known.
"""

from __future__ import annotations

import http.client
import socket
import time
from base64 import b64encode
from email.message import Message
from functools import partial
from urllib.request import (
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    Request,
    parse_http_list,
    parse_keqv_list,
)

from ingest.errors import SourceLost
from ingest.network import ASKS_FOR_LOGIN, REFUSED, WRONG_LOGIN, Address, connect, explain
from ingest.pictures import MOST_BYTES, Picture, decode_gray

_MULTIPART = "multipart/x-mixed-replace"
_LONGEST_LINE = 4096
_PIECE = 65_536


class MjpegStream:
    """An open MJPEG stream.

    Logins go by the methods Basic and Digest (RFC 7617, RFC 7616), redirections are not followed.

    Args:
        url: with the login, percent-encoded.
        open_timeout: seconds until the camera must have answered.
        read_timeout: seconds within which each picture must have come.

    Raises:
        SourceError: `url` is no address.
        SourceLost: saying why there is no stream.
    """

    live = True

    def __init__(self, url: str, open_timeout: float, read_timeout: float) -> None:
        self._timeout = read_timeout
        self._waiting = bytearray()
        self._socket, self._response = _open(Address.parse(url), open_timeout)
        try:
            self._boundary = _boundary(self._response)
            self._socket.settimeout(read_timeout)
        except SourceLost:
            self.close()
            raise

    def read(self) -> Picture:
        """The next picture.

        Raises:
            SourceLost: the stream broke, or brings no picture in time.
        """
        deadline = time.monotonic() + self._timeout
        length = self._part_header(deadline)
        data = self._take_until(self._boundary, deadline) if length is None else self._take(length, deadline)
        return Picture(None, partial(decode_gray, data))

    def close(self) -> None:
        """End the connection."""
        self._response.close()
        self._socket.close()

    def _part_header(self, deadline: float) -> int | None:
        """Pass over a part's header lines; the number of bytes that follow, None where it is not told."""
        length, fields = None, 0
        while True:
            line = self._take_until(b"\n", deadline, _LONGEST_LINE).strip()
            name, colon, value = line.partition(b":")
            if colon:
                fields += 1
                if name.strip().lower() == b"content-length" and value.strip().isdigit():
                    length = int(value)
            elif not line and fields:
                return length

    def _take(self, size: int, deadline: float) -> bytes:
        if size > MOST_BYTES:
            raise SourceLost(f"the camera sends a picture of {size} bytes, the most is {MOST_BYTES}")
        while len(self._waiting) < size:
            self._receive(deadline)
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken

    def _take_until(self, mark: bytes, deadline: float, most: int = MOST_BYTES) -> bytes:
        """What comes before `mark`, which is passed over."""
        searched = 0
        while (at := self._waiting.find(mark, searched)) < 0:
            searched = max(0, len(self._waiting) - len(mark))
            if searched > most:
                raise SourceLost(f"the camera sends no MJPEG: nothing ends within {most} bytes")
            self._receive(deadline)
        taken = bytes(self._waiting[:at])
        del self._waiting[: at + len(mark)]
        return taken

    def _receive(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise SourceLost(f"no picture for {self._timeout:g} s")
        try:
            piece = self._response.read1(_PIECE)
        except TimeoutError:
            raise SourceLost(f"no picture for {self._timeout:g} s") from None
        except OSError as error:
            raise SourceLost(explain(error, self._timeout)) from error
        except http.client.HTTPException as error:
            raise SourceLost("the camera broke off the stream") from error
        if not piece:
            raise SourceLost("the camera ended the stream")
        self._waiting += piece


def _open(address: Address, timeout: float) -> tuple[socket.socket, http.client.HTTPResponse]:
    """The connection and the camera's answer, with the login where it is asked for."""
    connection, response = _request(address, timeout, None)
    if response.status == http.HTTPStatus.UNAUTHORIZED and address.user is not None:
        login = _login(address, response.headers)
        if login:
            response.close()
            connection.close()
            connection, response = _request(address, timeout, login)
    if response.status != http.HTTPStatus.OK:
        response.close()
        connection.close()
        raise SourceLost(_refusal(address, response.status))
    return connection, response


def _refusal(address: Address, status: int) -> str:
    if status == http.HTTPStatus.UNAUTHORIZED:
        return ASKS_FOR_LOGIN if address.user is None else WRONG_LOGIN
    return REFUSED.get(status, f"the camera answers with status {status}, not with a stream")


def _request(
    address: Address, timeout: float, login: str | None
) -> tuple[socket.socket, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(address.host, address.port)
    connection.sock = channel = connect(address, timeout)
    try:
        connection.request("GET", address.target, headers={"Authorization": login} if login else {})
        return channel, connection.getresponse()
    except OSError as error:
        channel.close()
        raise SourceLost(explain(error, timeout)) from error
    except http.client.HTTPException as error:
        channel.close()
        raise SourceLost("the camera does not answer in HTTP") from error


def _login(address: Address, headers: Message) -> str | None:
    """The header that answers the camera's challenge, None where it asks for something unknown."""
    challenges = [str(value) for value in headers.get_all("WWW-Authenticate", [])]
    for challenge in challenges:
        method, _, parameters = challenge.partition(" ")
        if method.lower() == "digest":
            passwords = HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, address.url, address.user or "", address.password)
            try:
                fields = parse_keqv_list(parse_http_list(parameters))
                answer = HTTPDigestAuthHandler(passwords).get_authorization(Request(address.url), fields)
            except (ValueError, IndexError, OSError):
                return None
            return f"Digest {answer}" if answer else None
    if any(challenge.lower().startswith("basic") for challenge in challenges):
        return "Basic " + b64encode(f"{address.user}:{address.password}".encode()).decode()
    return None


def _boundary(response: http.client.HTTPResponse) -> bytes:
    """What stands between two pictures; cameras differ on whether they name it with its dashes."""
    kind = response.headers.get_content_type()
    name = response.headers.get_param("boundary")
    if kind != _MULTIPART or not isinstance(name, str):
        raise SourceLost(f"the camera sends {kind}, not an MJPEG stream ({_MULTIPART}): check the address")
    return b"\r\n--" + name.removeprefix("--").encode("ascii", "replace")
