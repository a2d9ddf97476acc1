"""Limits of the operating system for this process."""

from __future__ import annotations

import sys
from contextlib import suppress

_ENOUGH_FILES = 65_536
"""An RTSP camera needs six open files; the usual limit is 1024."""


def raise_open_file_limit() -> None:
    """Raise the limit of open files as far as this process may; Windows has none."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  # Windows does not have this module.

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # Some systems allow less than their hard limit.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
