"""Retention and k-suppression as they apply, for everybody; operators make them stricter below.

Both protect visitors, so the configuration is the bound: whoever signs in can make them stricter and never
weaker. The retention of the audit log is shown alone, lest operators delete what the log says about them.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from common.access import Role
from dashboard import components, formats, protection_form
from dashboard.page import View
from mien.settings import PREFIX, Settings
from storage import definitions

RULES = {
    "suppress_below": ("Groups of fewer visits are not shown (k)", "visit"),
    "keep_visits_days": ("Visits, and coverage by hour and day, are kept for", "day"),
    "keep_observations_days": ("Observations are kept for", "day"),
    "keep_coverage_days": ("Coverage by minute is kept for", "day"),
    "keep_audit_days": ("The audit log is kept for", "day"),
}
"""What each setting means, and what it counts."""


def draw(view: View) -> None:
    """The values that apply with their origins, and for operators the form that makes them stricter."""
    configured = Settings()
    with st.container(border=True):
        components.show_heading(
            "Retention and k", "how long rows are kept, and what is hidden", definitions.STORED
        )
        rows = "".join(_row(view.settings, configured, name) for name in RULES)
        head = "".join(f"<th>{each}</th>" for each in ("Rule", "Value", "Origin", "Setting"))
        st.html(f'<table class="mien cameras"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')
        st.caption(
            "The configuration, `mien.yaml` or the environment of every process, is the bound. Operators may "
            "choose a larger k and fewer days here, and nothing weaker."
        )
    if view.actor.role is Role.OPERATOR:
        protection_form.draw(view, configured)


def _row(applied: Settings, configured: Settings, name: str) -> str:
    text, noun = RULES[name]
    value, bound, default = (
        *(getattr(each, name) for each in (applied, configured)),
        Settings.model_fields[name].default,
    )
    origin = "default" if value == default else f"configured; the default is {default}"
    if value != bound:
        origin = f"chosen by an operator; configured is {bound}"
    cells = {
        "Rule": text,
        "Value": formats.counted(value, noun),
        "Origin": origin,
        "Setting": f"{name} ({PREFIX}{name.upper()})",
    }
    return (
        "<tr>"
        + "".join(f'<td data-label="{label}">{escape(cell)}</td>' for label, cell in cells.items())
        + "</tr>"
    )
