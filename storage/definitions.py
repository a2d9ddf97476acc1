"""The definition of every figure, as the dashboard shows it."""

from __future__ import annotations

VISITS = (
    "A visit is one face that was tracked in front of one camera; gaps of up to two seconds do not end it. "
    "It is counted in the minute in which it started. It is not a person: somebody who returns, or passes "
    "two cameras, is counted again, and somebody who never shows their face is not counted."
)
MOOD_INDEX = (
    "100 times the mean over all visits of P(happiness) - P(anger) - P(disgust) - P(fear) - P(sadness): from "
    "-100 to 100. The interval is the 95 % normal interval of that mean for independent visits; it does not "
    "include the classifier's own error."
)
EXPRESSION_MIX = (
    "The share of visits by estimated expression: the most probable one, pooled over the visit, or unknown "
    "where the model's confidence is below its threshold. It is an estimate of how a face looks, not of what "
    "a person feels. 95 % Wilson intervals, without the classifier's own error."
)
GENDER_MIX = (
    "The share of perceived women and men (a model's estimate, for aggregates only) among the visits that "
    "the model could label; the other visits are not labelled. 95 % Wilson intervals, without the "
    "classifier's own error."
)
CAMERAS_ONLINE = (
    "The cameras that deliver pictures now, of all registered cameras that are not paused or ended."
)
COVERAGE = (
    "The part of the scheduled time in which the cameras watched. A camera is scheduled from its first "
    "picture on. Below 90 % visits are missing; time without observation is grey, never zero."
)
FRESHNESS = "The age of the newest frame whose result is in the database."


def suppression(k: int) -> str:
    """The rule by which groups of fewer than `k` visits are hidden."""
    return (
        f"Groups of fewer than {k} visits are hidden, and with them every other group that would reveal them "
        "by subtraction."
    )
