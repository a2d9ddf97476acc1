"""Comparisons in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard import formats
from storage.figures.comparison import Compared, Comparison, Verdict
from storage.figures.measures import VISITS, Kind

_WORDS = {
    Verdict.UP: "up",
    Verdict.DOWN: "down",
    Verdict.UNCLEAR: "no clear change",
    Verdict.TOO_LITTLE: "not enough data",
}

_MOST_NAMES = 6


def verdict_word(verdict: Verdict) -> str:
    """The verdict as a viewer reads it."""
    return _WORDS[verdict]


def value_text(value: float, kind: Kind) -> str:
    """A value of a measure with its unit, which the name of a rate has already."""
    if kind == "share":
        return f"{100 * value:.1f} %"
    if kind == "seconds":
        return f"{value:.1f} s"
    if kind == "rate":
        return f"{value:.1f}"
    return formats.signed(value, digits=1)


def change_text(value: float, kind: Kind) -> str:
    """A difference with its sign and unit; shares differ by percentage points."""
    if kind == "share":
        return f"{formats.signed(100 * value, digits=1)} points"
    return f"{formats.signed(value, digits=1)}{' s' if kind == 'seconds' else ''}"


def range_text(low: float, high: float, kind: Kind) -> str:
    """The interval of a difference."""
    scale = 100 if kind == "share" else 1
    return f"{formats.signed(scale * low, digits=1)} to {formats.signed(scale * high, digits=1)}"


def count_text(n: int | None) -> str:
    """The number of visits that a measure describes."""
    return formats.NO_VALUE if n is None else formats.count(n)


def sentence(each: Compared) -> str:
    """A clear change as a sentence with both values, the interval and n of both sides."""
    found = each.difference
    if found is None:
        return f"**{each.measure.name}**: {verdict_word(each.verdict)}"
    kind = each.measure.kind
    relative = f" ({formats.signed(100 * found.relative)} %)" if kind == "rate" and found.relative else ""
    return (
        f"**{each.measure.name}** {verdict_word(each.verdict)}: {change_text(found.value, kind)}{relative}, "
        f"95 % interval {range_text(found.low, found.high, kind)}; from {value_text(found.b, kind)} to "
        f"{value_text(found.a, kind)} "
        f":small[:gray[n = {count_text(each.n_b)} and {count_text(each.n_a)}]]"
    )


def notes(comparison: Comparison, names: Mapping[str, str]) -> list[str]:
    """What a comparison leaves out, and why. `names` are those of cameras by id."""
    return [text for text in (_coverage_text(comparison), _left_out_text(comparison, names)) if text]


def _coverage_text(comparison: Comparison) -> str:
    """Why visits per camera and hour have no verdict where the coverages differ; empty if they do not."""
    a, b = comparison.a.coverage, comparison.b.coverage
    if comparison.alike or not comparison.comparable or a is None or b is None:
        return ""
    return (
        f"No verdict on {VISITS.name.lower()}: the coverage is {formats.percent(b)} on one side and "
        f"{formats.percent(a)} on the other, so the hours that were watched differ."
    )


def _left_out_text(comparison: Comparison, names: Mapping[str, str]) -> str:
    """Which cameras are not compared, and why; empty if all are."""
    left_out = comparison.left_out
    if not left_out:
        return ""
    if not comparison.comparable:
        return "No verdict: no camera was scheduled on both sides, so there is nothing to compare."
    named = ", ".join(sorted(names.get(each, each) for each in left_out[:_MOST_NAMES]))
    others = len(left_out) - _MOST_NAMES
    more = f" and {formats.counted(others, 'other camera')}" if others > 0 else ""
    return f"Left out, since not scheduled (or not watching) on both sides: {named}{more}."
