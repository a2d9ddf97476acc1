"""What a page says where it has no figures: five reasons that must never look alike."""

from __future__ import annotations

import streamlit as st

from dashboard import words
from storage.trends import State


def waiting_for_database(reason: str) -> None:
    """There is no database, or it cannot be read now."""
    _notice(
        ":material/database:",
        "Waiting for the database",
        f"{words.plain(reason)}.",
        "This page goes on by itself as soon as it can be read.",
    )


def no_data_yet(cameras: int) -> None:
    """Nothing was ever stored."""
    what = "The first results follow within seconds." if cameras else "No camera is registered yet."
    _notice(
        ":material/hourglass_top:",
        "No data yet",
        what,
        "Start cameras with `mien run --source ...`, or see it work with `mien demo`." if not cameras else "",
    )


def no_figures(state: State, suppress_below: int) -> None:
    """A period without figures, for the reason that `state` gives."""
    if state is State.UNOBSERVED:
        _notice(
            ":material/visibility_off:",
            "Not observed",
            "None of these cameras watched in this period, so nobody knows who was there.",
            "Choose a longer period or other cameras, or see under Cameras what they are doing.",
        )
    elif state is State.NOBODY:
        _notice(
            ":material/person_off:",
            "Nobody in this selection",
            "These cameras watched, and saw no visitor in this period.",
            "Choose a longer period or other cameras.",
        )
    else:
        _notice(
            ":material/shield_person:",
            "Too few to show",
            f"Figures appear from {suppress_below} visits on, so that no visitor can be read from them. "
            "A selection that would give away the few visits of another camera is hidden, too.",
            "Choose a longer period or more cameras.",
        )


def _notice(icon: str, title: str, text: str, advice: str) -> None:
    with st.container(border=True, horizontal_alignment="center", gap="small", key="notice"):
        st.space("medium")
        st.markdown(f"## {icon}", text_alignment="center")
        st.markdown(f"#### {title}", text_alignment="center")
        st.markdown(text, text_alignment="center")
        if advice:
            st.caption(advice, text_alignment="center")
        st.space("medium")
