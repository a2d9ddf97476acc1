"""What the shipped model cards say: accuracy, errors by group, limits, and the checksums of the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

_FOLDER = resources.files("inference") / "models"
CHECKSUMS = "checksums.json"

CLASSIFIER, DETECTOR = "faces.md", "detector.md"

_WANTED = {
    CLASSIFIER: {
        "right % (95 %)": "Right answers",
        "expression (test)": "By expression, test pictures",
        "perceived gender by race and gender (test)": "Perceived gender, by race and gender as labelled",
        "perceived gender by age (test)": "Perceived gender, by age as labelled",
    }
}
"""The tables of a card that are shown, by the head of their first column."""


@dataclass(frozen=True, slots=True)
class CardTable:
    """A table of a model card; all rows are as long as `heads`."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file with its SHA-256, and whether that is the shipped one."""

    name: str
    sha256: str
    shipped: bool


@cache
def read_figures() -> tuple[CardTable, ...]:
    """The figures of the face classifier's card, with its errors by group."""
    wanted = _WANTED[CLASSIFIER]
    tables = {heads[0]: (heads, rows) for heads, rows in _tables(_read(CLASSIFIER)) if heads[0] in wanted}
    return tuple(CardTable(title, *tables[first]) for first, title in wanted.items() if first in tables)


@cache
def read_limits() -> str:
    """What the classifier does not measure, and what it must not be used for, in the words of its card."""
    paragraphs = [" ".join(each.split()) for each in _read(CLASSIFIER).split("\n\n")]
    return " ".join(
        each.replace("**", "")
        for each in paragraphs
        if each.startswith(("**What it does not measure", "**Do not use it"))
    )


@cache
def read_model_files() -> tuple[ModelFile, ...]:
    """Every model file of this installation with its checksum."""
    shipped: Mapping[str, str] = json.loads(_read(CHECKSUMS))
    found = []
    for name, wanted in sorted(shipped.items()):
        file = _FOLDER / name
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        found.append(ModelFile(name, sha256 or wanted, sha256 == wanted))
    return tuple(found)


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _tables(text: str) -> Iterable[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    """The tables of a Markdown text: heads and rows."""
    lines: list[tuple[str, ...]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            lines.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
            continue
        if len(lines) > 2 and set("".join(lines[1])) <= set("-: "):
            heads, rows = lines[0], lines[2:]
            yield heads, tuple(row for row in rows if len(row) == len(heads))
        lines = []
