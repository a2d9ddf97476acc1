"""The table that a run prints when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Column, Table

from bus.messages import UNKNOWN
from mien.tally import CameraTally


def totals(cameras: Mapping[str, CameraTally], failures: Mapping[str, str]) -> RenderableType:
    """Frames, losses and visits of each camera, and the recordings that could not be read."""
    table = Table(
        Column("Camera", overflow="fold"),
        "Frames",
        "Analysed",
        "Not analysed",
        "Visits",
        "Expression",
        "Perceived gender",
    )
    for camera_id, camera in cameras.items():
        table.add_row(
            camera_id,
            f"{camera.frames['captured']:,}",
            f"{camera.frames['analysed']:,}",
            _losses(camera),
            f"{camera.visits:,}",
            _counts(camera.expressions),
            _counts(camera.genders),
        )
    if not cameras:
        table.add_row("none", *[""] * 6)
    words = [f"[red]{escape(name)}: {escape(reason)}[/]" for name, reason in failures.items()]
    return Group(table, *words)


def _losses(camera: CameraTally) -> str:
    reasons = {"too old": camera.frames["stale"], "damaged": camera.frames["failed"], **camera.dropped}
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count) or "0"


def _counts(counts: Counter[str]) -> str:
    # What is unknown comes last, however much it is.
    ordered = sorted(counts.items(), key=lambda item: (item[0] == UNKNOWN, -item[1]))
    return ", ".join(f"{count:,} {label}" for label, count in ordered) or "–"
