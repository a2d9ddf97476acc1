"""Digest: the answer to a challenge without sending the password (RFC 7616; without qop RFC 2069).

Libraries do part of it: urllib knows MD5 and SHA-1 alone, requests takes one of several challenges and no
SHA-256-sess, and neither escapes a quote in a user name.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

from ingest.challenges import Challenge

_HASHES: dict[str, Callable[[bytes], hashlib._Hash]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data),
}
ALGORITHMS = tuple(_HASHES)
"""Supported algorithms, the weakest first; each also with `-sess`."""
_SESSION = "-SESS"


def strength(challenge: Challenge) -> int:
    """The strength of a challenge's algorithm, from 1 on; 0 where the challenge is not supported."""
    algorithm = _algorithm(challenge).removesuffix(_SESSION)
    supported = algorithm in _HASHES and {"realm", "nonce"} <= challenge.parameters.keys()
    return 1 + ALGORITHMS.index(algorithm) if supported and _qop(challenge) is not None else 0


def answer(challenge: Challenge, user: bytes, password: bytes, request: tuple[str, str], count: int) -> bytes:
    """The value of the header `Authorization`.

    Args:
        challenge: one with a `strength`.
        user: as the camera encodes it.
        password: as the camera encodes it.
        request: the method and the target, as they are sent.
        count: how often the challenge's nonce has been used, this time included.
    """
    given, client_nonce, uses = challenge.parameters, secrets.token_hex(8), f"{count:08x}"
    algorithm, qop = _algorithm(challenge), _qop(challenge)
    method, target = (part.encode("latin-1") for part in request)
    realm, nonce = given["realm"].encode("latin-1", "replace"), given["nonce"].encode("latin-1", "replace")

    def digest(*parts: bytes) -> bytes:
        return _HASHES[algorithm.removesuffix(_SESSION)](b":".join(parts)).hexdigest().encode()

    secret = digest(user, realm, password)
    if algorithm.endswith(_SESSION):
        secret = digest(secret, nonce, client_nonce.encode())
    what = digest(method, target, digest(b"")) if qop == "auth-int" else digest(method, target)
    use = (uses.encode(), client_nonce.encode(), qop.encode()) if qop else ()
    hides_user = given.get("userhash", "").lower() == "true"

    fields = [
        (b"username", _quote(digest(user, realm) if hides_user else user)),
        (b"realm", _quote(realm)),
        (b"nonce", _quote(nonce)),
        (b"uri", _quote(target)),
        (b"response", _quote(digest(secret, nonce, *use, what))),
    ]
    if "algorithm" in given:
        fields.append((b"algorithm", given["algorithm"].encode("latin-1", "replace")))
    if "opaque" in given:
        fields.append((b"opaque", _quote(given["opaque"].encode("latin-1", "replace"))))
    if qop:
        fields += [(b"qop", qop.encode()), (b"nc", uses.encode())]
    if qop or algorithm.endswith(_SESSION):
        fields.append((b"cnonce", _quote(client_nonce.encode())))
    if hides_user:
        fields.append((b"userhash", b"true"))
    return b"Digest " + b", ".join(name + b"=" + value for name, value in fields)


def _algorithm(challenge: Challenge) -> str:
    return challenge.parameters.get("algorithm", "MD5").upper()


def _qop(challenge: Challenge) -> str | None:
    """The quality of protection to use: empty where none is named, None where only unknown ones are."""
    offered = [each.strip().lower() for each in challenge.parameters.get("qop", "").split(",")]
    return next((each for each in ("auth", "auth-int", "") if each in offered), None)


def _quote(text: bytes) -> bytes:
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
