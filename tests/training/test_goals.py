"""Goals of the classifier: which ones a file reaches, and the distance to the others."""

from __future__ import annotations

import json

import pytest

from training.measure.goals import GOALS, Goal, goals_table
from training.runs.publishing import FIGURES


@pytest.mark.parametrize(
    ("bound", "upwards", "value", "outcome"),
    [
        (95, True, 95.0, "reached"),
        (95, True, 87.25, "7.75 short"),
        (0.6, False, 0.6, "reached"),
        (0.6, False, 0.75, "0.15 short"),
    ],
)
def test_a_goal_is_reached_or_shows_its_distance(
    bound: float, upwards: bool, value: float, outcome: str
) -> None:
    assert Goal("a", bound, upwards, " %", lambda _: value).row({})[-1] == outcome


def test_the_table_shows_the_file_that_most_processors_run() -> None:
    metrics = json.loads((FIGURES / "faces.json").read_text())
    rows = goals_table(metrics).splitlines()[2:]
    assert len(rows) == len(GOALS)
    share = metrics["int8"]["test"]["headline"]["fer2013"]["value"]
    assert f"| {round(100 * share, 2):g} % |" in rows[0]
    assert min(group["value"] for group in metrics["int8"]["test"]["gender"]["groups"].values()) == (
        pytest.approx(GOALS[3].value(metrics["int8"]["test"]) / 100)
    )
