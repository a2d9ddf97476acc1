"""Model files: ONNX graphs that carry their own metadata and are protected by a checksum.

A shipped model is loaded only if its SHA-256 equals the one in `models/checksums.json`. Any other file is
loaded only if the caller allows it; its metadata must be as complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, overload

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from inference.errors import ModelError
from inference.model_metadata import (
    FIX,
    ClassifierMetadata,
    DetectorMetadata,
    M,
    ModelMetadata,
    parse_metadata,
)
from inference.model_outputs import keep_outputs
from inference.processor import runs_int8_faster

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
_SCHEMAS: dict[str, type[ModelMetadata]] = {"classifier": ClassifierMetadata, "detector": DetectorMetadata}


@dataclass(frozen=True)
class ModelFile(Generic[M]):
    """A loaded model: its path, its session and its metadata, its content and how it is run."""

    path: Path
    session: ort.InferenceSession
    metadata: M
    content: bytes
    threads: int

    def make_session(self, outputs: Collection[str]) -> ort.InferenceSession:
        """Make a session that computes these outputs alone. Raises ValueError where one does not exist."""
        content = keep_outputs(self.content, outputs)
        options = make_session_options(self.threads)
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def shipped(name: str, models: Path = MODELS) -> Path:
    """The path of a shipped model: INT8 if there is one and this processor runs it faster, else float32."""
    int8 = models / f"{name}.int8.onnx"
    return int8 if int8.is_file() and runs_int8_faster() else models / f"{name}.onnx"


@overload
def load_model(
    path: Path, task: Literal["classifier"], threads: int = 1, own: bool = False
) -> ModelFile[ClassifierMetadata]: ...


@overload
def load_model(
    path: Path, task: Literal["detector"], threads: int = 1, own: bool = False
) -> ModelFile[DetectorMetadata]: ...


def load_model(
    path: Path, task: Literal["classifier", "detector"], threads: int = 1, own: bool = False
) -> ModelFile[Any]:
    """Load a model for one task on `threads` CPU threads.

    `own` allows a file that is not one of the shipped models. Raises ModelError for a file that is
    missing, unreadable or altered, and for metadata that are missing, invalid or of another task.
    """
    content = _read(path)
    if not own or path.resolve().parent == MODELS.resolve():
        verify_checksum(path, content)
    try:
        session = ort.InferenceSession(
            content, make_session_options(threads), providers=["CPUExecutionProvider"]
        )
    except _LOAD_ERRORS as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: not a usable ONNX model: {reason}; {FIX}") from error
    values = session.get_modelmeta().custom_metadata_map
    return ModelFile(path, session, parse_metadata(path, values, _SCHEMAS[task]), content, threads)


def make_session_options(threads: int) -> ort.SessionOptions:
    """Options to run one operator at a time on `threads` threads, which sleep while they are idle."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def verify_checksum(path: Path, content: bytes) -> None:
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
    """SHA-256 by file name; raises ModelError if the list cannot be read."""
    path = folder / CHECKSUMS
    try:
        checksums: dict[str, str] = json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise ModelError(f"{path}: {error}; install Mien again") from error
    return checksums


def write_checksums(folder: Path = MODELS) -> Path:
    """Write the SHA-256 of every ONNX file in a folder; returns the path of the list."""
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
