"""Login at a network camera, over HTTP or RTSP: which of its challenges is answered, and how often."""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections.abc import Iterable

from ingest import digest
from ingest.challenges import Challenge, parse_challenges

ASKS_FOR_LOGIN = "the camera asks for a login (401): add user and password to the address"
WRONG_LOGIN = "the camera refuses the login (401): check user and password"

_MOST_RENEWALS = 2
"""Nonces of one request that may be stale."""
_BASIC = Challenge("basic", {})


class Login:
    """User and password, and the challenge that a camera sent last.

    Only the strongest supported challenge is answered: cameras lock an account after a few failures, and a
    weaker challenge may be an attacker's. User and password are sent as UTF-8 (RFC 7616, RFC 7617); if they
    are not ASCII and the camera does not announce UTF-8, a second attempt follows in Latin-1, which older
    cameras use.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user = unicodedata.normalize("NFC", user)
        self._password = unicodedata.normalize("NFC", password)
        self._challenge: Challenge | None = None
        self._encodings: list[str] = []
        self._renewals = 0
        self._uses = 0
        self._answered = self._refused = False
        self.refusal = WRONG_LOGIN
        """Why `accept` returned False."""

    def begin_request(self) -> None:
        """Note that the next 401 need not be a refusal: the nonce of an earlier request may have expired."""
        self._answered = False

    def accept(self, headers: Iterable[str]) -> bool:
        """Take the challenges of an answer with status 401; returns whether another attempt makes sense.

        Args:
            headers: the values of `WWW-Authenticate`, decoded as Latin-1.
        """
        challenge = None if self._refused else self._choose(parse_challenges(headers))
        if challenge is None:
            return False
        self._challenge, self._uses = challenge, 0
        if not self._answered:
            self._answered, self._renewals = True, _MOST_RENEWALS
            possible = self._possible_encodings(challenge)
            # An encoding that was refused is not tried again for every nonce: cameras would lock the account.
            self._encodings = [each for each in self._encodings if each in possible] or possible
            return True
        if challenge.parameters.get("stale", "").lower() == "true" and self._renewals:
            self._renewals -= 1
            return True
        del self._encodings[0]
        if self._encodings:
            return True
        self._challenge, self._refused, self.refusal = None, True, WRONG_LOGIN
        return False

    def authorization(self, method: str, target: str) -> bytes | None:
        """The value of the header `Authorization` for a request, None before the first challenge."""
        if self._challenge is None:
            return None
        user, password = (text.encode(self._encodings[0]) for text in (self._user, self._password))
        if self._challenge.scheme == "basic":
            return b"Basic " + b64encode(user + b":" + password)
        self._uses += 1
        return digest.answer(self._challenge, user, password, (method, target), self._uses)

    def _choose(self, challenges: list[Challenge]) -> Challenge | None:
        if not challenges:
            # A camera that does not say what it requires: Basic, as other programs send it.
            return _BASIC
        supported = [each for each in challenges if _strength(each) is not None]
        if supported:
            return max(supported, key=lambda each: _strength(each) or 0)
        offered = ", ".join(dict.fromkeys(map(_describe, challenges)))
        self.refusal = (
            f"the camera requires a login that is not supported ({offered}): set it to Basic or to Digest "
            f"with {' or '.join(reversed(digest.ALGORITHMS))}"
        )
        return None

    def _possible_encodings(self, challenge: Challenge) -> list[str]:
        both = self._user + self._password
        if both.isascii() or challenge.parameters.get("charset", "").lower() == "utf-8":
            return ["utf-8"]
        try:
            both.encode("latin-1")
        except UnicodeEncodeError:
            return ["utf-8"]
        return ["utf-8", "latin-1"]


def _strength(challenge: Challenge) -> int | None:
    """How well a challenge protects the password: 0 for Basic, more for Digest, None if not supported."""
    if challenge.scheme == "basic":
        return 0
    return (digest.strength(challenge) or None) if challenge.scheme == "digest" else None


def _describe(challenge: Challenge) -> str:
    """The scheme and algorithm in the camera's own words, which may be anything, shortened."""
    algorithm = challenge.parameters.get("algorithm", "")
    return f"{challenge.scheme} {algorithm}".strip()[:40]
