"""What every figure means, in the words that the dashboard shows beside it."""

from __future__ import annotations

VISITS = (
    "A visit is a face that was seen and followed in front of one camera, gaps of up to two seconds bridged. "
    "It is counted in the minute in which it began. It is not a person: somebody who comes back, or passes "
    "two cameras, is counted again, and somebody who never shows their face is not counted."
)
MOOD_INDEX = (
    "100 times the visits' mean of P(happiness) - P(anger) - P(disgust) - P(fear) - P(sadness): from -100 to "
    "100. The interval is the 95 % normal interval of that mean, visits taken as independent; it does not "
    "hold the classifier's own error."
)
EXPRESSION_MIX = (
    "The share of visits by estimated expression: the most probable one, pooled over the visit, or unknown "
    "where the model's confidence is under its threshold. An estimate of how a face looks, not of what "
    "somebody feels. 95 % Wilson intervals, without the classifier's own error."
)
GENDER_MIX = (
    "The share of perceived women and men (a model's estimate, for aggregates only) among the visits that "
    "the model could label; those it could not are the unknown share of all visits. 95 % Wilson intervals, "
    "without the classifier's own error."
)
CAMERAS_ONLINE = "Cameras that deliver pictures now, of all that are registered and not paused."
COVERAGE = (
    "The time that was watched of the time in which the cameras should have watched, since each was first "
    "seen. Under 90 % visits are missing; what was not observed is grey, never zero."
)
FRESHNESS = "The age of the newest result in the database: of the newest frame that was analysed and stored."


def suppression(k: int) -> str:
    """Why a group is hidden, for groups of fewer than `k` visits."""
    return (
        f"Groups of fewer than {k} visits are hidden, and with them any other that would give them away by "
        "subtraction."
    )
