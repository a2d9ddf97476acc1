"""Login at a network camera: the answer to its challenge (HTTP Basic and Digest), and the messages about it.

FFmpeg answers the challenges of RTSP cameras itself; only the messages are used there.
"""

from __future__ import annotations

from base64 import b64encode
from email.message import Message
from urllib.request import (
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    Request,
    parse_http_list,
    parse_keqv_list,
)

from ingest.network import Address

ASKS_FOR_LOGIN = "the camera asks for a login (401): add user and password to the address"
WRONG_LOGIN = "the camera refuses the login (401): check user and password"


def explain_unauthorized(address: Address) -> str:
    """The message for status 401: no login was given, or the camera refuses it."""
    return ASKS_FOR_LOGIN if address.user is None else WRONG_LOGIN


def answer_challenge(address: Address, headers: Message) -> str | None:
    """The header `Authorization` that answers the camera's challenge, None if its method is not supported.

    Args:
        address: with the user and the password.
        headers: those of the camera's response with status 401.
    """
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
