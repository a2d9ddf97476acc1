"""Logging to standard error, with a filter that hides passwords."""

from __future__ import annotations

import logging
import threading

from rich.console import Console
from rich.logging import RichHandler
from typing_extensions import override

from ingest.cameras import redact

_QUIET = ("alembic", "kafka", "sqlalchemy")
"""Libraries that log their normal work at level info: only their warnings are shown."""


_log = logging.getLogger(__name__)


class Redaction(logging.Filter):
    """Hides the passwords of URLs in every record, also in those of libraries."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def configure(level: str) -> None:
    """Log to standard error, `level` ("debug", "info", "warning", "error") and above."""
    console = Console(stderr=True)
    handler: logging.Handler = logging.StreamHandler()
    if console.is_terminal:
        handler = RichHandler(console=console, show_path=False, rich_tracebacks=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Redaction())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Python prints the exception that ends a thread itself, without the filter.
    threading.excepthook = _log_end_of_thread


def _log_end_of_thread(end: threading.ExceptHookArgs) -> None:
    name = end.thread.name if end.thread else "unknown"
    error = end.exc_value or end.exc_type()
    _log.critical("thread %s ended: %s", name, error, exc_info=error)
