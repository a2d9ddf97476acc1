"""What the face classifier is meant to reach, beside what the file that most processors run does reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from training.classifier.card import table

Figures = Mapping[str, Any]
"""The figures of one file on the test pictures."""


@dataclass(frozen=True)
class Goal:
    """A figure and the bound that it is to keep, from below or from above."""

    name: str
    bound: float
    upwards: bool
    unit: str
    value: Callable[[Figures], float]

    def row(self, figures: Figures) -> tuple[str, str, str, str]:
        """Name, bound, what was reached, and how far that is from the bound."""
        value = round(self.value(figures), 2)
        missing = self.bound - value if self.upwards else value - self.bound
        told = "reached" if missing <= 0 else f"{missing:.2f} short"
        sign = "at least" if self.upwards else "at most"
        return self.name, f"{sign} {self.bound:g}{self.unit}", f"{value:g}{self.unit}", told


def _right(truth: str) -> Callable[[Figures], float]:
    return lambda figures: 100 * float(figures["headline"][truth]["value"])


def _ece(head: str) -> Callable[[Figures], float]:
    return lambda figures: 100 * float(figures["calibration"][head]["ece_after"])


def _worst_group(figures: Figures) -> float:
    gender = figures["gender"]
    return 100 * float(gender["groups"][gender["worst_group"]]["value"])


GOALS = (
    Goal("FER2013 PrivateTest, its own labels", 73.3, True, " %", _right("fer2013")),
    Goal("FER+ strict, PrivateTest", 89, True, " %", _right("ferplus_strict")),
    Goal("perceived gender, FairFace val", 95, True, " %", _right("gender")),
    Goal("the same, worst race and gender", 90, True, " %", _worst_group),
    Goal("calibration error, expression", 3, False, " %", _ece("expression")),
    Goal("calibration error, gender", 2, False, " %", _ece("gender")),
    Goal("bytes", 2, False, " MB", lambda figures: float(figures["costs"]["bytes"]) / 1e6),
    Goal("time per face on one core", 0.6, False, " ms", lambda figures: figures["costs"]["batch_1_ms"]),
)


def goals_table(metrics: Mapping[str, Any]) -> str:
    """Every goal beside what was reached, by the INT8 file if there is one (Markdown)."""
    figures = metrics.get("int8", metrics["float32"])["test"]
    return table(("figure", "goal", "reached", ""), [goal.row(figures) for goal in GOALS])
