"""The table that `mien run` and `mien ingest` print at the end of a run."""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Column, Table

from bus.messages import UNKNOWN
from common.log_lines import one_line
from mien.totals import CameraTotals, RunResult


def build_table(result: RunResult) -> RenderableType:
    """Frames, losses and visits of each camera, and the recordings that could not be read to their end."""
    table = Table(
        Column("Camera", overflow="fold"),
        "Frames",
        "Analysed",
        "Not analysed",
        "Visits",
        "Expression",
        "Perceived gender",
    )
    for camera_id, camera in result.totals.items():
        table.add_row(
            camera_id,
            f"{camera.frames['captured']:,}",
            f"{camera.frames['analysed']:,}",
            _format_losses(camera),
            f"{camera.visits:,}",
            _format_counts(camera.expressions),
            _format_counts(camera.genders),
        )
    if not result.totals:
        table.add_row("none", *[""] * 6)
    failures = [
        f"[red]{escape(name)}: {escape(one_line(reason))}[/]" for name, reason in result.failures.items()
    ]
    if result.results_lost:
        failures.append("[red]the last results are lost: the database was unavailable until the end[/]")
    return Group(table, *failures)


def _format_losses(camera: CameraTotals) -> str:
    reasons = {
        "unchanged": camera.frames["unchanged"],
        "too old": camera.frames["stale"],
        "damaged": camera.frames["failed"],
        **camera.dropped,
    }
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count) or "0"


def _format_counts(counts: Counter[str]) -> str:
    # Unknown comes last, however large its count is.
    ordered = sorted(counts.items(), key=lambda item: (item[0] == UNKNOWN, -item[1]))
    return ", ".join(f"{count:,} {label}" for label, count in ordered) or "–"
