"""The table that `mien analyze` prints: a row for each picture or video."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.markup import escape
from rich.table import Table

from bus.messages import UNKNOWN
from common.file_names import printable_name
from inference.annotation.labels import expression_text, gender_text
from inference.annotation.picture import LabelledFace
from inference.offline.records import FileFailure, FrameResult

MOST_ROWS = 50
_MOST_FACES = 4
"""Up to this number the faces of a picture are listed; for more faces and for videos shares are shown."""


@dataclass(slots=True)
class FileSummary:
    """The findings in one file so far."""

    file: str
    is_video: bool
    frames: int = 0
    frames_with_faces: int = 0
    faces: int = 0
    error: str = ""
    first: tuple[LabelledFace, ...] = ()
    expressions: Counter[str] = field(default_factory=Counter)
    genders: Counter[str] = field(default_factory=Counter)

    def add(self, record: FrameResult | FileFailure) -> None:
        """Add one record of the file."""
        if isinstance(record, FileFailure):
            self.error = record.error
            return
        self.frames += 1
        self.frames_with_faces += bool(record.faces)
        self.faces += len(record.faces)
        self.first = record.faces
        self.expressions.update(face.estimate.expression for face in record.faces)
        self.genders.update(face.estimate.gender for face in record.faces)

    def row(self) -> tuple[str, str, str, str]:
        """The cells file, faces, estimated expression and perceived gender, as rich markup."""
        faces, expressions, genders = self._cells() if self.frames else ("", "", "")
        if self.error:
            expressions = "\n".join(
                filter(None, [expressions, f"[red]{escape(printable_name(self.error))}[/]"])
            )
        return escape(printable_name(self.file)), faces, expressions, genders

    def _cells(self) -> tuple[str, str, str]:
        if self.is_video:
            count = f"{self.faces} in {self.frames_with_faces} of {self.frames} frames"
            return count, _shares(self.expressions), _shares(self.genders)
        if self.faces > _MOST_FACES:
            return str(self.faces), _shares(self.expressions), _shares(self.genders)
        return (
            str(self.faces),
            "\n".join(expression_text(face.estimate) for face in self.first),
            "\n".join(gender_text(face.estimate) for face in self.first),
        )


def build_table(summaries: list[FileSummary]) -> Table:
    """The first MOST_ROWS files, and a caption with the number of files left out."""
    left_out = len(summaries) - MOST_ROWS
    drawn = Table(
        "File",
        "Faces",
        "Estimated expression",
        "Perceived gender",
        caption=f"and {left_out} more files" if left_out > 0 else None,
        show_lines=any(summary.faces > 1 and not summary.is_video for summary in summaries[:MOST_ROWS]),
    )
    for summary in summaries[:MOST_ROWS]:
        drawn.add_row(*summary.row())
    return drawn


def format_totals(summaries: list[FileSummary], others: int) -> str:
    """One line with the numbers of files, faces, failures and skipped files."""
    parts = [
        _count(len(summaries), "file"),
        _count(sum(summary.faces for summary in summaries), "face"),
    ]
    failures = sum(bool(summary.error) for summary in summaries)
    if failures:
        parts.append(f"{failures} unreadable")
    if others:
        parts.append(f"{_count(others, 'file')} skipped: neither picture nor video")
    return ", ".join(parts)


def _shares(counts: Counter[str]) -> str:
    total = counts.total()
    # Unknown comes last, however large its count is.
    ordered = sorted(counts.items(), key=lambda item: (item[0] == UNKNOWN, -item[1]))
    return ", ".join(f"{name} {100 * count / total:.0f} %" for name, count in ordered)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
