"""Address of a network camera, and connection to it, or the reason in plain words why there is none."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ingest.errors import SourceError, SourceLost

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""The schemes of network cameras, and the default port of each."""
REFUSED = {
    403: "the camera refuses access (403): check the permissions of this user",
    404: "the camera has no such stream (404): check the address",
    503: "the camera cannot serve the stream now (503)",
}
"""Messages for operators by status; HTTP and RTSP share these."""
_ENCRYPTED = ("https", "rtsps")
_KEPT = "/?%:@!$&'()*+,;=[]~"
"""Characters that have a meaning in a path and a query, or are percent-encoded already."""


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
        """Split `url` into its parts.

        Raises:
            SourceError: it is not an address; a password with unencoded special characters has this effect.
        """
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").encode("idna").decode(), parts.port
        except ValueError:
            raise SourceError(_parse_failure(url)) from None
        misplaced = parts.path + parts.fragment + ("" if parts.path else parts.query)
        if not host or "@" in misplaced:
            raise SourceError(_parse_failure(url))
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


def _parse_failure(url: str) -> str:
    scheme = url.partition("://")[0]
    return (
        f"{scheme} address that cannot be parsed: expected {scheme}://[user:password@]host[:port]/path; "
        "keep the password in an environment variable NAME and write ${NAME} in its place"
    )


def connect(address: Address, timeout: float) -> socket.socket:
    """A connection to the camera, with TLS for https and rtsps; each later step may take `timeout` seconds.

    Raises:
        SourceLost: there is none; gives the reason.
    """
    try:
        raw = socket.create_connection((address.host, address.port), timeout)
    except OSError as error:
        raise SourceLost(explain(error, timeout)) from error
    if address.scheme not in _ENCRYPTED:
        return raw
    try:
        return ssl.create_default_context().wrap_socket(raw, server_hostname=address.host)
    except OSError as error:
        raw.close()
        raise SourceLost(explain(error, timeout)) from error


def explain(error: OSError, timeout: float) -> str:
    """The reason why a connection failed, as a plain sentence."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, socket.gaierror):
        return "its host name cannot be resolved"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return f"no connection: {(error.strerror or 'it was interrupted').lower()}"
