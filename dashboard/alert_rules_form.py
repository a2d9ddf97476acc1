"""Alert rules for operators: list, add, change, remove, the last messages, and a test message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

import streamlit as st

from common.access import Actor, Role
from common.clock import wall_clock_us
from common.timezones import open_timezone
from dashboard import components, formats, queries
from dashboard.database_change import make_change
from dashboard.page import View
from mien.settings import Settings
from storage.alert_outbox import Delivery, queue_test, receivers_of
from storage.alert_rules import (
    DAY_MINUTES,
    MOST_COOLDOWN_MINUTES,
    NAME_LENGTH,
    AlertKind,
    AlertRule,
    add_rule,
    change_rule,
    remove_rule,
)
from storage.engine import Database

_EDITED = "alert-rule"
"""The key of the session's state with the id of the rule that is being changed."""

_ABOUT = (
    "Rules are judged by one process that has a receiver, a webhook or an MQTT broker. Each finding is sent "
    "once, and once more when it is resolved; the cool-down is the shortest time between two messages about "
    "the same camera or site. Visits and mood are compared with the same weekdays and hours of the four "
    "weeks before; without enough data, or for hidden groups, nothing is sent."
)
_WHAT = {
    AlertKind.CAMERA_DOWN: "A camera delivers no pictures",
    AlertKind.LOW_COVERAGE: "A camera watches too little of its scheduled time",
    AlertKind.VISITS_SHIFTED: "Visits of a site changed clearly",
    AlertKind.MOOD_SHIFTED: "The mood index of a site changed clearly",
}


def draw_alert_rules(view: View, actor: Actor) -> None:
    """Everything about alerts; analysts read that operators change it."""
    if actor.role is not Role.OPERATOR:
        st.info("Alert rules are changed by operators.")
        return
    alerts = queries.read_alerts(view.settings, actor)
    components.show_heading("Alerts", "what is reported, and where to", _ABOUT)
    _draw_sender(view, alerts)
    names = components.camera_names(view.status.cameras)
    for rule in alerts.rules:
        _draw_rule(view, rule, alerts.firing.get(rule.id, 0), names)
    edited = next((each for each in alerts.rules if each.id == st.session_state.get(_EDITED)), None)
    _draw_form(view, edited, names)
    # Read again: a test message may have been added above.
    deliveries = queries.read_alerts(view.settings, actor).deliveries
    _draw_deliveries(deliveries, open_timezone(view.settings.timezone))


def _draw_sender(view: View, alerts: queries.Alerts) -> None:
    receivers = receivers_of(alerts.sender)
    if not alerts.sender or not receivers:
        st.warning(
            "Nothing is sent: no running process has a receiver. Set `MIEN_ALERT_WEBHOOK` or "
            "`MIEN_ALERT_MQTT` for the process that captures, and start it again.",
            icon=":material/notifications_off:",
        )
        return
    where = ", ".join(f"{channel} {formats.as_plain_text(address)}" for channel, address in receivers.items())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":small[Sent by {formats.as_plain_text(alerts.sender.process)} to {where}]", width="stretch"
        )
        wanted = st.button("Send a test message", icon=":material/send:", key="alert-test")
    if wanted:
        _test(view)


def _draw_rule(view: View, rule: AlertRule, firing: int, names: Mapping[str, str]) -> None:
    where = ", ".join(sorted(names.get(each, each) for each in rule.cameras)) or "all cameras"
    state = "off" if not rule.enabled else f"{firing} firing" if firing else "nothing to report"
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{formats.as_plain_text(rule.name)}** &nbsp; :small[:gray[{state}]]  \n"
            f":small[{describe(rule)} · {formats.as_plain_text(where)} · "
            f"cool-down {_duration(rule.cooldown_minutes)}]",
            width="stretch",
        )
        st.button("Change", key=f"change-{rule.id}", icon=":material/edit:", on_click=_edit, args=(rule.id,))
        removed = st.button("Remove", key=f"remove-{rule.id}", icon=":material/delete:")
    if removed:
        _remove(view, rule)


def describe(rule: AlertRule) -> str:
    """What a rule watches, in words."""
    period = _duration(rule.minutes)
    if rule.kind is AlertKind.CAMERA_DOWN:
        return f"A camera delivers no pictures for {period}"
    if rule.kind is AlertKind.LOW_COVERAGE:
        return f"Coverage of a camera under {formats.percent(rule.threshold)} in the last {period}"
    return f"{_WHAT[rule.kind]} in the last {period}"


