"""MJPEG over HTTP: a sequence of JPEG pictures in one response that never ends.

Not read by FFmpeg, which decodes every picture: here pictures that are not sampled are skipped undecoded,
pictures are checked before they are decoded, and the reason of a failure is known.
"""

from __future__ import annotations

import http.client
import socket
import time
from functools import partial

from typing_extensions import override

from ingest.camera_source import CameraSource, UndecodedPicture
from ingest.errors import SourceLost
from ingest.login import answer_challenge, explain_unauthorized
from ingest.network import REFUSED, Address, connect, explain
from media.images import CAMERA_PICTURE, decode_gray

_MULTIPART = "multipart/x-mixed-replace"
_LONGEST_LINE = 4096
_CHUNK = 65_536


class MjpegStream(CameraSource):
    """An open MJPEG stream.

    Supports the login methods Basic and Digest (RFC 7617, RFC 7616); does not follow redirects.

    Args:
        url: with the login, percent-encoded.
        open_timeout: seconds within which the camera must respond.
        read_timeout: seconds within which each picture must arrive.

    Raises:
        SourceError: `url` is not an address.
        SourceLost: there is no stream; gives the reason.
    """

    live = True

    def __init__(self, url: str, open_timeout: float, read_timeout: float) -> None:
        self._timeout = read_timeout
        self._buffer = bytearray()
        self._socket, self._response = _open(Address.parse(url), open_timeout)
        try:
            self._boundary = _boundary(self._response)
            self._socket.settimeout(read_timeout)
        except SourceLost:
            self.close()
            raise

    @override
    def read(self) -> UndecodedPicture:
        deadline = time.monotonic() + self._timeout
        length = self._part_header(deadline)
        data = self._take_until(self._boundary, deadline) if length is None else self._take(length, deadline)
        return UndecodedPicture(None, partial(decode_gray, data, CAMERA_PICTURE))

    @override
    def close(self) -> None:
        self._response.close()
        self._socket.close()

    def _part_header(self, deadline: float) -> int | None:
        """Skip a part's header lines; returns the announced length of its body in bytes, or None."""
        length, fields = None, 0
        while True:
            line = self._take_until(b"\n", deadline, _LONGEST_LINE).strip()
            name, colon, value = line.partition(b":")
            if colon:
                fields += 1
                if name.strip().lower() == b"content-length" and value.strip().isdigit():
                    # A number of thousands of digits is too large in any case, and costs time to convert.
                    length = int(value.strip()[:20])
            elif not line and fields:
                return length

    def _take(self, size: int, deadline: float) -> bytes:
        if size > CAMERA_PICTURE.bytes:
            raise SourceLost(
                f"the camera sends a picture of {size} bytes, the most is {CAMERA_PICTURE.bytes}"
            )
        while len(self._buffer) < size:
            self._receive(deadline)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _take_until(self, mark: bytes, deadline: float, most: int = CAMERA_PICTURE.bytes) -> bytes:
        """The bytes before `mark`, which is skipped."""
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            searched = max(0, len(self._buffer) - len(mark))
            if searched > most:
                raise SourceLost(f"the camera sends no MJPEG: nothing ends within {most} bytes")
            self._receive(deadline)
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return taken

    def _receive(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise SourceLost(f"no picture for {self._timeout:g} s")
        try:
            chunk = self._response.read1(_CHUNK)
        except TimeoutError:
            raise SourceLost(f"no picture for {self._timeout:g} s") from None
        except OSError as error:
            raise SourceLost(explain(error, self._timeout)) from error
        except http.client.HTTPException as error:
            raise SourceLost("the camera interrupted the stream") from error
        if not chunk:
            raise SourceLost("the camera ended the stream")
        self._buffer += chunk


def _open(address: Address, timeout: float) -> tuple[socket.socket, http.client.HTTPResponse]:
    """The connection and the camera's response, with the login if the camera requires it."""
    connection, response = _request(address, timeout, None)
    if response.status == http.HTTPStatus.UNAUTHORIZED and address.user is not None:
        login = answer_challenge(address, response.headers)
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
        return explain_unauthorized(address)
    return REFUSED.get(status, f"the camera responds with status {status}, not with a stream")


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
        raise SourceLost("the camera does not respond in HTTP") from error


def _boundary(response: http.client.HTTPResponse) -> bytes:
    """The separator of two pictures; some cameras include its dashes in the name, some do not."""
    kind = response.headers.get_content_type()
    name = response.headers.get_param("boundary")
    if kind != _MULTIPART or not isinstance(name, str):
        raise SourceLost(f"the camera sends {kind}, not an MJPEG stream ({_MULTIPART}): check the address")
    return b"\r\n--" + name.removeprefix("--").encode("ascii", "replace")
