"""The bar on top of every page: period, site, cameras and comparison, bound to the page's address.

It is drawn by `dashboard.app` around every page, since only such widgets keep their values from page to page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

from dashboard import components, queries
from dashboard.selection import BEFORE, COMPARISONS, DATES, PERIODS, Selection, cameras_of
from storage.camera_status import CameraStatus

_DEFAULT_PERIOD = "24 h"
Offer = tuple[bool, tuple[tuple[str, str, str], ...]] | None
_ALL_SITES = "All sites"


_SELECTED = "selected"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is selected, and what the bar offered when it was drawn, to notice that this has changed."""

    selection: Selection
    offer: Offer


def offer_of(status: queries.Status | None) -> Offer:
    """What the bar offers in a state of the database: cameras, and whether data are simulated."""
    if status is None:
        return None
    return status.simulated, tuple((each.camera_id, each.name, each.site) for each in status.cameras)


def selected() -> Drawn:
    """The bar as it was drawn last in this session."""
    drawn: Drawn = st.session_state[_SELECTED]
    return drawn


def draw(status: queries.Status | None) -> None:
    """Draw the bar; without a `status` of the database, no cameras can be selected."""
    st.session_state[_SELECTED] = Drawn(_draw(status), offer_of(status))


def _draw(status: queries.Status | None) -> Selection:
    cameras = status.cameras if status else ()
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="bar"):
        period = st.selectbox(
            "Period",
            PERIODS,
            index=PERIODS.index(_DEFAULT_PERIOD),
            key="period",
            bind="query-params",
            width=120,
            label_visibility="collapsed",
        )
        first, last = _draw_dates() if period == DATES else (None, None)
        chosen = _draw_cameras(cameras)
        versus = st.selectbox(
            "Compare with",
            COMPARISONS,
            key="versus",
            bind="query-params",
            width=205,
            label_visibility="collapsed",
        )
    if status and status.simulated:
        st.markdown(
            ":material/science: **Simulated data.** :gray[Visits in this database are simulated; they say "
            "nothing about people.]"
        )
    return Selection(period or _DEFAULT_PERIOD, first, last, chosen, versus or BEFORE)


def _draw_dates() -> tuple[date | None, date | None]:
    """The first and the last day; None where they are not chosen yet."""
    nothing: Any = ()
    dates = st.date_input(
        "First and last day",
        nothing,
        key="dates",
        bind="query-params",
        width=230,
        label_visibility="collapsed",
    )
    if isinstance(dates, date):
        return dates, dates
    picked: Sequence[date] = [each for each in dates or () if each is not None]
    return (picked[0], picked[-1]) if len(picked) > 1 else (picked[0] if picked else None, None)


def _draw_cameras(cameras: Sequence[CameraStatus]) -> frozenset[str] | None:
    sites = sorted({camera.site for camera in cameras if camera.site})
    site = None
    if len(sites) > 1:
        named = st.selectbox(
            "Site",
            (_ALL_SITES, *sites),
            key="site",
            bind="query-params",
            width=170,
            label_visibility="collapsed",
        )
        site = None if named in {None, _ALL_SITES} else named
    picked: Sequence[str] = ()
    if len(cameras) > 1:
        names: Mapping[str, str] = components.camera_names(cameras)
        offered = [camera.camera_id for camera in cameras if site is None or camera.site == site]
        picked = st.multiselect(
            "Cameras",
            offered,
            format_func=names.__getitem__,
            placeholder="All cameras",
            label_visibility="collapsed",
            key="camera",
            bind="query-params",
            width=210,
        )
    return cameras_of(site, picked, {camera.camera_id: camera.site for camera in cameras})
