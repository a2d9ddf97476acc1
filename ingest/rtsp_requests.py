"""Requests of FFmpeg to an RTSP camera, completed on their way: with the camera's address and with the login.

FFmpeg itself knows Basic and Digest with MD5, takes the last of several challenges, and none that is written
in lower case. Here a camera gets the same logins over RTSP as over HTTP; FFmpeg sees neither the login nor
the challenge.
"""

from __future__ import annotations

import re

from ingest.login import ASKS_FOR_LOGIN, Login
from ingest.network import Address

_REQUEST = re.compile(rb"(?<![^\r\n])([A-Z_]{3,20}) (\S+) (RTSP/1\.0\r\n)")
"""Any target: FFmpeg repeats what the camera calls itself, such as rtsps://..., or only a path."""
_CHALLENGE = re.compile(rb"^www-authenticate[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,6})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class RtspRequests:
    """Completes the requests of one connection.

    Args:
        address: of the camera, with the login.
        relay: the address that FFmpeg writes instead, such as `rtsp://127.0.0.1:5000`.
    """

    def __init__(self, address: Address, relay: str) -> None:
        self._camera = f"{address.scheme}://{address.authority}".encode("ascii")
        self._relay = relay.encode("ascii")
        self._login = None if address.user is None else Login(address.user, address.password)
        self._last = b""

    @property
    def refusal(self) -> str:
        """Why a camera that answers with status 401 gives no stream."""
        return ASKS_FOR_LOGIN if self._login is None else self._login.refusal

    def complete(self, data: bytes) -> bytes:
        """What FFmpeg has sent, as the camera gets it: one request, or data that is passed on as it is."""
        self._last = data
        if self._login:
            self._login.begin_request()
        return self._completed(data)

    def answer_challenge(self, answer: bytes) -> bytes | None:
        """The last request with a login; None where there is none, or the camera refuses it.

        Args:
            answer: a whole answer with status 401.
        """
        if self._login is None or not self._login.accept(_challenges(answer)):
            return None
        return self._completed(self._last)

    def note_challenge(self, answer: bytes) -> None:
        """Answer the challenge in later requests; an answer without one changes nothing.

        Args:
            answer: what looks like an answer with status 401; in a stream it may be a part of a picture.
        """
        challenges = _challenges(answer)
        if self._login is not None and challenges:
            self._login.accept(challenges)

    def _completed(self, data: bytes) -> bytes:
        return _REQUEST.sub(self._complete_head, data)

    def _complete_head(self, request: re.Match[bytes]) -> bytes:
        method, target, version = request.groups()
        if target.startswith(self._relay):
            target = self._camera + target.removeprefix(self._relay)
        login = self._login and self._login.authorization(method.decode("ascii"), target.decode("latin-1"))
        field = b"Authorization: " + login + b"\r\n" if login else b""
        return method + b" " + target + b" " + version + field


def _challenges(answer: bytes) -> list[str]:
    return [found.decode("latin-1") for found in _CHALLENGE.findall(answer)]


def answer_end(data: bytes) -> int | None:
    """Where the first answer in `data` ends, its body included; None where it is not whole."""
    head = _HEAD_END.search(data)
    if head is None:
        return None
    length = _LENGTH.search(data, 0, head.start() + 1)
    end = head.end() + (int(length[1]) if length else 0)
    return end if end <= len(data) else None
