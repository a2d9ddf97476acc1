"""Redaction: hides the secrets of addresses in texts before these are shown, logged or stored."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from common.source_parts import HARMLESS, REFERENCE, Part, is_harmless, is_name, split_source

HIDDEN = "***"
_NO_HOST = "http://host"

_SHORTEST = 4
"""Characters of a known secret from which on it is searched in every text; shorter ones occur by chance."""
_AFTER = "\"'),.:;]>"
"""Punctuation of the sentence that an address is a part of."""
_ADDRESS = re.compile(
    r"(?P<address>[A-Za-z][A-Za-z0-9+.-]*://\S+)"
    # Path and query without scheme and host, as in the first line of an HTTP request.
    r"|(?<![\w/:])(?P<target>/[^\s?]*\?\S+)"
    # user:password@host without a scheme.
    r"|(?P<login>[^\s:/@'\"(\[]+:\S*)@(?=[\w\[])"
)
_HEADER = re.compile(r"(\b(?:proxy-)?authorization\s*[:=]\s*)\S[^\r\n]*", re.IGNORECASE)
_NAMED = re.compile(r"(\b[\w.-]*(?:pass|pwd|psw|secret|token)[\w.-]*=)[^\s&;,'\"]+", re.IGNORECASE)
"""`password=...` outside of an address, as in the parameters of libpq."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the secrets of the addresses in it, and without `secrets` wherever they are.

    User names, passwords and the values of parameters that are not known to be harmless are replaced by
    `***`. Too much is hidden rather than too little: it cannot be seen in a text where an unusual secret
    ends.

    Args:
        text: any text, such as an error of a library.
        secrets: known secrets of four or more characters; also hidden where they are percent-encoded.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            for form in (secret, _quoted(secret, ":"), _quoted(secret, "")):
                text = text.replace(form, HIDDEN)
    text = _ADDRESS.sub(_redact_match, text)
    text = _HEADER.sub(rf"\1{HIDDEN}", text)
    return _NAMED.sub(_redact_named, text)


def _quoted(secret: str, safe: str) -> str:
    """A secret in percent-encoding; that of an environment variable may be any bytes."""
    return quote(secret, safe=safe, errors="surrogateescape")


def redact_source(source: str) -> str:
    """A camera's source without what may be a secret; references such as `${NAME}` stay."""
    parts = split_source(source)
    if len(parts) == 1 and not source.startswith("/"):
        # A login without a scheme is taken for a path.
        _, at, rest = source.rpartition("@")
        return HIDDEN + at + redact(rest) if at else redact(source)
    shown = re.sub(rf"(?:{re.escape(HIDDEN)})+", HIDDEN, "".join(_shown_parts(parts)))
    return shown.replace(f"{HIDDEN}:{HIDDEN}@", f"{HIDDEN}@", 1)


def _shown_parts(parts: Sequence[Part]) -> Iterator[str]:
    """The texts of the parts, in order; what follows a secret in a path or a query may belong to it."""
    after_secret = in_query = False
    for part, following in itertools.zip_longest(parts, parts[1:], fillvalue=Part("")):
        in_query = in_query or part.text == "?"
        if after_secret and not in_query:
            hidden = True
        elif part.field == "parameter":
            known = part.key.lower() in HARMLESS or following.reference
            hidden = not (known or is_name(part)) or (after_secret and not known)
        else:
            hidden = not is_harmless(part, HARMLESS)
        after_secret = after_secret or (hidden and part.kind in ("value", "unknown"))
        yield HIDDEN if hidden else part.text


def _redact_match(match: re.Match[str]) -> str:
    if match["login"] is not None:
        return f"{HIDDEN}@"
    found = match[0].rstrip(_AFTER)
    after = match[0][len(found) :]
    if match["address"] is not None:
        return redact_source(found) + after
    return redact_source(_NO_HOST + found).removeprefix(_NO_HOST) + after


def _redact_named(match: re.Match[str]) -> str:
    value = match[0].removeprefix(match[1])
    return match[0] if value == HIDDEN or REFERENCE.fullmatch(value) else match[1] + HIDDEN
