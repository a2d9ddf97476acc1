"""The page Quality & privacy: how good the data are, what is hidden, what is stored and until when."""

from __future__ import annotations

import streamlit as st

from common.timezones import open_timezone
from dashboard import components, formats, notices, page, quality_tables, queries
from dashboard.page import View
from dashboard.tiles import Tile, show_tiles
from storage import definitions
from storage.figures.groups import State
from storage.figures.trend import Trend

_UNKNOWN = "unknown"


def draw_page(view: View) -> None:
    """Draw the page; called again at every refresh."""
    page.show_header(view, "Quality & privacy")
    question = queries.ask(view.settings, view.selection)
    _, trend = queries.read_figures(view.settings, view.actor, question)
    draw_tiles(view, trend)
    draw_cameras(view, question)
    draw_retention(view)


def draw_tiles(view: View, trend: Trend) -> None:
    """Coverage, and the visits that the model could not label or that are too few to show."""
    whole = trend.whole
    unknown = whole.expressions.get(_UNKNOWN)
    hidden = sum(slot.figures.state is State.SUPPRESSED for slot in trend.slots)
    show_tiles(
        [
            Tile(
                "Coverage",
                None if whole.coverage is None else formats.rounded_percent(whole.coverage),
                "of the scheduled time",
                definitions.COVERAGE,
            ),
            Tile(
                "Expression unknown",
                formats.percent(unknown.value) if unknown else None,
                "of visits",
                definitions.EXPRESSION_MIX,
            ),
            Tile(
                "Gender not labelled",
                formats.percent(whole.gender_unknown.value) if whole.gender_unknown else None,
                "of visits",
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


def draw_retention(view: View) -> None:
    """What is stored, and when the oldest rows are deleted."""
    settings = view.settings
    zone = open_timezone(settings.timezone)
    kept = {
        "visits": settings.keep_visits_days,
        "observations": settings.keep_observations_days,
        "coverage": settings.keep_coverage_days,
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
