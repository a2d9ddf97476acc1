"""Table of the people whose faces the detector finds, from the stored figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.pages.markdown import table, with_interval

NAME = "detector_people"


def people_table(figures: Mapping[str, Any]) -> str:
    """The share of faces found by group and size (Markdown)."""
    sizes = list(figures["groups"][0]["found"])
    columns = ["", "group", "n", *(f"found % at {size} px" for size in sizes)]
    rows, before = [], ""
    for group in figures["groups"]:
        kind, found = group["kind"], group["found"]
        n = str(found[sizes[0]]["n"])
        rows.append(
            [
                kind if kind != before else "",
                group["group"],
                n,
                *(with_interval(found[size]) for size in sizes),
            ]
        )
        before = kind
    return table(columns, rows)


BLOCKS = {"detector people": people_table}
"""The blocks of the page, by name."""
