"""The audit log: who changed what and when, who signed in and who was refused; for operators."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

import streamlit as st

from common.timezones import open_timezone
from dashboard import components, queries
from dashboard.page import View
from storage.audit import AuditEntry
from storage.figures.table import harmless

SHOWN, EXPORTED = 200, 100_000
"""The greatest number of rows on the page and in the file."""

_COLUMNS = ("Time", "Who", "Role", "What", "Subject", "Details")


def draw(view: View) -> None:
    """The newest rows first, with filters and a download."""
    actions, actors = queries.read_audit_choices(view.settings, view.actor)
    left, right = st.columns(2)
    with left:
        chosen_actions = st.multiselect("What", actions, placeholder="Everything", key="audit-action")
    with right:
        chosen_actors = st.multiselect("Who", actors, placeholder="Everybody", key="audit-actor")
    entries = queries.read_audit_entries(
        view.settings, view.actor, SHOWN, tuple(chosen_actions), tuple(chosen_actors)
    )
    zone = open_timezone(view.settings.timezone)
    with st.container(border=True):
        components.show_heading("Audit log", f"the newest {SHOWN} rows", "Rows are never changed.")
        if entries:
            st.html(html_table(entries, zone))
        else:
            st.info("No rows yet.")
    st.download_button(
        "CSV",
        # Read when it is asked for, since it may be long.
        lambda: to_csv(
            queries.read_audit_entries(
                view.settings, view.actor, EXPORTED, tuple(chosen_actions), tuple(chosen_actors)
            ),
            zone,
        ),
        "mien-audit-log.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def html_table(entries: Sequence[AuditEntry], zone: ZoneInfo) -> str:
    """The rows as a table; every text is escaped."""
    head = "".join(f"<th>{each}</th>" for each in _COLUMNS)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{label}">{escape(cell)}</td>'
            for label, cell in zip(_COLUMNS, _cells(entry, zone), strict=True)
        )
        + "</tr>"
        for entry in entries
    )
    return f'<table class="mien cameras"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def to_csv(entries: Sequence[AuditEntry], zone: ZoneInfo) -> bytes:
    """The rows as CSV; text that a spreadsheet would execute as a formula is preceded by an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows([harmless(cell) for cell in _cells(entry, zone)] for entry in entries)
    return text.getvalue().encode()


def _cells(entry: AuditEntry, zone: ZoneInfo) -> tuple[str, ...]:
    at = datetime.fromtimestamp(entry.at / 1e6, zone).isoformat(" ", "seconds")
    return at, entry.actor, entry.role, entry.action, entry.subject, entry.details
