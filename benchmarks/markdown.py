"""Markdown tables, and generated sections of a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def render_table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def start_mark(name: str) -> str:
    """The mark before a generated section of a document."""
    return f"<!-- {name}: written by `python -m benchmarks.readme`, checked by the tests -->\n"


def end_mark(name: str) -> str:
    """The mark after a generated section."""
    return f"<!-- /{name} -->"


def replace_section(document: str, name: str, text: str) -> str:
    """The document with a new text between the marks of a section.

    Raises ValueError if it has no such section.
    """
    before, after = start_mark(name), end_mark(name)
    if document.find(before) < 0 or document.find(after) < document.find(before):
        raise ValueError(f"no {before.strip()} with {after} after it")
    return re.sub(
        f"{re.escape(before)}.*?{re.escape(after)}", lambda _: before + text + after, document, flags=re.S
    )
