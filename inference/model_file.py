"""Model files: an ONNX graph that carries its own metadata, and a checksum that guards it.

A shipped model is loaded only if its SHA-256 is the one in `models/checksums.json`. A file from
elsewhere is loaded only where the caller allows it, and must describe itself as completely.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from inference.errors import ModelError
from inference.processor import has_int8_dot_products

MODELS = Path(__file__).parent / "models"
CHECKSUMS = "checksums.json"

_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_FIX = "export the model again with `mien train`"


@dataclass(frozen=True)
class ModelMetadata:
    """What every model says of itself."""

    task: str
    """"classifier" or "detector"."""
    name: str
    """Architecture."""
    version: str
    run: str
    """Id of the training run."""
    datasets: tuple[str, ...]
    licence: str
    colour: str
    """"grey": one channel of luminance."""
    input_size: tuple[int, int]
    """Height and width in pixels."""


@dataclass(frozen=True)
class Fields:
    """The metadata of one file as text; each accessor refuses a value that does not fit.

    All raise ModelError with file, field, value and fix.
    """

    path: Path
    values: Mapping[str, str]

    def text(self, field: str, *allowed: str) -> str:
        """Text that is not empty and, where given, one of `allowed`."""
        value = self.values.get(field, "")
        if not value:
            raise ModelError(f"{self.path}: metadata field {field!r} is missing; {_FIX}")
        if allowed and value not in allowed:
            raise self._misfit(field, f"expected {' or '.join(allowed)}")
        return value

    def number(self, field: str, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        text = self.text(field)
        try:
            value = float(text)
        except ValueError:
            raise self._misfit(field, f"expected a number from {low:g} to {high:g}") from None
        if not low <= value <= high:
            raise self._misfit(field, f"expected a number from {low:g} to {high:g}")
        return value

    def names(self, field: str) -> tuple[str, ...]:
        """A JSON list of at least one text, none twice."""
        value = self._list(field, "expected a JSON list of different names")
        fits = all(isinstance(item, str) and item for item in value)
        if not fits or not value or len(set(value)) != len(value):
            raise self._misfit(field, "expected a JSON list of different names")
        return tuple(value)

    def size(self, field: str) -> tuple[int, int]:
        """A JSON list of height and width, both above 0."""
        value = self._list(field, "expected a JSON list [height, width]")
        if len(value) != 2 or not all(type(side) is int and side > 0 for side in value):
            raise self._misfit(field, "expected a JSON list [height, width]")
        return value[0], value[1]

    def _list(self, field: str, expected: str) -> list[Any]:
        try:
            value = json.loads(self.text(field))
        except json.JSONDecodeError:
            raise self._misfit(field, expected) from None
        if not isinstance(value, list):
            raise self._misfit(field, expected)
        return value

    def _misfit(self, field: str, expected: str) -> ModelError:
        value = self.values.get(field, "")
        return ModelError(f"{self.path}: metadata field {field!r} is {value!r}, {expected}; {_FIX}")


@dataclass(frozen=True)
class ModelFile:
    """A loaded model: its session, what it says of itself, and its further metadata fields."""

    path: Path
    session: ort.InferenceSession
    metadata: ModelMetadata
    fields: Fields


def shipped(name: str, models: Path = MODELS) -> Path:
    """The shipped model of that name which suits this processor: INT8 where there is one and it is faster."""
    small = models / f"{name}.int8.onnx"
    return small if small.is_file() and has_int8_dot_products() else models / f"{name}.onnx"


def load_model(path: Path, task: str, threads: int = 1, own: bool = False) -> ModelFile:
    """Load a model for one task ("classifier" or "detector") on `threads` CPU threads.

    `own` allows a file that is not one of the shipped models. Raises ModelError for a file that is
    missing, unreadable, altered, of another task, or whose metadata do not fit.
    """
    content = _read(path)
    if not own or path.resolve().parent == MODELS.resolve():
        check(path, content)
    try:
        session = ort.InferenceSession(content, session_options(threads), providers=["CPUExecutionProvider"])
    except _LOAD_ERRORS as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: not a usable ONNX model: {reason}; {_FIX}") from error
    fields = Fields(path, session.get_modelmeta().custom_metadata_map)
    return ModelFile(path, session, parse(fields, task), fields)


def session_options(threads: int) -> ort.SessionOptions:
    """One operator at a time on `threads` threads, which sleep while there is nothing to do."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def parse(fields: Fields, task: str) -> ModelMetadata:
    """The metadata common to all models; raises ModelError for what is missing or does not fit."""
    return ModelMetadata(
        task=fields.text("task", task),
        name=fields.text("name"),
        version=fields.text("version"),
        run=fields.text("run"),
        datasets=fields.names("datasets"),
        licence=fields.text("licence"),
        colour=fields.text("colour", "grey"),
        input_size=fields.size("input_size"),
    )


def check(path: Path, content: bytes) -> None:
    """Raise ModelError unless `content` is the shipped model of that name, byte for byte."""
    if path.resolve().parent != MODELS.resolve():
        raise ModelError(f"{path}: not a shipped model; allow your own models to use it")
    expected = read_checksums(MODELS).get(path.name)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ModelError(
            f"{path}: SHA-256 is {found}, expected {expected or 'an entry'} in {CHECKSUMS}; "
            "install Mien again"
        )


def read_checksums(folder: Path) -> dict[str, str]:
    """SHA-256 by file name; raises ModelError where the list cannot be read."""
    path = folder / CHECKSUMS
    try:
        checksums: dict[str, str] = json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise ModelError(f"{path}: {error}; install Mien again") from error
    return checksums


def write_checksums(folder: Path = MODELS) -> Path:
    """List the SHA-256 of every ONNX file in a folder anew; returns the list's path."""
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.onnx"))
    }
    target = folder / CHECKSUMS
    target.write_text(json.dumps(digests, indent=2) + "\n")
    return target


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; check the path") from error
