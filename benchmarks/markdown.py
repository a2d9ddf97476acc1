"""Tables in Markdown, and parts of a document that are made from figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table with a line for each row."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def begin(name: str) -> str:
    """The mark before a part of a document that is made from figures."""
    return f"<!-- {name}: written by `python -m benchmarks.readme`, checked by the tests -->\n"


def end(name: str) -> str:
    """The mark after it."""
    return f"<!-- /{name} -->"


def refilled(document: str, name: str, text: str) -> str:
    """A document with what stands between the marks of a part replaced.

    Raises ValueError where it has no such part.
    """
    before, after = begin(name), end(name)
    if document.find(before) < 0 or document.find(after) < document.find(before):
        raise ValueError(f"no {before.strip()} with {after} after it")
    return re.sub(
        f"{re.escape(before)}.*?{re.escape(after)}", lambda _: before + text + after, document, flags=re.S
    )
