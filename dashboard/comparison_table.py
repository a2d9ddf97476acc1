"""A comparison as HTML: what both sides consist of, and one row for each measure."""

from __future__ import annotations

from html import escape

from dashboard import formats, theme, verdicts
from storage.figures.comparison import Compared, Comparison, Part, Verdict

_HEADS = ("Figure", "A", "B", "Difference", "95 % interval", "n of A and B", "Verdict")


def sides(found: Comparison, a: str, b: str) -> str:
    """What A and B are, with their visits, days and coverage."""
    parts = (("A", a, found.a), ("B", b, found.b))
    rows = "".join(f"<li><b>{letter}</b> {escape(name)}{_part(part)}</li>" for letter, name, part in parts)
    return f'<ul class="mien sides">{rows}</ul>'


def table(found: Comparison) -> str:
    """One row for each measure; a verdict is also a sign, so that it does not depend on a colour."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    body = "".join(_row(each) for each in found.measures)
    return f'<table class="mien compared"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _part(part: Part) -> str:
    visits = "too few visits to show" if part.visits is None else f"{formats.count(part.visits)} visits"
    coverage = "" if part.coverage is None else f", coverage {formats.percent(part.coverage)}"
    dropped = f", {formats.count(part.dropped_hours)} hours left out" if part.dropped_hours else ""
    unmatched = "" if part.visits is None else _unmatched_text(part.unmatched)
    simulated = ", simulated data" if part.simulated else ""
    return f"<small>{visits} on {part.days} days{coverage}{dropped}{unmatched}{simulated}</small>"


def _unmatched_text(visits: int | None) -> str:
    """How many visits are not compared; None for few of them, whose number is hidden."""
    if visits == 0:
        return ""
    number = "a few" if visits is None else formats.count(visits)
    return f", {number} of the visits at weekdays and hours without visits on the other side"


def _row(each: Compared) -> str:
    found, kind = each.difference, each.measure.kind
    if found is None:
        cells = [formats.NO_VALUE] * 5
    else:
        relative = (
            f" ({formats.signed(100 * found.relative)} %)"
            if kind in {"rate", "seconds"} and found.relative
            else ""
        )
        cells = [
            verdicts.value_text(found.a, kind),
            verdicts.value_text(found.b, kind),
            f"{verdicts.change_text(found.value, kind)}{relative}",
            # Without any spread between days there is no error to estimate, so no interval either.
            verdicts.range_text(found.low, found.high, kind)
            if each.verdict is not Verdict.TOO_LITTLE and found.low < found.high
            else formats.NO_VALUE,
            f"{verdicts.count_text(each.n_a)} and {verdicts.count_text(each.n_b)}",
        ]
    cells.append(_verdict(each.verdict))
    columns = "".join(
        f'<td data-label="{head}"><div>{cell}</div></td>'
        for head, cell in zip(_HEADS[1:], cells, strict=True)
    )
    return f'<tr><td data-label="{_HEADS[0]}"><div>{escape(each.measure.name)}</div></td>{columns}</tr>'


def _verdict(verdict: Verdict) -> str:
    sign = {Verdict.UP: "▲ ", Verdict.DOWN: "▼ "}.get(verdict, "")
    series = theme.INK if sign else theme.QUIET
    weight = "600" if sign else "400"
    word = verdicts.verdict_word(verdict)
    return f'<span style="color:{theme.css_colour(series)};font-weight:{weight}">{sign}{word}</span>'
