"""The form with which operators make retention and k stricter, with what will happen before it does."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import components, queries
from dashboard.database_change import make_change
from dashboard.page import View
from mien.protection import configured_protection
from mien.settings import Settings
from storage.day_partitions import DAY_US, start_of_day
from storage.local_time import date_of
from storage.protection import SUPPRESS_BELOW, Protection, change_protection

_UTC = ZoneInfo("UTC")
_ASKED = "protection-changes"
"""The key of the session's state with the changes that wait for a confirmation."""

_LABELS = {
    SUPPRESS_BELOW: "Hide groups of fewer visits than (k)",
    "keep_visits_days": "Days that visits are kept",
    "keep_observations_days": "Days that observations are kept",
    "keep_coverage_days": "Days that coverage by minute is kept",
}
_ROWS = {
    "keep_visits_days": "Visits, their observations and sums, and coverage by hour and day",
    "keep_observations_days": "Observations",
    "keep_coverage_days": "Frame counts and coverage by minute",
}
_KINDS = {
    "keep_visits_days": "visits",
    "keep_observations_days": "observations",
    "keep_coverage_days": "coverage",
}
_ABOUT = (
    "A larger k and fewer days apply to every page, export, alert and view of other tools at once. Each "
    "change is in the audit log. Down to the configured values, a change can be taken back; deleted rows "
    "cannot."
)


def draw(view: View, configured: Settings) -> None:
    """The form, or the question whether its changes are meant."""
    bound, applied = configured_protection(configured), configured_protection(view.settings)
    changes: dict[str, int] | None = st.session_state.get(_ASKED)
    with st.container(border=True):
        components.show_heading("Make it stricter", "a larger k, fewer days", _ABOUT)
        if changes:
            _draw_question(view, bound, applied, changes)
        else:
            _draw_form(bound, applied)


def _draw_form(bound: Protection, applied: Protection) -> None:
    with st.form("protection", border=False):
        values = {}
        for place, (name, label) in zip(st.columns(len(_LABELS)), _LABELS.items(), strict=True):
            low, high = bound.allowed(name)
            now: int = getattr(applied, name)
            values[name] = place.number_input(
                label, low, high, now, key=f"{name}-{now}", help=f"{low} to {high}"
            )
        submitted = st.form_submit_button("Change...", type="primary")
    changes = {name: value for name, value in values.items() if value != getattr(applied, name)}
    if submitted and changes:
        st.session_state[_ASKED] = changes
        st.rerun()
    elif submitted:
        st.info("Nothing to change: these values apply already.")


def _draw_question(view: View, bound: Protection, applied: Protection, changes: Mapping[str, int]) -> None:
    times, now = queries.read_oldest_rows(view.settings, view.actor), view.status.now
    oldest = {name: times.get(kind) for name, kind in _KINDS.items()}
    lines = [
        f"- {describe(name, getattr(applied, name), value, now, oldest.get(name))}"
        for name, value in changes.items()
    ]
    st.warning("\n".join(["**This will happen:**", "", *lines]), icon=":material/warning:")
    with st.container(horizontal=True):
        if st.button("Apply", type="primary", key="protection-apply"):
            del st.session_state[_ASKED]
            if make_change(
                view.settings, lambda database, actor: change_protection(database, actor, bound, changes)
            ):
                queries.forget_status()
                st.rerun()
        if st.button("Change nothing", key="protection-cancel"):
            del st.session_state[_ASKED]
            st.rerun()


def describe(name: str, before: int, after: int, now: int, oldest: int | None) -> str:
    """What a change from `before` to `after` does; `oldest` is the time of the oldest row, None without."""
    if name == SUPPRESS_BELOW:
        if after > before:
            return (
                f"Groups of fewer than {after} visits (now {before}) are hidden in all figures, exports, "
                "alerts and views of other tools, from the next refresh on."
            )
        return f"Groups of {after} to {before - 1} visits are shown again, from the next refresh on."
    if after > before:
        return f"{_ROWS[name]} are kept for {after} days (now {before}). Deleted rows do not come back."
    cutoff = start_of_day(now) - after * DAY_US
    text = f"{_ROWS[name]} are kept for {after} days (now {before})."
    if oldest is None or oldest >= cutoff:
        return f"{text} No stored row is older; older ones are deleted from now on."
    return (
        f"{text} **All from before {_date(cutoff)} (UTC) are deleted at the next maintenance, which cannot "
        f"be undone**; the oldest is from {_date(oldest)}. `mien run` maintains the database every quarter "
        "of an hour, otherwise `mien db maintain` does."
    )


def _date(time_us: int) -> str:
    return f"{date_of(time_us, _UTC):%d %b %Y}"
