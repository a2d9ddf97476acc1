"""The page Settings: events, what is kept and hidden, alert rules, users and roles, the audit log."""

from __future__ import annotations

import streamlit as st

from common.access import Role
from dashboard import alert_rules_form, audit_table, page, rule_table, user_forms
from dashboard.page import View


def draw_page(view: View) -> None:
    """Draw the page; not refreshed by itself, so that forms keep their entries."""
    page.show_header(view, "Settings")
    operator = view.actor.role is Role.OPERATOR
    names = ["Rules", "Events", *(["Alerts", "Users and roles", "Audit log"] if operator else [])]
    section = st.segmented_control(
        "Section",
        names,
        default=names[0],
        required=True,
        key="section",
        bind="query-params",
        label_visibility="collapsed",
    )
    if section == "Events":
        st.page_link("app_pages/events.py", label="Note, see and remove events", icon=":material/event:")
    elif section == "Alerts":
        alert_rules_form.draw_alert_rules(view, view.actor)
    elif section == "Users and roles":
        user_forms.draw(view)
    elif section == "Audit log":
        audit_table.draw(view)
    else:
        rule_table.draw(view)


page.show(draw_page, needs_results=False, refresh=False)
