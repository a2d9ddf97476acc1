"""Address of a network camera, and connection to it, or the reason in plain words why there is none."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ingest.address_policy import AddressPolicy
from ingest.deadline import Deadline
from ingest.errors import SourceError, SourceLost
from ingest.tls import start_tls

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
_CERTIFICATE = re.compile(r"sha256=((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a camera's URL; the login is decoded and stays out of `url`.

    `certificate` is the SHA-256 of the only certificate that is accepted, in 64 lower-case hexadecimal
    digits; None for one that an authority vouches for.
    """

    scheme: str
    host: str
    port: int
    target: str
    user: str | None = field(repr=False)
    password: str = field(repr=False)
    certificate: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Split `url` into its parts.

        Raises:
            SourceError: it is not an address; a password with unencoded special characters has this effect.
            Or what
                follows `#` is no fingerprint of a certificate.
        """
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").encode("idna").decode().lower(), parts.port
        except ValueError:
            raise SourceError(_parse_failure(url)) from None
        misplaced = parts.path + parts.fragment + ("" if parts.path else parts.query)
        if not host or "@" in misplaced:
            raise SourceError(_parse_failure(url))
        user = None if parts.username is None else unquote(parts.username)
        password = unquote(parts.password or "")
        if _CONTROL.search(f"{user}{password}"):
            raise SourceError(
                f"{parts.scheme} address: its user name or password contains a control character"
            )
        return cls(
            scheme=parts.scheme,
            host=host,
            port=port or PORTS[parts.scheme],
            target=quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=_KEPT),
            user=user,
            password=password,
            certificate=_parse_certificate(parts.scheme, parts.fragment),
        )

    @property
    def authority(self) -> str:
        """Host and port, the latter unless it is the default one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address without the login."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"


def _parse_failure(url: str) -> str:
    scheme = url.partition("://")[0]
    return (
        f"{scheme} address that cannot be parsed: expected {scheme}://host[:port]/path, with a login in "
        "front of the host as ${MIEN_CAMERA_USER}:${MIEN_CAMERA_PASSWORD}@, which are environment variables"
    )


def _parse_certificate(scheme: str, fragment: str) -> str | None:
    """The pinned certificate in what follows `#`, None where nothing follows."""
    if not fragment:
        return None
    found = _CERTIFICATE.fullmatch(fragment)
    if not found or scheme not in _ENCRYPTED:
        raise SourceError(
            f"{scheme} address: after # only sha256= and the fingerprint of a certificate in 64 hexadecimal "
            "digits is expected, with https and rtsps; a # elsewhere is written %23"
        )
    return found[1].replace(":", "").lower()


def connect_by(address: Address, deadline: Deadline, policy: AddressPolicy) -> socket.socket:
    """A connection to the camera, with TLS for https and rtsps.

    It is direct: environment variables such as `http_proxy` have no effect.

    Raises:
        SourceError: `policy` does not allow its address.
        SourceLost: there is none; gives the reason.
    """
    places = policy.judge(address.host, address.port)
    try:
        raw = connect_to_first(places, address.port, deadline)
        if address.scheme not in _ENCRYPTED:
            return raw
        return start_tls(raw, address.host, address.certificate, deadline)
    except OSError as error:
        raise SourceLost(explain(error, deadline.seconds)) from error


def connect_to_first(places: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first of the judged addresses that accepts one; raises OSError."""
    failure = OSError("its host name has no address")
    for number, place in enumerate(places):
        try:
            # One that does not answer leaves time for the others.
            return socket.create_connection((place, port), deadline.left() / (len(places) - number))
        except OSError as error:
            failure = error
    raise failure


def explain(error: OSError, timeout: float) -> str:
    """The reason why a connection failed, as a plain sentence."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, socket.gaierror):
        return "its host name cannot be resolved"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return f"no connection: {(error.strerror or 'it was interrupted').lower()}"
