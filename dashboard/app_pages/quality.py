"""The page Quality & privacy: how good the data are, what is hidden, what is stored and until when."""

from __future__ import annotations

from bisect import bisect_right
from functools import partial

import streamlit as st

from common.access import Role
from common.timezones import open_timezone
from dashboard import components, formats, notices, page, quality_tables, queries
from dashboard.page import View
from dashboard.quality_tables import edge_labels
from dashboard.tiles import Tile, show_tiles
from mien.model_cards import read_figures, read_limits, read_model_files
from mien.notice import LANGUAGES, Language, create_notice, file_name, render_notice
from mien.privacy_check import check_privacy, exit_code
from storage import definitions
from storage.figures.groups import State
from storage.figures.trend import Trend
from storage.local_time import date_of
from storage.registry import CameraRegistry
from storage.visit_classes import CONFIDENCE_EDGES, SIZE_EDGES

_UNKNOWN = "unknown"
_READABLE = 24
"""Pixels, as the detector sees them, from which on faces are found and read reliably."""
_LOOKS = "privacy-looks"
"""The key of the session's state with the outcome of the last privacy check."""


def draw_page(view: View) -> None:
    """Draw the page; called again at every refresh."""
    page.show_header(view, "Quality & privacy")
    question = queries.ask(view.settings, view.selection)
    _, trend = queries.read_figures(view.settings, view.actor, question)
    draw_tiles(view, trend)
    draw_classes(view, question)
    draw_cameras(view, question)
    draw_dead_letters(view, question)
    draw_retention(view)
    if view.actor.role is Role.OPERATOR:
        draw_check(view)
    draw_notice(view)
    draw_model_card()


def draw_tiles(view: View, trend: Trend) -> None:
    """Coverage, and the visits that the model could not label or that are too few to show."""
    whole = trend.whole
    unknown = whole.expressions.get(_UNKNOWN)
    hidden = sum(slot.figures.state is State.SUPPRESSED for slot in trend.slots)
    show_tiles(
        [
            Tile(
                "Coverage",
                None if whole.coverage is None else formats.percent(whole.coverage),
                "of the scheduled time",
                definitions.COVERAGE,
            ),
            Tile(
                "No expression",
                formats.percent(unknown.value) if unknown else None,
                "of the visits whose expression was estimated",
                definitions.EXPRESSION_MIX,
            ),
            Tile(
                "No gender",
                formats.percent(whole.gender_unknown.value) if whole.gender_unknown else None,
                "of the visits whose gender was estimated",
                definitions.GENDER_MIX,
            ),
            Tile(
                "Hidden slots",
                f"{hidden} / {len(trend.slots)}",
                "too few visits to show",
                definitions.suppression(view.settings.suppress_below),
            ),
        ]
    )


def draw_cameras(view: View, question: queries.Question) -> None:
    """Each camera: coverage, and what became of its frames."""
    chosen = view.selection.cameras
    found = [
        each
        for each in queries.read_camera_quality(view.settings, view.actor, question)
        if chosen is None or each.camera_id in chosen
    ]
    if not found:
        notices.show_no_figures(State.UNOBSERVED, view.settings.suppress_below)
        return
    names = components.camera_names(view.status.cameras)
    with st.container(border=True):
        components.show_heading("Cameras", "in the selected period", definitions.FRAMES)
        st.html(quality_tables.camera_table(found, names))


def draw_classes(view: View, question: queries.Question) -> None:
    """Visits by face size and by the model's confidence."""
    classes = queries.read_visit_classes(view.settings, view.actor, question)
    left, right = st.columns(2)
    sizes = edge_labels(SIZE_EDGES, " px")
    parts = (
        (left, "Face size", classes.sizes, sizes, count_doubtful(view), definitions.FACE_SIZES),
        (
            right,
            "Confidence",
            classes.confidences,
            edge_labels(CONFIDENCE_EDGES, " %", 100),
            0,
            definitions.CONFIDENCE,
        ),
    )
    for column, title, found, labels, faint, help_text in parts:
        hidden = f", {found.hidden_days} hidden" if found.hidden_days else ""
        about = f"full days (UTC): {found.days} counted{hidden}"
        with column, st.container(border=True, height="stretch"):
            components.show_heading(title, about, help_text)
            if sum(found.counts):
                st.html(quality_tables.class_bars(found.counts, labels, faint))
            else:
                st.caption(
                    f"No full day with at least {view.settings.suppress_below} visits in this period. Choose "
                    "a longer period or more cameras."
                )


