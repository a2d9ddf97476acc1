"""Reaching a camera over the network: its address, a connection, or in plain words why there is none."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ingest.errors import SourceError, SourceLost

PORTS = {"rtsp": 554, "http": 80, "https": 443}
"""The schemes of network cameras, and the port that each uses where none is written."""
ASKS_FOR_LOGIN = "the camera asks for a login (401): add user and password to the address"
WRONG_LOGIN = "the camera refuses the login (401): check user and password"
REFUSED = {
    403: "the camera refuses access (403): check what this user may see",
    404: "the camera has no such stream (404): check the address",
    503: "the camera cannot serve the stream now (503)",
}
"""What a status means for an operator; HTTP and RTSP have them in common."""
_KEPT = "/?%:@!$&'()*+,;=[]~"
"""What has a meaning in a path and a query, or is percent-encoded already."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a camera's URL; the login is decoded and stays out of `url`."""

    scheme: str
    host: str
    port: int
    target: str
    user: str | None = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take `url` apart.

        Raises:
            SourceError: it is no address, which a password with unencoded special characters makes of it.
        """
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").encode("idna").decode(), parts.port
        except ValueError:
            raise SourceError(_not_understood(url)) from None
        misplaced = parts.path + parts.fragment + ("" if parts.path else parts.query)
        if not host or "@" in misplaced:
            raise SourceError(_not_understood(url))
        return cls(
            scheme=parts.scheme,
            host=host,
            port=port or PORTS[parts.scheme],
            target=quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=_KEPT),
            user=None if parts.username is None else unquote(parts.username),
            password=unquote(parts.password or ""),
        )

    @property
    def url(self) -> str:
        """The address without the login."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"


def _not_understood(url: str) -> str:
    scheme = url.partition("://")[0]
    return (
        f"{scheme} address that cannot be understood: expected {scheme}://[user:password@]host[:port]/path; "
        "keep the password in an environment variable NAME and write ${NAME} in its place"
    )


def connect(address: Address, timeout: float) -> socket.socket:
    """A connection to the camera, encrypted for https; `timeout` seconds then hold for each of its steps.

    Raises:
        SourceLost: saying why there is none.
    """
    try:
        raw = socket.create_connection((address.host, address.port), timeout)
    except OSError as error:
        raise SourceLost(explain(error, timeout)) from error
    if address.scheme != "https":
        return raw
    try:
        return ssl.create_default_context().wrap_socket(raw, server_hostname=address.host)
    except OSError as error:
        raw.close()
        raise SourceLost(explain(error, timeout)) from error


def explain(error: OSError, timeout: float) -> str:
    """What went wrong with a connection, as a plain sentence."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, socket.gaierror):
        return "its host name is not known here"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return f"no connection: {(error.strerror or 'it was broken off').lower()}"
