"""TLS to a network camera: its certificate is checked by an authority, or pinned by its fingerprint."""

from __future__ import annotations

import hashlib
import socket
import ssl

from ingest.deadline import Deadline
from ingest.errors import SourceLost


def start_tls(raw: socket.socket, host: str, certificate: str | None, deadline: Deadline) -> ssl.SSLSocket:
    """TLS on a connection.

    Without a pinned certificate an authority of this machine must vouch for the camera's certificate and the
    name in it must be `host`. The variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name other authorities
    (OpenSSL).

    Args:
        raw: the connection; closed where this fails. host: name or address of the camera. certificate:
        SHA-256 of the only certificate (DER) that is accepted, in 64 lower-case hexadecimal digits.
        deadline: by which the handshake must be done.

    Raises:
        OSError: the handshake fails. SourceLost: the certificate is not the pinned one, or no authority
        vouches for it; the text has its fingerprint.
    """
    peer = raw.getpeername()
    try:
        if certificate is None:
            return _handshake(raw, host, ssl.create_default_context(), deadline)
        secured = _handshake(raw, host, _unchecked(), deadline)
    except ssl.SSLCertVerificationError as error:
        raw.close()
        raise SourceLost(_explain_distrust(error, _shown_certificate(peer, host, deadline))) from error
    except OSError:
        raw.close()
        raise
    shown = _fingerprint(secured)
    if shown == certificate:
        return secured
    secured.close()
    raise SourceLost(
        f"its certificate is not the pinned one: it has the fingerprint sha256={shown}; if the camera got "
        "a new certificate, change the address"
    )


def _handshake(raw: socket.socket, host: str, context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    raw.settimeout(deadline.left())
    return context.wrap_socket(raw, server_hostname=host)


def _unchecked() -> ssl.SSLContext:
    """A context that accepts every certificate: for one that is compared afterwards, or only shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _shown_certificate(peer: tuple[str, int], host: str, deadline: Deadline) -> str | None:
    """The fingerprint of the certificate at `peer`, over a further connection, which carries nothing else."""
    try:
        with (
            socket.create_connection(peer[:2], deadline.left()) as raw,
            _handshake(raw, host, _unchecked(), deadline) as secured,
        ):
            return _fingerprint(secured)
    except OSError:
        return None


def _fingerprint(secured: ssl.SSLSocket) -> str:
    return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()


def _explain_distrust(error: ssl.SSLCertVerificationError, fingerprint: str | None) -> str:
    text = f"its certificate is not trusted: {error.verify_message}"
    if fingerprint is None:
        return text
    return (
        f"{text}; if the camera's own page shows the fingerprint {fingerprint}, append #sha256={fingerprint} "
        "to the address"
    )
