"""What the C libraries behind OpenCV say: they write to the process's standard error directly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_MOST_BYTES = 65_536


class Said:
    """The text that was written to standard error while it was diverted; empty until then."""

    text = ""


@contextmanager
def diverted_stderr() -> Iterator[Said]:
    """Keep standard error clean within the block; afterwards what was written is in the result.

    Diverts the whole process's descriptor 2, hence what other threads write, too: only for programs
    that do one thing at a time, never for a pipeline.
    """
    said = Said()
    kept = os.dup(_STDERR)
    read_end, write_end = os.pipe()
    # A full pipe must not block the library that writes: the rest of its words is of no use.
    os.set_blocking(write_end, False)
    os.set_blocking(read_end, False)
    os.dup2(write_end, _STDERR)
    os.close(write_end)
    try:
        yield said
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        try:
            said.text = os.read(read_end, _MOST_BYTES).decode(errors="replace")
        except BlockingIOError:
            said.text = ""
        finally:
            os.close(read_end)
