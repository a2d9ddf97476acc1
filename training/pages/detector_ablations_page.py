"""Tables of the detector's ablations, from the stored figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.pages.markdown import table, with_interval

NAME = "detector_ablations"
CURVES = {"compared": "320 px", "running": "640 px"}
ALLOWED = "100"
"""False faces per 1000 photographs of goods at which recall is shown: with fewer, a single photograph of the
validation part would decide it."""
SIZES = ("16-24", "24-40", "40-80")
TIMED = ("320x192", "640x384")
BASELINE = "labels alone"


def found_table(figures: Mapping[str, Any]) -> str:
    """Average precision and recall of each run, and the differences from the first one (Markdown)."""
    columns = ["run"]
    for side in CURVES.values():
        columns += [
            f"average precision % at {side}",
            "difference",
            f"recall % at {ALLOWED} false",
            "difference",
        ]
    rows = []
    for run in figures["runs"]:
        cells = [describe(run["changed"])]
        for curve in CURVES:
            measured, differences = run[curve], run[curve].get("differences", {})
            for figure, name in (
                (measured["average_precision"], "average_precision"),
                (measured["recall_at_false_per_1000_goods"][ALLOWED], f"recall_at_{ALLOWED}"),
            ):
                cells += [f"{100 * figure['value']:.1f}", _difference(differences.get(name))]
        rows.append(cells)
    return table(columns, rows)


def cost_table(figures: Mapping[str, Any]) -> str:
    """What each run finds of faces of one size, and what it costs (Markdown)."""
    columns = ("run", *(f"found % of {size} px" for size in SIZES), "weights", "bytes", *TIMED, "minutes")
    rows = [
        (
            describe(run["changed"]),
            *(_share(run["recall_by_size"][size]) for size in SIZES),
            f"{run['weights']:,}",
            f"{run['bytes']:,}",
            *(f"{run['milliseconds'][size]:.2f}" for size in TIMED),
            f"{run['minutes']:.0f}",
        )
        for run in figures["runs"]
    ]
    times = (f"{figures['shipped_milliseconds'][size]:.2f}" for size in TIMED)
    return table(columns, [*rows, ("the file that ships", *[""] * (len(SIZES) + 2), *times, "")])


def describe(changed: Mapping[str, Any]) -> str:
    """What a run changes against the first one, and the first one against the defaults, in words."""
    return ", ".join(_describe(name, value) for name, value in changed.items()) or BASELINE


def _describe(name: str, value: Any) -> str:
    match name, value:
        case "teacher", _:
            return f"{_with(value)} the teacher"
        case "photographs", _:
            return f"{_with(value)} further photographs"
        case "quality", _:
            return f"scores {_with(value)} overlap"
        case "widths", _:
            return f"filters {'-'.join(map(str, value))}"
        case _:
            return f"{name.replace('_', ' ')} {value}"


def _share(figure: Mapping[str, Any]) -> str:
    return with_interval(figure) if figure["n"] else ""


def _with(value: Any) -> str:
    return "with" if value else "without"


def _difference(figure: Mapping[str, float] | None) -> str:
    if figure is None:
        return ""
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


BLOCKS = {"detector ablations": found_table, "detector ablation costs": cost_table}
"""The blocks of the page, by name."""
