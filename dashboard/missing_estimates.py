"""Why a card about an estimate has nothing to draw, in words."""

from __future__ import annotations

from dashboard import formats
from dashboard.chart_tables import NOT_ESTIMATED
from storage.figures.groups import Figures

SWITCHED_OFF = f"{formats.capitalized(NOT_ESTIMATED)}."


def why_no_expressions(figures: Figures, suppress_below: int) -> str:
    """The reason for which a period has neither expressions nor a mood index; empty where it has both."""
    if figures.expressions:
        return ""
    if figures.expressions_off:
        return SWITCHED_OFF
    return (
        "Too few visits with an estimated expression to show: figures appear from "
        f"{suppress_below} such visits on."
    )


def why_no_genders(figures: Figures, suppress_below: int) -> str:
    """The reason for which a period has no perceived genders; empty where it has some."""
    if figures.gender_unknown is not None:
        return ""
    if figures.genders_off:
        return SWITCHED_OFF
    return f"Too few labelled visits to show: figures appear from {suppress_below} labelled visits on."
