"""The figures in `docs/models.md`, written from the JSON files beside the models and never by hand.

A block of the page starts with `<!-- NAME -->`, ends with `<!-- / -->`, and is replaced as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from inference.model_file import MODELS
from training.classifier import card
from training.detector import card as detector_card
from training.errors import ReportError
from training.measure import compute, goals
from training.pages import comparison as comparison_page
from training.pages import pooling as pooling_page

Figures = TypeVar("Figures")

_BLOCK = re.compile(r"(?<=<!-- )(?P<name>[a-z ]+)(?P<open> -->\n).*?(?=<!-- / -->)", re.DOTALL)


def write_report(page: Path, models: Path = MODELS) -> None:
    """Bring every block of a page up to date; raises ReportError for a block of no known name."""
    page.write_text(rendered(page.read_text(), models))


def rendered(text: str, models: Path = MODELS) -> str:
    """A page's text with every block from the figures in `models`."""

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in BLOCKS:
            raise ReportError(f"block {name!r} is unknown; known: {', '.join(BLOCKS)}")
        return f"{name}{match['open']}{BLOCKS[name](models)}\n"

    return _BLOCK.sub(block, text)


def _figures(name: str, show: Callable[[Mapping[str, Any]], str]) -> Callable[[Path], str]:
    return lambda models: show(json.loads((models / f"{name}.json").read_text()))


def _robustness(metrics: Mapping[str, Any]) -> str:
    return card.robustness_table(metrics["float32"]["validation"]["robustness"])


def _calibration(metrics: Mapping[str, Any]) -> str:
    return card.calibration_table(metrics["float32"]["test"]["calibration"])


def _found(metrics: Mapping[str, Any]) -> str:
    return detector_card.curve_table(metrics, "running")


def _kept(figures: Callable[[], Figures], show: Callable[[Figures], str]) -> Callable[[Path], str]:
    return lambda models: show(figures())


BLOCKS: dict[str, Callable[[Path], str]] = {
    "classifier": _figures(card.NAME, card.headline_table),
    "classifier robustness": _figures(card.NAME, _robustness),
    "classifier calibration": _figures(card.NAME, _calibration),
    "classifier goals": _figures(card.NAME, goals.goals_table),
    "classifier costs": _figures(card.NAME, card.cost_table),
    **{name: _figures(pooling_page.NAME, show) for name, show in pooling_page.BLOCKS.items()},
    "detector": _figures(detector_card.NAME, _found),
    "detector costs": _figures(detector_card.NAME, detector_card.cost_table),
    **{name: _kept(compute.kept, show) for name, show in compute.BLOCKS.items()},
    **{name: _kept(comparison_page.kept, show) for name, show in comparison_page.BLOCKS.items()},
}
