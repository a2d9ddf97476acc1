"""What is reported over time: once, in groups, after the hold time, and not within the cool-down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from bus.messages import MICROSECONDS, MINUTE_US
from mien.alerts.conditions import Finding, Found
from mien.alerts.judge import Report, Timing, judge
from mien.alerts.messages import create_message, encode
from storage.alert_rules import AlertKind, AlertRule
from storage.alert_states import AlertState, Status
from storage.tables import MESSAGE_LENGTH

RULE = AlertRule("Door", AlertKind.CAMERA_DOWN, minutes=5, cooldown_minutes=60, id="r")
STEP_S = 10


@dataclass
class Story:
    """A rule that is judged every ten seconds."""

    rule: AlertRule = RULE
    now: int = 1000 * MINUTE_US
    states: list[AlertState] = field(default_factory=list)
    told: list[Report] = field(default_factory=list)

    def go(self, seconds: float, **verdicts: Found) -> list[tuple[bool, list[str]]]:
        """Judge for some seconds; what is reported: whether it is resolved, and the subjects."""
        reports: list[Report] = []
        for _ in range(round(seconds / STEP_S)):
            self.now += STEP_S * MICROSECONDS
            found = [Finding(name, "Shop", each, "why", False) for name, each in verdicts.items()]
            self.states, new = judge([self.rule], {self.rule.id: found}, self.states, self.now, Timing())
            reports += new
        self.told += reports
        return [(each.resolved, [state.subject for state in each.subjects]) for each in reports]


def test_a_camera_is_reported_once_after_its_hold_time_and_once_when_it_is_resolved() -> None:
    story = Story()
    assert story.go(290, a=Found.BAD) == []
    assert story.go(3600, a=Found.BAD) == [(False, ["a"])]
    assert story.go(600, a=Found.GOOD) == [(True, ["a"])]
    assert story.go(600, a=Found.GOOD) == []


def test_an_interruption_that_is_too_short_is_not_reported() -> None:
    story = Story()
    for _ in range(10):
        assert story.go(280, a=Found.BAD) == []
        assert story.go(20, a=Found.GOOD) == []


def test_cameras_of_a_site_that_go_down_together_are_one_message() -> None:
    story = Story()
    assert story.go(20, a=Found.BAD, b=Found.GOOD, c=Found.GOOD) == []
    assert story.go(600, a=Found.BAD, b=Found.BAD, c=Found.BAD) == [(False, ["a", "b", "c"])]
    assert story.go(600, a=Found.GOOD, b=Found.GOOD, c=Found.GOOD) == [(True, ["a", "b", "c"])]


def test_a_flapping_camera_is_reported_no_more_than_once_per_cooldown() -> None:
    story = Story()
    for _ in range(20):
        story.go(400, a=Found.BAD)
        story.go(200, a=Found.GOOD)
    firing = [report for report in story.told if not report.resolved]
    assert len(firing) == 4, "200 minutes, a message each hour"
    assert len(story.told) == 2 * len(firing)


def test_a_short_recovery_does_not_resolve() -> None:
    story = Story()
    story.go(600, a=Found.BAD)
    assert story.go(40, a=Found.GOOD) == []
    assert story.go(600, a=Found.BAD) == []


def test_a_camera_that_is_not_scheduled_keeps_its_state_and_starts_no_alert() -> None:
    story = Story()
    story.go(290, a=Found.BAD)
    assert story.go(3600, a=Found.UNKNOWN) == []
    assert story.go(290, a=Found.BAD) == [], "the hold time starts again when the shop opens"
    assert story.go(300, a=Found.BAD) == [(False, ["a"])]
    assert story.go(40_000, a=Found.UNKNOWN) == []
    assert story.go(600, a=Found.GOOD) == [(True, ["a"])]


def test_a_paused_camera_is_resolved_once() -> None:
    story = Story()
    story.go(600, a=Found.BAD)
    assert story.go(600) == [(True, ["a"])]
    assert story.told[-1].subjects[0].detail == "not watched any more"


def test_time_that_nobody_watched_is_no_part_of_the_hold_time() -> None:
    story = Story()
    story.go(60, a=Found.BAD)
    story.now += 60 * MINUTE_US
    assert story.go(60, a=Found.BAD) == []


def test_the_states_of_a_rule_that_was_removed_are_dropped_without_a_message() -> None:
    story = Story()
    story.go(600, a=Found.BAD)
    assert judge([], {}, story.states, story.now, Timing()) == ([], [])


def test_a_rule_that_was_not_judged_keeps_its_states() -> None:
    story = Story()
    story.go(600, a=Found.BAD)
    after, _ = judge([RULE], {}, story.states, story.now, Timing())
    assert after == story.states


def report(names: Sequence[str], simulated: bool = False) -> Report:
    states = [
        AlertState("r", name, 'S"' * 100, Status.FIRING, 0, 0, 0, None, False, "d" * 500, simulated)
        for name in names
    ]
    return Report(RULE, 'S"' * 100, False, tuple(states))


def test_a_message_about_many_cameras_fits_and_tells_how_many_they_are() -> None:
    names = [f"camera-{number}" for number in range(60)]
    message = create_message(report(names), dict.fromkeys(names, 'N"' * 100), 0)
    assert len(encode(message)) <= MESSAGE_LENGTH
    assert message["subject_count"] == 60
    assert "60 cameras" in message["text"]
    assert json.loads(encode(message)) == message


@pytest.mark.parametrize("simulated", [True, False])
def test_a_message_about_simulated_cameras_says_so(simulated: bool) -> None:
    message = create_message(report(["a"], simulated), {}, 0)
    assert message["simulated"] is simulated
    assert ("simulated data" in message["text"]) is simulated
