"""Where log lines go, and the filter that keeps passwords out of them."""

from __future__ import annotations

import logging
import threading

from rich.console import Console
from rich.logging import RichHandler

from ingest.cameras import redact

_QUIET = ("alembic", "kafka", "sqlalchemy")
"""Libraries that tell of their ordinary work: warnings are enough."""


_log = logging.getLogger(__name__)


class Redaction(logging.Filter):
    """Rewrites every record so that no URL in it shows a password, whoever wrote it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, its text redacted."""
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def configure(level: str) -> None:
    """Log to standard error from `level` ("debug", "info", "warning", "error") on."""
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
    # What ends a thread would otherwise be printed past the filter.
    threading.excepthook = _log_end_of_thread


def _log_end_of_thread(end: threading.ExceptHookArgs) -> None:
    name = end.thread.name if end.thread else "unknown"
    error = end.exc_value or end.exc_type()
    _log.critical("thread %s ended: %s", name, error, exc_info=error)
