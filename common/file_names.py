"""File names that can be shown and stored: not every name is UTF-8."""

from __future__ import annotations


def printable_name(name: str) -> str:
    r"""A file's name, or a text with one, as it can be written: a byte that is no UTF-8 becomes `\xdf`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
