"""Notices in place of figures: one for each of five reasons, so that a viewer can tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from dashboard import formats
from storage.camera_status import Condition
from storage.figures.deleted import describe_deleted
from storage.figures.groups import State
from storage.figures.timeline import Timeline


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


def show_signed_out(base_path: str) -> None:
    """Nobody is signed in any more; a link leads to the sign-in page below the base path."""
    path = f"/{base_path}/sign-in" if base_path else "/sign-in"
    with st.container(border=True, horizontal_alignment="center", key="notice"):
        st.subheader("Signed out", anchor=False, text_alignment="center")
        st.html(f'<p class="mien"><a href="{escape(path)}">Sign in</a></p>', width="content")


def show_denied(reason: str) -> None:
    """The viewer may not see or do this, for the reason `reason`."""
    _show(":material/lock:", "Not permitted", f"{formats.escape_markdown(reason)}.", "")


def show_wrong_period(problem: str) -> None:
    """The selected period has no answer, for the reason `problem`."""
    _show(":material/date_range:", "No period", formats.escape_markdown(problem), "")


def show_deleted(timeline: Timeline, keep_visits_days: int) -> None:
    """A line where retention has deleted the first part of a period, which looks like a closed shop."""
    if text := describe_deleted(timeline, keep_visits_days):
        st.caption(f":material/auto_delete: {text}")


def show_no_figures(state: State, suppress_below: int) -> None:
    """A period has no figures, for the reason `state`."""
    if state is State.UNOBSERVED:
        _show(
            ":material/visibility_off:",
            "Not observed",
            "These cameras delivered no pictures in this period, or hardly any: the number of visitors is "
            "unknown.",
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
            f"Figures count visits in groups of at least {suppress_below}, so that they do not describe "
            f"single visitors: a day appears from {suppress_below} visits on, and the newest minutes and "
            "hours as soon as their group is complete. A selection is hidden as well if it would reveal "
            "the few visits of another camera.",
            f"Choose more cameras, or days with at least {suppress_below} visits each.",
        )


def show_not_live(condition: Condition, reason: str) -> None:
    """A camera that is not captured now has no live picture."""
    titles = {
        Condition.PAUSED: (":material/pause_circle:", "Paused"),
        Condition.ENDED: (":material/check_circle:", "This recording has ended"),
        Condition.RETRYING: (":material/videocam_off:", "This camera is down"),
        Condition.NOT_RUNNING: (":material/videocam_off:", "Nothing captures this camera"),
    }
    icon, title = titles.get(condition, (":material/schedule:", condition.value.capitalize()))
    text = f"{formats.escape_markdown(reason)}." if reason else "It is not captured at present."
    _show(icon, title, text.replace("..", "."), "The page Cameras shows the state of each camera.")


def show_no_frame(text: str) -> None:
    """A camera is captured, and no frame of it was analysed yet."""
    _show(":material/hourglass_top:", "No frame yet", text, "This page continues by itself.")


def show_nobody_analyses() -> None:
    """No process analyses frames."""
    _show(
        ":material/power_off:",
        "No process analyses frames",
        "Live pictures come from `mien run`, `mien demo` or `mien work`; none of them uses this database.",
        "",
    )


def show_unreachable(problems: Sequence[str]) -> None:
    """Processes that analyse do not answer, or refuse."""
    text = "  \n".join(formats.escape_markdown(problem) for problem in problems)
    _show(":material/link_off:", "No live picture", text, "This page continues by itself.")


def _show(icon: str, title: str, text: str, advice: str) -> None:
    with st.container(border=True, horizontal_alignment="center", gap="small", key="notice"):
        st.space("medium")
        st.header(icon, anchor=False, text_alignment="center")
        st.subheader(title, anchor=False, text_alignment="center")
        st.markdown(text, text_alignment="center")
        if advice:
            st.caption(advice, text_alignment="center")
        st.space("medium")