def count_doubtful(view: View) -> int:
    """The number of classes of sizes, the smallest first, whose faces may be too small for the detector.

    Pictures have up to 1280 pixels, and are reduced to 640 where a camera is not thorough.
    """
    registered = CameraRegistry(queries.readable_database(view.settings)).cameras()
    thorough = {camera.id for camera in registered if camera.thorough}
    shown = {camera.camera_id for camera in view.status.cameras}
    chosen = shown if view.selection.cameras is None else view.selection.cameras
    reduced = 1 if chosen and chosen <= thorough else 2
    return bisect_right(SIZE_EDGES, reduced * _READABLE)


def draw_dead_letters(view: View, question: queries.Question) -> None:
    """Records that were rejected, by camera and reason."""
    found = queries.read_rejected(view.settings, view.actor, question)
    names = components.camera_names(view.status.cameras)
    with st.container(border=True):
        components.show_heading(
            "Dead letters", "records that can never be processed", definitions.DEAD_LETTERS
        )
        if found:
            st.html(quality_tables.dead_letter_table(found, names))
        else:
            st.caption("None in this period.")


def draw_check(view: View) -> None:
    """The button that runs the privacy check, and the outcome of its last run in this session."""
    with st.container(border=True):
        components.show_heading("Privacy check", "is there a picture anywhere?", definitions.PRIVACY_CHECK)
        if st.button("Check now", icon=":material/policy:", key="privacy-check"):
            view.actor.require_operator("run the privacy check")
            with st.spinner("Looking at tables, topics, logs and temporary files ..."):
                st.session_state[_LOOKS] = list(check_privacy(view.settings))
        looks = st.session_state.get(_LOOKS)
        if looks is None:
            st.caption("`mien privacy check` does the same, and `--all` reads everything.")
            return
        code = exit_code(looks)
        if code == 0:
            st.success("Nothing was found.", icon=":material/check:")
        elif code == 1:
            st.error("Something was found.", icon=":material/error:")
        else:
            st.warning("Nothing was found, but not everything could be looked at.", icon=":material/warning:")
        st.html(quality_tables.look_table(looks))


def draw_notice(view: View) -> None:
    """The notice for the entrance as PDF."""
    settings = view.settings
    with st.container(border=True):
        components.show_heading("Notice for the entrance", "as PDF", definitions.NOTICE)
        if not (settings.operator_name.strip() and settings.contact.strip()):
            st.caption("Set `operator_name` and `contact` in the settings: the notice has to name them.")
            return
        if not view.status.cameras:
            st.caption("There is no camera yet.")
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for language, name in LANGUAGES.items():
                st.download_button(
                    name,
                    partial(_create_pdf, view, language),
                    file_name(language),
                    "application/pdf",
                    icon=":material/download:",
                    key=f"notice-{language}",
                    on_click="ignore",
                )
        if not any(camera.purpose for camera in view.status.cameras):
            st.caption("No camera has a purpose; the page Cameras sets it.")


def _create_pdf(view: View, language: Language) -> bytes:
    today = date_of(view.status.now, open_timezone(view.settings.timezone))
    frames_s = None if queries.uses_kafka(view.settings) else 0.0
    notice = create_notice(view.settings, view.status.cameras, frames_s, today)
    return render_notice(notice, language)[0]


def draw_model_card() -> None:
    """What the model gets right, for whom less, and the checksums of its files."""
    with st.container(border=True):
        components.show_heading(
            "Model", "figures of its card, measured on test pictures", definitions.MODEL_CARD
        )
        st.caption(formats.escape_markdown(read_limits()))
        for table in read_figures():
            with st.expander(table.title):
                st.html(quality_tables.card_table(table))
        with st.expander("Model files"):
            st.html(quality_tables.file_table(read_model_files()))


def draw_retention(view: View) -> None:
    """What is stored, and when the oldest rows are deleted."""
    settings = view.settings
    zone = open_timezone(settings.timezone)
    kept = {
        "visits": settings.keep_visits_days,
        "observations": settings.keep_observations_days,
        "coverage": settings.keep_coverage_days,
        "audit": settings.keep_audit_days,
    }
    oldest = queries.read_oldest_rows(settings, view.actor)
    with st.container(border=True):
        components.show_heading("What is stored", "and until when", definitions.STORED)
        st.html(quality_tables.retention_table(kept, oldest, view.status.now, zone))
        st.caption(
            "No picture, no embedding and nothing that could recognise a person is stored. Visits are times, "
            "box sizes and probabilities."
        )


page.show(draw_page, least_s=page.SLOWLY_S)