def _draw_form(view: View, rule: AlertRule | None, names: Mapping[str, str]) -> None:
    """The fields of a new rule, or of the one that is being changed."""
    key = rule.id if rule else "new"
    with st.container(border=True):
        st.markdown(f"**Change {formats.as_plain_text(rule.name)}**" if rule else "**Add a rule**")
        kinds = list(AlertKind)
        kind = st.selectbox(
            "What is reported",
            kinds,
            index=kinds.index(rule.kind) if rule else 0,
            format_func=_WHAT.__getitem__,
            key=f"kind-{key}",
        )
        name = st.text_input("Name", rule.name if rule else "", max_chars=NAME_LENGTH, key=f"name-{key}")
        has_threshold = kind is AlertKind.LOW_COVERAGE
        places = st.columns(3 if has_threshold else 2)
        with places[0]:
            minutes = _ask_period(kind, rule, key)
        threshold = rule.threshold if rule else 0.9
        if has_threshold:
            with places[1]:
                threshold = _ask_threshold(threshold, key)
        with places[-1]:
            cooldown = st.number_input(
                "Cool-down in minutes",
                1,
                MOST_COOLDOWN_MINUTES,
                rule.cooldown_minutes if rule else 60,
                key=f"cooldown-{key}",
                help="The shortest time between two messages about the same camera or site.",
            )
        cameras = st.multiselect(
            "Cameras of the rule",
            list(names),
            default=sorted(rule.cameras & names.keys()) if rule else [],
            format_func=names.__getitem__,
            placeholder="All",
            key=f"cameras-{key}",
        )
        enabled = st.toggle("In use", rule.enabled if rule else True, key=f"enabled-{key}")
        new = AlertRule(
            name,
            kind,
            minutes,
            threshold,
            cooldown,
            frozenset(cameras),
            enabled,
            id=rule.id if rule else "",
        )
        with st.container(horizontal=True):
            if st.button("Save" if rule else "Add", type="primary", key=f"save-{key}"):
                _save(view, new)
            if rule:
                st.button("Cancel", key=f"cancel-{key}", on_click=_edit, args=(None,))


def _ask_period(kind: AlertKind, rule: AlertRule | None, key: str) -> int:
    """The period of a rule in minutes; asked for in days where the rule compares days."""
    unit = DAY_MINUTES if kind.compares_days else 1
    low, high = (each // unit for each in kind.minutes)
    given = (rule.minutes if rule and rule.kind is kind else kind.usual_minutes) // unit
    label = "Days" if kind.compares_days else "Minutes without pictures"
    if kind is AlertKind.LOW_COVERAGE:
        label = "Period in minutes"
    return unit * st.number_input(label, low, high, given, key=f"minutes-{key}-{kind}")


def _ask_threshold(threshold: float, key: str) -> float:
    percent = st.number_input("Coverage under, in %", 1, 100, round(100 * threshold), key=f"threshold-{key}")
    return percent / 100


def _draw_deliveries(deliveries: Sequence[Delivery], zone: ZoneInfo) -> None:
    components.show_heading(
        "Messages", "the newest ones, kept for 30 days", "Outcome and last error of each."
    )
    if not deliveries:
        st.caption("No message yet.")
        return
    heads = ("Time", "Rule", "What", "Channel", "Outcome", "Attempts", "Last error")
    rows = [
        (
            f"{datetime.fromtimestamp(each.created_at / 1e6, zone):%d %b %H:%M:%S}",
            each.rule_name,
            each.status,
            each.channel,
            each.outcome,
            str(each.attempts),
            each.error or formats.NO_VALUE,
        )
        for each in deliveries
    ]
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{label}"><div>{escape(cell)}</div></td>'
            for label, cell in zip(heads, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    st.html(f'<table class="mien compared"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')


def _duration(minutes: int) -> str:
    for unit, size in (("day", DAY_MINUTES), ("hour", 60), ("minute", 1)):
        if minutes % size == 0:
            count = minutes // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError(minutes)


def _edit(rule_id: str | None) -> None:
    st.session_state[_EDITED] = rule_id


def _save(view: View, rule: AlertRule) -> None:
    change = change_rule if rule.id else add_rule
    if _change(view.settings, lambda database, actor: change(database, actor, rule)):
        _edit(None)
        st.rerun()


def _remove(view: View, rule: AlertRule) -> None:
    if _change(view.settings, lambda database, actor: remove_rule(database, actor, rule.id)):
        st.rerun()


def _test(view: View) -> None:
    if _change(view.settings, lambda database, actor: queue_test(database, actor, wall_clock_us())):
        st.toast("The test message is sent within seconds; its outcome is below.", icon=":material/send:")


def _change(settings: Settings, change: Callable[[Database, Actor], object]) -> bool:
    """Make a change as whoever is signed in now; whether it was made."""
    changed = make_change(settings, change)
    if changed:
        queries.forget_alerts()
    return changed
