"""Challenges: what a server requires in `WWW-Authenticate` (RFC 9110, section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ITEM = re.compile(
    rf'(?P<name>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]+))'
    rf"|(?P<scheme>{_TOKEN})(?=[\s,]|$)",
    re.DOTALL,
)
"""A parameter, or the scheme with which a challenge begins; all else, such as a token68, is skipped."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_A_SCHEME = ("auth", "auth-int")
"""Values of qop, of which some cameras send several without quotes."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in: its scheme and the names of its parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """The challenges of all `WWW-Authenticate` headers of one answer, in their order.

    One header may hold several challenges. A challenge with a control character in it is left out, since its
    values are sent back.
    """
    found: list[Challenge] = []
    for value in values:
        parameters: dict[str, str] = {}
        for item in _ITEM.finditer(value):
            scheme = (item["scheme"] or "").lower()
            if scheme and scheme not in _NOT_A_SCHEME:
                parameters = {}
                found.append(Challenge(scheme, parameters))
            elif item["name"]:
                text = item["bare"] if item["quoted"] is None else _ESCAPE.sub(r"\1", item["quoted"])
                parameters.setdefault(item["name"].lower(), text)
    return [each for each in found if not any(map(_CONTROL.search, each.parameters.values()))]
