"""Numbers and durations as text."""

from __future__ import annotations

from storage.trends import Interval

_SECOND, _MINUTE, _HOUR, _DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6
NO_VALUE = "–"


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


def count(number: int) -> str:
    """A number with separated thousands: "12,345"."""
    return f"{number:,}"


def capitalized(label: str) -> str:
    """A label with a capital first letter."""
    return label[:1].upper() + label[1:]


def escape_markdown(text: str) -> str:
    """Text from outside, such as a camera's name, without any Markdown but `code`."""
    return "".join(f"\\{letter}" if letter in r"\*_[]<>:$~." else letter for letter in text)
