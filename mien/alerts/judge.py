"""The states of alerts over time: what is reported, in groups, and no more often than the cool-down allows.

A subject is reported once when it starts to fire and once when it is resolved. Subjects of one rule and site
that start to fire within `Timing.group_s` are one message. Short interruptions change nothing: a subject is
resolved when it has been good for `Timing.settle_s`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bus.messages import MICROSECONDS, MINUTE_US
from mien.alerts.conditions import Finding, Found
from storage.alert_rules import AlertKind, AlertRule
from storage.alert_states import AlertState, Status

NOT_WATCHED = "not watched any more"


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations in seconds.

    group_s: how long further subjects of a site are waited for before a message is sent.
    settle_s: how long a subject must be good before it is resolved.
    gap_s: a pending subject that was not judged for so long starts again, since nobody saw what happened.
    """

    group_s: float = 30.0
    settle_s: float = 60.0
    gap_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be reported of subjects of one rule and site: that they fire, or that they are resolved."""

    rule: AlertRule
    site: str
    resolved: bool
    subjects: tuple[AlertState, ...]


def judge(
    rules: Sequence[AlertRule],
    findings: Mapping[str, Sequence[Finding]],
    states: Iterable[AlertState],
    now: int,
    timing: Timing,
) -> tuple[list[AlertState], list[Report]]:
    """The new states, and what is to be reported because of them.

    Args:
        rules: the rules that are enabled.
        findings: by id of the rule; rules without an entry were not judged now, their states stay.
        states: the stored states; those of other rules are dropped.
        now: UTC microseconds.
        timing: durations.
    """
    after: list[AlertState] = []
    reports: list[Report] = []
    by_rule: dict[str, list[AlertState]] = {}
    for state in states:
        by_rule.setdefault(state.rule_id, []).append(state)
    for rule in rules:
        mine = by_rule.get(rule.id, [])
        if rule.id in findings:
            mine = _advance(rule, findings[rule.id], mine, now, timing)
        told, new_reports = _report(rule, mine, now, timing)
        after += told
        reports += new_reports
    return after, reports


def _advance(
    rule: AlertRule, findings: Sequence[Finding], states: Sequence[AlertState], now: int, timing: Timing
) -> list[AlertState]:
    before = {state.subject: state for state in states}
    found = {finding.subject: finding for finding in findings}
    after = [_next(rule, before.get(subject), each, now, timing) for subject, each in found.items()]
    for subject, state in before.items():
        if subject not in found:
            gone = Finding(subject, state.site, Found.GOOD, NOT_WATCHED, state.simulated)
            after.append(_next(rule, state, gone, now, timing))
    return [state for state in after if state and not _is_forgotten(rule, state, now)]


def _is_forgotten(rule: AlertRule, state: AlertState, now: int) -> bool:
    return state.status is Status.CLEAR and not _is_cooling(rule, state, now)


def _is_cooling(rule: AlertRule, state: AlertState, now: int) -> bool:
    cooldown = rule.cooldown_minutes * MINUTE_US
    return state.notified_at is not None and now < state.notified_at + cooldown


def _next(
    rule: AlertRule, state: AlertState | None, finding: Finding, now: int, timing: Timing
) -> AlertState | None:
    if finding.verdict is Found.BAD:
        return _next_if_bad(rule, state, finding, now, timing)
    if state is None:
        return None
    state = replace(state, seen_at=now)
    if finding.verdict is Found.GOOD and state.status is Status.FIRING and state.announced:
        return replace(state, status=Status.CLEARING, changed_at=now, detail=finding.detail)
    unannounced = state.status is Status.FIRING and not state.announced
    if state.status is Status.PENDING or (unannounced and finding.verdict is Found.GOOD):
        return replace(state, status=Status.CLEAR, changed_at=now)
    return state


def _next_if_bad(
    rule: AlertRule, state: AlertState | None, finding: Finding, now: int, timing: Timing
) -> AlertState:
    if state is None or state.status is Status.CLEAR:
        notified_at = state.notified_at if state else None
        state = AlertState(
            rule.id,
            finding.subject,
            finding.site,
            Status.PENDING,
            since=now,
            changed_at=now,
            seen_at=now,
            notified_at=notified_at,
            announced=False,
            detail="",
            simulated=False,
        )
    elif state.status is Status.CLEARING:
        state = replace(state, status=Status.FIRING, changed_at=now)
    elif state.status is Status.PENDING and now - state.seen_at > timing.gap_s * MICROSECONDS:
        state = replace(state, since=now)
    state = replace(state, site=finding.site, seen_at=now, detail=finding.detail, simulated=finding.simulated)
    hold = rule.minutes * MINUTE_US if rule.kind is AlertKind.CAMERA_DOWN else 0
    is_due = now - state.since >= hold and not _is_cooling(rule, state, now)
    if state.status is Status.PENDING and is_due:
        return replace(state, status=Status.FIRING, changed_at=now)
    return state


def _report(
    rule: AlertRule, states: Sequence[AlertState], now: int, timing: Timing
) -> tuple[list[AlertState], list[Report]]:
    """Report what has waited for long enough, together with the rest of its site."""
    after = {state.subject: state for state in states}
    reports = []
    for site in dict.fromkeys(state.site for state in states):
        here = [state for state in states if state.site == site]
        firing = [each for each in here if each.status is Status.FIRING and not each.announced]
        if _oldest(firing, now) >= timing.group_s * MICROSECONDS:
            reports.append(Report(rule, site, False, tuple(firing)))
            for each in firing:
                after[each.subject] = replace(each, announced=True, notified_at=now)
        clearing = [each for each in here if each.status is Status.CLEARING]
        if _oldest(clearing, now) >= timing.settle_s * MICROSECONDS:
            half = timing.settle_s * MICROSECONDS / 2
            settled = [each for each in clearing if now - each.changed_at >= half]
            reports.append(Report(rule, site, True, tuple(settled)))
            for each in settled:
                after[each.subject] = replace(each, status=Status.CLEAR, announced=False)
    return list(after.values()), reports


def _oldest(states: Sequence[AlertState], now: int) -> float:
    """For how long the oldest of the states has waited, -1 without any."""
    return max((now - each.changed_at for each in states), default=-1)
