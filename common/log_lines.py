"""Log records that stay one line each, whatever text is in them and whichever handler writes them.

Texts of cameras, brokers, files and libraries are untrusted: a line break would forge a line of the log, an
escape sequence would control the terminal of its reader.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from typing_extensions import override

_MAX_CHAIN = 10
"""Exceptions of a chain of causes that are shown."""
_LINE_ENDS = {0x2028, 0x2029, 0x0085}
"""Line breaks of Unicode, in addition to the control characters."""
_BIDIRECTIONAL = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}
"""Characters that change the order in which a line is shown (UAX #9)."""
_ESCAPES = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *_LINE_ENDS, *_BIDIRECTIONAL)
} | {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


def one_line(text: str) -> str:
    """`text` in one line: control characters, line breaks and lone surrogates are written as escapes."""
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


def one_line_records(clean: Callable[[str], str] = one_line) -> None:
    """Let every later log record of this process, also those of libraries, be one line.

    `clean` changes the text of each record; it has to call `one_line`.
    """

    class OneLineRecord(logging.LogRecord):
        """A record whose message contains its traceback, cleaned."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._end = ""
            if self.exc_info and self.exc_info[1] is not None:
                self._end += f" | {format_traceback(self.exc_info[1])}"
            if self.stack_info:
                self._end += f" | {self.stack_info}"
            self.exc_info = self.exc_text = self.stack_info = None

        @override
        def getMessage(self) -> str:
            return clean(super().getMessage() + self._end)

    logging.setLogRecordFactory(OneLineRecord)


def format_traceback(error: BaseException) -> str:
    """The traceback of an exception, and of those that caused it, as one paragraph; not cleaned."""
    parts: list[str] = []
    chain: BaseException | None = error
    while chain is not None and len(parts) < _MAX_CHAIN:
        places = [
            f"{PurePath(frame.filename).name}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(chain.__traceback__)
        ]
        parts.append(f"{'; '.join(places)}: {type(chain).__name__}: {chain}")
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    return "Traceback: " + ", after: ".join(parts)
