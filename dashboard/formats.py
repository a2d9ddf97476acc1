"""Numbers and durations as text."""

from __future__ import annotations

import re
import string

from storage.intervals import Interval

_SECOND, _MINUTE, _HOUR, _DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6
NO_VALUE = "–"
_WORD_JOINER = "\u2060"
_SPECIAL_TEXT = re.compile(r"[:@]|www(?=\.)|[-<>=](?=[-<>=])", re.IGNORECASE)
"""Where links (https:, www., a@b), icons (:name:) and arrows (->) begin or end."""


def duration(duration_us: int) -> str:
    """A duration in its largest fitting unit: "3 s", "4 min", "2 h", "5 days"."""
    time_us = max(duration_us, 0)
    for unit, name in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if time_us >= 2 * unit:
            return f"{time_us // unit} {name}"
    return f"{time_us // _SECOND} s"


def percent(share: float) -> str:
    """A share, 0 to 1, as an integer percentage; "0 %" and "100 %" only where they are exact."""
    rounded = round(100 * share)
    if share > 0 and rounded == 0:
        return "< 1 %"
    if share < 1 and rounded == 100:
        return "> 99 %"
    return f"{rounded} %"


def rounded_percent(share: float) -> str:
    """A share, 0 to 1, as the nearest integer percentage."""
    return f"{100 * share:.0f} %"


def percent_range(interval: Interval) -> str:
    """The interval of a share: "38 to 44 %", with a decimal where it is narrow."""
    digits = 0 if interval.high - interval.low >= 0.02 else 1
    return f"{100 * interval.low:.{digits}f} to {100 * interval.high:.{digits}f} %"


def mood(value: float) -> str:
    """A mood index with its sign: "+12", "−3", "0"."""
    rounded = round(value)
    return f"{rounded:+d}".replace("-", "−") if rounded else "0"


def mood_range(interval: Interval) -> str:
    """The interval of a mood index: "+9 to +15"."""
    return f"{mood(interval.low)} to {mood(interval.high)}"


def signed(value: float, digits: int = 0) -> str:
    """A number with its sign: "+12", "−3", "0"."""
    rounded = round(value, digits)
    return f"{rounded:+,.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"


def count(number: int) -> str:
    """A number with separated thousands: "12,345"."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 mask", "2 masks"."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def capitalized(label: str) -> str:
    """A label with a capital first letter."""
    return label[:1].upper() + label[1:]


def as_plain_text(text: str) -> str:
    """Text from outside, such as a camera's name, for a place where Streamlit renders Markdown.

    These are `st.markdown`, captions, labels of widgets, pills, radio buttons, buttons, help texts, toasts
    and metrics. Options of select boxes and cells of tables are plain text already, HTML needs `html.escape`.

    The result shows as the text in one line, never as a link, image, icon or formula. A backslash alone does
    not do this: links, icons and arrows are found in the text after Markdown was read. An invisible character
    (word joiner) ends them.
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    joined = _SPECIAL_TEXT.sub(rf"\g<0>{_WORD_JOINER}", " ".join(printable.split()))
    return "".join(f"\\{letter}" if letter in string.punctuation else letter for letter in joined)


def escape_markdown(text: str) -> str:
    """A message without any Markdown but `code`: `as_plain_text` of everything between backticks."""
    parts = re.split(r"(`[^`\n]*`)", text)
    return "".join(part if number % 2 else _with_ends(part) for number, part in enumerate(parts))


def _with_ends(text: str) -> str:
    """`as_plain_text` that keeps a space at both ends."""
    plain = as_plain_text(text)
    before, after = text[:1].isspace(), text[-1:].isspace()
    return f"{' ' if before else ''}{plain}{' ' if after and plain else ''}"
