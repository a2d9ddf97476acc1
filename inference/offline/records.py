"""Records of analysed pictures and videos, and the JSON Lines and CSV files that hold them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from common.file_names import printable_name
from inference.annotation.picture import LabelledFace
from inference.errors import OutputError

BOX_DECIMALS, PROBABILITY_DECIMALS, TIME_DECIMALS = 1, 4, 3
GENDERS = ("female", "male")


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The faces of one picture (frame 0 at 0 s) or of one frame of a video; sizes in pixels."""

    file: str
    frame: int
    time_s: float
    width: int
    height: int
    faces: tuple[LabelledFace, ...]


@dataclass(frozen=True, slots=True)
class FileFailure:
    """A file that could not be read to its end."""

    file: str
    error: str


def to_json(record: FrameResult | FileFailure) -> dict[str, Any]:
    """A record as JSON types: one line of a .jsonl file."""
    if isinstance(record, FileFailure):
        return {"file": printable_name(record.file), "error": printable_name(record.error)}
    return {
        "file": printable_name(record.file),
        "frame": record.frame,
        "time_s": round(record.time_s, TIME_DECIMALS),
        "width": record.width,
        "height": record.height,
        "faces": [_face_to_json(face) for face in record.faces],
    }


def _face_to_json(face: LabelledFace) -> dict[str, Any]:
    estimate = face.estimate
    assert estimate.female is not None, "files are analysed with every estimate"
    female = round(estimate.female, PROBABILITY_DECIMALS)
    return {
        "box": [round(value, BOX_DECIMALS) for value in face.box],
        "score": round(face.score, PROBABILITY_DECIMALS),
        "expression": estimate.expression,
        "expressions": _round_all(estimate.expressions),
        "gender": estimate.gender,
        "genders": {"female": female, "male": round(1 - female, PROBABILITY_DECIMALS)},
    }


def _round_all(probabilities: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, PROBABILITY_DECIMALS) for name, value in probabilities.items()}


class RecordFile:
    """A file of records; its suffix chooses .jsonl (one object per picture or frame) or .csv.

    A context manager. CSV has one row per face, and one per failure with only `file` and `error`; its header
    is `csv_columns`. Raises OutputError for another suffix or if the file cannot be written.
    """

    def __init__(self, path: Path, expressions: Sequence[str]) -> None:
        check_suffix(path)
        self._path = path
        self._columns = csv_columns(expressions)
        self._is_csv = path.suffix.lower() == ".csv"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8", newline="")
            if self._is_csv:
                csv.writer(self._file).writerow(self._columns)
        except OSError as error:
            raise self._write_error(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:
            raise self._write_error(failure) from failure

    def add(self, record: FrameResult | FileFailure) -> None:
        """Write one record; raises OutputError if that fails, for example on a full disk."""
        try:
            if self._is_csv:
                csv.DictWriter(self._file, self._columns).writerows(_csv_rows(record))
            else:
                self._file.write(json.dumps(to_json(record), ensure_ascii=False) + "\n")
        except OSError as error:
            raise self._write_error(error) from error

    def _write_error(self, error: OSError) -> OutputError:
        return OutputError(f"{self._path}: cannot be written: {error.strerror}")


def check_suffix(path: Path) -> None:
    """Raise OutputError unless the suffix is one that a record file can have."""
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise OutputError(f"{path}: ends in {path.suffix or 'nothing'}, expected .jsonl or .csv")


def csv_columns(expressions: Sequence[str]) -> list[str]:
    """The header of a CSV file for a classifier with these expressions."""
    return [
        *("file", "frame", "time_s", "width", "height", "face"),
        *("box_x", "box_y", "box_width", "box_height", "score"),
        *("expression", *(f"p_{name}" for name in expressions)),
        *("gender", *(f"p_{name}" for name in GENDERS), "error"),
    ]


def _csv_rows(record: FrameResult | FileFailure) -> list[dict[str, Any]]:
    if isinstance(record, FileFailure):
        return [to_json(record)]
    shared = to_json(record)
    faces = shared.pop("faces")
    return [{**shared, "face": number, **_flatten(face)} for number, face in enumerate(faces)]


def _flatten(face: dict[str, Any]) -> dict[str, Any]:
    box = dict(zip(("box_x", "box_y", "box_width", "box_height"), face["box"], strict=True))
    probabilities = {**face["expressions"], **face["genders"]}
    return {
        **box,
        "score": face["score"],
        "expression": face["expression"],
        "gender": face["gender"],
        **{f"p_{name}": value for name, value in probabilities.items()},
    }
