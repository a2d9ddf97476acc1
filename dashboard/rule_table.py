"""Retention and k-suppression as they apply, and where they are changed.

They are shown and not changed here: both protect visitors, the views of other tools contain k as well, and
shorter retention deletes rows for good. They change where Mien is configured, for all its processes at once.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import components
from dashboard.page import View
from mien.settings import PREFIX, Settings
from storage import definitions

_RULES = {
    "suppress_below": ("Groups of fewer visits are not shown (k)", "visits"),
    "keep_visits_days": ("Visits are kept for", "days"),
    "keep_observations_days": ("Observations are kept for", "days"),
    "keep_coverage_days": ("Coverage is kept for", "days"),
}
"""What each setting means, and its unit."""


def draw(view: View) -> None:
    """The settings with their values and origins."""
    with st.container(border=True):
        components.show_heading(
            "Retention and k", "how long rows are kept, and what is hidden", definitions.STORED
        )
        rows = "".join(_row(view.settings, name) for name in _RULES)
        head = "".join(f"<th>{each}</th>" for each in ("Rule", "Value", "Origin", "Setting"))
        st.html(f'<table class="mien cameras"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')
        st.caption(
            "Change them in `mien.yaml` or in the environment of every process, then restart Mien. On "
            "PostgreSQL run `mien db upgrade --analyst NAME` after a change of k, which the views of other "
            "tools contain."
        )


def _row(settings: Settings, name: str) -> str:
    text, unit = _RULES[name]
    value, default = getattr(settings, name), Settings.model_fields[name].default
    origin = "default" if value == default else f"configured; the default is {default}"
    cells = {
        "Rule": text,
        "Value": f"{value} {unit}",
        "Origin": origin,
        "Setting": f"{name} ({PREFIX}{name.upper()})",
    }
    return (
        "<tr>"
        + "".join(f'<td data-label="{label}">{escape(cell)}</td>' for label, cell in cells.items())
        + "</tr>"
    )
