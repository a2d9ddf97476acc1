"""ONNX files that a user names, read with a one-line error for a wrong file."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from training.errors import RunError


def read_onnx(path: Path) -> onnx.ModelProto:
    """The network of a file; raises RunError for one that is missing or is no ONNX file."""
    try:
        return onnx.load(path)
    except (OSError, DecodeError) as error:
        raise RunError(f"{path}: cannot be read as an ONNX file ({error})") from error
