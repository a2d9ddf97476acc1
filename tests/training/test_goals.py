"""What the classifier is meant to reach: which goals a file reaches, and how far it is from the others."""

from __future__ import annotations

import json

import pytest

from inference.model_file import MODELS
from training.measure.goals import GOALS, Goal, goals_table


@pytest.mark.parametrize(
    ("bound", "upwards", "value", "told"),
    [
        (95, True, 95.0, "reached"),
        (95, True, 87.25, "7.75 short"),
        (0.6, False, 0.6, "reached"),
        (0.6, False, 0.75, "0.15 short"),
    ],
)
def test_a_goal_is_reached_or_says_how_far_it_is(
    bound: float, upwards: bool, value: float, told: str
) -> None:
    assert Goal("a", bound, upwards, " %", lambda _: value).row({})[-1] == told


def test_the_table_is_of_the_file_that_most_processors_run() -> None:
    metrics = json.loads((MODELS / "faces.json").read_text())
    rows = goals_table(metrics).splitlines()[2:]
    assert len(rows) == len(GOALS)
    share = metrics["int8"]["test"]["headline"]["fer2013"]["value"]
    assert f"| {round(100 * share, 2):g} % |" in rows[0]
    assert min(group["value"] for group in metrics["int8"]["test"]["gender"]["groups"].values()) == (
        pytest.approx(GOALS[3].value(metrics["int8"]["test"]) / 100)
    )
