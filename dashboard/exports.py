"""Downloads of exactly the figures over time that a page draws."""

from __future__ import annotations

import streamlit as st

from dashboard import drawings
from dashboard.page import View
from dashboard.selection import DATES, Selection
from storage.figures.deleted import describe_deleted
from storage.figures.table import export_of, to_csv, to_parquet
from storage.figures.timeline import Timeline
from storage.figures.trend import Trend


def show_downloads(view: View, timeline: Timeline, trend: Trend) -> None:
    """Buttons for CSV and Parquet; the files have definitions, filters, n, coverage and time zone inside."""
    chosen, k, simulated = filters(view.selection), view.settings.suppress_below, view.status.simulated
    if deleted := describe_deleted(timeline, view.settings.keep_visits_days):
        chosen["deleted"] = deleted

    def write() -> dict[str, bytes]:
        export = export_of(timeline, trend, chosen, k, simulated)
        return {"csv": to_csv(export), "parquet": to_parquet(export)}

    files = drawings.keep_files(trend, write, f"{chosen} {k} {simulated}")
    name = f"mien-{view.selection.period.replace(' ', '-').lower()}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "CSV", files["csv"], f"{name}.csv", "text/csv", icon=":material/download:", on_click="ignore"
        )
        st.download_button(
            "Parquet",
            files["parquet"],
            f"{name}.parquet",
            "application/vnd.apache.parquet",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(
            "Every figure over time, with definitions, filters, n, coverage and time zone inside. The hours "
            "of the week and the expressions by perceived gender are not in it; their tables are above."
        )


def filters(selection: Selection) -> dict[str, str]:
    """What is selected, in words."""
    period = f"{selection.first} to {selection.last}" if selection.period == DATES else selection.period
    cameras = "all" if selection.cameras is None else ", ".join(sorted(selection.cameras))
    return {"period": period, "cameras": cameras}
