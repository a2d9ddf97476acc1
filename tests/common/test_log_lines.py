"""Log records stay one line each, whichever text is in them and whichever handler writes them."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from common.log_lines import format_traceback, one_line, one_line_records

HOSTILE = (
    "line\n2026-01-01 00:00:00 ERROR root: forged",
    "carriage\rreturn",
    "\x1b[2J\x1b]0;title\x07 escape",
    "tab\tbell\x07 null\0 delete\x7f",
    "C1 \x9b31m and \x85 next line",
    "\u2028 line and \u2029 paragraph separators, \u202e reversed",
    "a lone surrogate \udcff",
)


@pytest.fixture
def records() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    one_line_records()
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_becomes_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    line.encode()


def test_a_harmless_text_stays_as_it_is() -> None:
    assert one_line("Überwachung: Straße 1, 10 % → ok") == "Überwachung: Straße 1, 10 % → ok"


def logged(formatter: logging.Formatter, text: str) -> str:
    """What a handler of a library writes for some records with this text."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("some.library")
    logger.addHandler(handler)
    logger.warning("camera says %s", text)
    try:
        try:
            raise ValueError(text)
        except ValueError as cause:
            raise OSError(text) from cause
    except OSError:
        logger.exception("failed: %s", text, stack_info=True)
    return stream.getvalue()


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", ["%(asctime)s %(levelname)s %(message)s", '{"message": "%(message)s"}'])
def test_every_record_is_one_line_with_every_handler(form: str, text: str) -> None:
    written = logged(logging.Formatter(form), text)
    assert len(written.splitlines()) == 2
    assert all(line.isprintable() for line in written.splitlines())
    assert "OSError" in written
    assert "ValueError" in written


def test_a_traceback_names_places_and_causes() -> None:
    try:
        try:
            raise ValueError("first")
        except ValueError as cause:
            raise OSError("second") from cause
    except OSError as error:
        text = format_traceback(error)
    assert "in test_a_traceback_names_places_and_causes: OSError: second, after: test_log_lines.py:" in text
    assert text.endswith("ValueError: first")


def test_a_chain_of_causes_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert format_traceback(first).count("ValueError") == 10
