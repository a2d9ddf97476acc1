"""Numbers and times as people read them."""

from __future__ import annotations

from storage.trends import Interval

_SECOND, _MINUTE, _HOUR, _DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6
NOTHING = "–"


def age(duration_us: int) -> str:
    """A duration in its largest fitting unit: "3 s", "4 min", "2 h", "5 days"."""
    duration = max(duration_us, 0)
    for unit, name in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if duration >= 2 * unit:
            return f"{duration // unit} {name}"
    return f"{duration // _SECOND} s"


def percent(share: float) -> str:
    """A share, 0 to 1, as a whole percentage: never 0 % of something, never 100 % of not all."""
    whole = round(100 * share)
    if share > 0 and whole == 0:
        return "< 1 %"
    if share < 1 and whole == 100:
        return "> 99 %"
    return f"{whole} %"


def percent_range(interval: Interval) -> str:
    """The interval of a share: "38 to 44 %", with a decimal where its ends lie close together."""
    digits = 0 if interval.high - interval.low >= 0.02 else 1
    return f"{100 * interval.low:.{digits}f} to {100 * interval.high:.{digits}f} %"


def index(value: float) -> str:
    """A mood index with its sign: "+12", "-3", "0"."""
    whole = round(value)
    return f"{whole:+d}".replace("-", "−") if whole else "0"


def index_range(interval: Interval) -> str:
    """The interval of a mood index: "+9 to +15"."""
    return f"{index(interval.low)} to {index(interval.high)}"


def count(number: int) -> str:
    """A number with its thousands apart: "12,345"."""
    return f"{number:,}"


def title(label: str) -> str:
    """A label at the beginning of a line."""
    return label[:1].upper() + label[1:]


def plain(text: str) -> str:
    """Text with every sign of Markdown escaped: it is shown as it was written."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()#+-.!|<>:$~" else letter for letter in text)
