"""Logging to standard error: one line for each record, without passwords."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Collection
from functools import partial
from types import TracebackType

from rich.console import Console
from rich.logging import RichHandler

from common.log_lines import format_traceback, one_line, one_line_records
from common.redaction import redact

_QUIET = ("alembic", "kafka", "sqlalchemy")
"""Libraries that log their normal work at level info: only their warnings are shown."""

_log = logging.getLogger(__name__)


def configure(level: str, secrets: Collection[str] = ()) -> None:
    """Log to standard error, `level` ("debug", "info", "warning", "error") and above.

    `secrets` are hidden wherever they occur, in addition to the secrets of addresses (`common.redaction`).
    The log also has the records of libraries, the warnings of Python and exceptions that nobody catches.
    """
    one_line_records(partial(clean, secrets=secrets))
    console = Console(stderr=True)
    handler: logging.Handler = logging.StreamHandler()
    if console.is_terminal:
        handler = RichHandler(console=console, show_path=False, rich_tracebacks=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Python itself prints the exception that ends a thread or the process with passwords and line breaks.
    threading.excepthook = _log_end_of_thread
    sys.excepthook = _log_end_of_process


def clean(text: str, secrets: Collection[str] = ()) -> str:
    """`text` in one line and without passwords."""
    return one_line(redact(text, secrets))


def print_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an exception that nobody caught as one line; for `sys.excepthook` where nothing is logged."""
    print(f"bug: {clean(format_traceback(error))}", file=sys.stderr)  # noqa: T201


def _log_end_of_thread(end: threading.ExceptHookArgs) -> None:
    name = end.thread.name if end.thread else "unknown"
    error = end.exc_value or end.exc_type()
    _log.critical("thread %s ended: %s", name, error, exc_info=error)


def _log_end_of_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _log.critical("the process ended: %s", error, exc_info=error)
