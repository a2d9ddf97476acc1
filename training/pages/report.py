"""Generated blocks of `docs/models.md`, from the stored figures in `docs/figures`.

A block of the page starts with `<!-- NAME -->`, ends with `<!-- / -->`, and is replaced completely.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from training.classifier import card
from training.detector import card as detector_card
from training.errors import ReportError
from training.measure import compute, goals
from training.pages import (
    comparison_page,
    compute_page,
    detector_ablations_page,
    detector_people_page,
    pooling_page,
)
from training.runs.publishing import FIGURES

Figures = TypeVar("Figures")

_BLOCK = re.compile(r"(?<=<!-- )(?P<name>[a-z ]+)(?P<open> -->\n).*?(?=<!-- / -->)", re.DOTALL)


def write_report(page: Path) -> None:
    """Update every block of a page; raises ReportError for an unknown block."""
    page.write_text(render(page.read_text()))


def render(text: str) -> str:
    """A page's text with every block from the stored figures; raises ReportError for an unknown block."""

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in BLOCKS:
            raise ReportError(f"block {name!r} is unknown; known: {', '.join(BLOCKS)}")
        return f"{name}{match['open']}{BLOCKS[name]()}\n"

    return _BLOCK.sub(block, text)


def _figures(name: str, show: Callable[[Mapping[str, Any]], str]) -> Callable[[], str]:
    return lambda: show(json.loads((FIGURES / f"{name}.json").read_text()))


def _robustness(metrics: Mapping[str, Any]) -> str:
    return card.robustness_table(metrics["float32"]["validation"]["robustness"])


def _calibration(metrics: Mapping[str, Any]) -> str:
    return card.calibration_table(metrics["float32"]["test"]["calibration"])


def _detector_curve(metrics: Mapping[str, Any]) -> str:
    return detector_card.curve_table(metrics, "running")


def _stored(figures: Callable[[], Figures], show: Callable[[Figures], str]) -> Callable[[], str]:
    return lambda: show(figures())


BLOCKS: dict[str, Callable[[], str]] = {
    "classifier": _figures(card.NAME, card.headline_table),
    "classifier robustness": _figures(card.NAME, _robustness),
    "classifier calibration": _figures(card.NAME, _calibration),
    "classifier goals": _figures(card.NAME, goals.goals_table),
    "classifier costs": _figures(card.NAME, card.cost_table),
    **{name: _figures(pooling_page.NAME, show) for name, show in pooling_page.BLOCKS.items()},
    "detector": _figures(detector_card.NAME, _detector_curve),
    "detector costs": _figures(detector_card.NAME, detector_card.cost_table),
    **{
        name: _figures(detector_ablations_page.NAME, show)
        for name, show in detector_ablations_page.BLOCKS.items()
    },
    **{name: _figures(detector_people_page.NAME, show) for name, show in detector_people_page.BLOCKS.items()},
    **{name: _stored(compute.read_runs, show) for name, show in compute_page.BLOCKS.items()},
    **{name: _stored(comparison_page.read_figures, show) for name, show in comparison_page.BLOCKS.items()},
}
