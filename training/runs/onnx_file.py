"""ONNX files that a user names, read with a one-line error for a wrong file."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from training.errors import RunError
from training.runs.run_folder import ONNX_FILES


def read_onnx(path: Path) -> onnx.ModelProto:
    """The network of a file; raises RunError for one that is missing or is no ONNX file."""
    try:
        return onnx.load(path)
    except (OSError, DecodeError) as error:
        raise RunError(f"{path}: cannot be read as an ONNX file ({error})") from error


def start_file(path: Path) -> Path:
    """The ONNX file to start from: `path` itself, or the file that a run exported into the folder `path`."""
    return path / ONNX_FILES["float32"] if path.is_dir() else path


def read_sources(path: Path) -> tuple[str, ...]:
    """The data sets that the metadata of the ONNX file, or of the run `path`, names; raises RunError."""
    fields = {each.key: each.value for each in read_onnx(start_file(path)).metadata_props}
    return tuple(json.loads(fields.get("datasets", "[]")))
