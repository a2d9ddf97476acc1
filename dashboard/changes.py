"""The biggest changes in words, each with its interval, n and verdict."""

from __future__ import annotations

import streamlit as st

from dashboard import components, formats, queries
from dashboard.page import View
from dashboard.queries import Question
from dashboard.selection import comparison_text
from dashboard.verdicts import notes, sentence
from storage import definitions
from storage.figures.comparison import Chosen, Verdict
from storage.figures.timeline import shifted

_MOST = 4


def show_changes(view: View, question: Question, days: int) -> None:
    """What changed against the compared period, after correction for the number of comparisons."""
    timeline = question.timeline()
    found = queries.read_comparison(
        view.settings,
        view.actor,
        Chosen(timeline, question.selection.cameras),
        Chosen(shifted(timeline, days), question.selection.cameras),
        matched=False,
    )
    clear = [each for each in found.measures if each.verdict in {Verdict.UP, Verdict.DOWN}]
    clear.sort(key=lambda each: each.p)
    with st.container(border=True):
        components.show_heading(
            "What changed", f"against the same time {comparison_text(days)}", definitions.COMPARISON
        )
        st.markdown("\n".join(f"- {sentence(each)}" for each in clear[:_MOST]))
        if not clear and found.comparable:
            few = all(each.verdict is Verdict.TOO_LITTLE for each in found.measures)
            st.markdown(
                "Not enough data for a verdict: each side needs at least 4 days and 30 visits with a figure."
                if few
                else "No clear change: what differs may be chance."
            )
        for note in notes(found, components.camera_names(view.status.cameras)):
            st.caption(formats.as_plain_text(note))
