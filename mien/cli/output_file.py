"""Files that commands write as their result."""

from __future__ import annotations

import os
from pathlib import Path


def write_output(path: Path, data: bytes) -> None:
    """Write a file completely or not at all: where a disk is full, the former file stays.

    What is no regular file, such as `/dev/stdout`, is written directly. Raises OSError, with the path.
    """
    target = path.resolve()
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        try:
            part.write_bytes(data)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
