"""Notices in place of figures: one for each of five reasons, so that a viewer can tell them apart."""

from __future__ import annotations

import streamlit as st

from dashboard import formats
from storage.figures.groups import State


def show_database_unavailable(reason: str) -> None:
    """The database does not exist, or cannot be read at present."""
    _show(
        ":material/database:",
        "Waiting for the database",
        f"{formats.escape_markdown(reason)}.",
        "This page continues by itself as soon as the database can be read.",
    )


def show_no_data(cameras: int) -> None:
    """The database has no results yet."""
    _show(
        ":material/hourglass_top:",
        "No data yet",
        "The first results follow within seconds." if cameras else "No camera is registered yet.",
        "" if cameras else "Start cameras with `mien run --source ...`, or simulated ones with `mien demo`.",
    )


def show_denied(reason: str) -> None:
    """The viewer may not see or do this, for the reason `reason`."""
    _show(":material/lock:", "Not permitted", f"{formats.escape_markdown(reason)}.", "")


def show_wrong_period(problem: str) -> None:
    """The selected period has no answer, for the reason `problem`."""
    _show(":material/date_range:", "No period", formats.escape_markdown(problem), "")


def show_no_figures(state: State, suppress_below: int) -> None:
    """A period has no figures, for the reason `state`."""
    if state is State.UNOBSERVED:
        _show(
            ":material/visibility_off:",
            "Not observed",
            "None of these cameras delivered pictures in this period, so the number of visitors is unknown.",
            "Choose a longer period or other cameras; the page Cameras shows the state of each.",
        )
    elif state is State.NOBODY:
        _show(
            ":material/person_off:",
            "Nobody in this selection",
            "These cameras delivered pictures, and there was no visitor in this period.",
            "Choose a longer period or other cameras.",
        )
    else:
        _show(
            ":material/shield_person:",
            "Too few to show",
            f"Figures appear from {suppress_below} visits on, so that they do not describe single visitors. "
            "A selection is hidden as well if it would reveal the few visits of another camera.",
            "Choose a longer period or more cameras.",
        )


def _show(icon: str, title: str, text: str, advice: str) -> None:
    with st.container(border=True, horizontal_alignment="center", gap="small", key="notice"):
        st.space("medium")
        st.header(icon, anchor=False, text_alignment="center")
        st.subheader(title, anchor=False, text_alignment="center")
        st.markdown(text, text_alignment="center")
        if advice:
            st.caption(advice, text_alignment="center")
        st.space("medium")
