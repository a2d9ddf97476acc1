"""The numbers of the charts of patterns as HTML, for whoever cannot see or tell apart their colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dashboard import formats, theme
from dashboard.trend_charts import DAYS, group_name
from storage.figures.cross import GenderMix
from storage.figures.groups import State
from storage.figures.weekdays import WeekHour

FEW = "few"
"""Stands for figures that are too few to show."""


def hours_of_week(week: Sequence[WeekHour]) -> str:
    """One row for each hour of the day, one column for each weekday."""
    rates = {divmod(each.hour, 24): _rate(each) for each in week}
    rows = [
        (f"{hour:02d}:00", *(rates.get((day, hour), formats.NO_VALUE) for day in range(len(DAYS))))
        for hour in range(24)
    ]
    return _table(("Hour", *DAYS), rows)


def _rate(each: WeekHour) -> str:
    if each.rate is not None:
        return f"{each.rate:,.1f}"
    return FEW if each.state is State.SUPPRESSED else formats.NO_VALUE


def expressions_by_gender(mixes: Sequence[GenderMix]) -> str:
    """One row for each expression, with its share and interval in the visits of each perceived gender."""
    rows = [
        (formats.capitalized(label), *(_share(mix, label) for mix in mixes)) for label in theme.EXPRESSIONS
    ]
    return _table(("Expression", *(group_name(mix) for mix in mixes)), rows)


def _share(mix: GenderMix, label: str) -> str:
    share = mix.expressions.get(label)
    if share:
        # A percent sign stays with its number where the column is narrow.
        return f"{formats.percent(share.value)} ({formats.percent_range(share)})".replace(" %", "\u00a0%")
    return FEW if mix.state is State.SUPPRESSED else formats.NO_VALUE


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return f'<table class="mien numbers"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
