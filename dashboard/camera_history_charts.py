"""Charts of a camera's history: uptime, rate and delay by slot. Pure functions without Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd  # type: ignore[import-untyped]

from dashboard import chart_layers as layers
from dashboard import theme
from dashboard.charts import Chart
from dashboard.scales import Scale
from storage.camera_history import HistorySlot
from storage.local_time import to_local_time

_HEIGHT = 96
_SLOTS = alt.NamedData("history")
_SPECIAL = {"%": 100.0}

GetValue = Callable[[HistorySlot], float | None]


def bars_over_time(
    slots: Sequence[HistorySlot], zone: ZoneInfo, scale: Scale, unit: str, get: GetValue
) -> Chart:
    """One bar for each slot that has a value, in `unit`; "%" shows shares. Slots without one are grey."""
    shift = to_local_time(slots[0].start, zone) - slots[0].start
    rows = []
    for slot in slots:
        value = get(slot)
        rows.append(
            {
                "start": (slot.start + shift) // 1000,
                "end": (slot.end + shift) // 1000,
                "when": pd.Timestamp(to_local_time(slot.start, zone) * 1000).strftime(scale.slot_format),
                "value": None if value is None else value * _SPECIAL.get(unit, 1.0),
                "series": theme.BLANK if value is None else theme.ACCENT,
                "blank": theme.FAINT if value is None else 0.0,
            }
        )
    table = pd.DataFrame(rows, columns=["start", "end", "when", "value", "series", "blank"])
    return Chart(_specification(scale, unit), {"history": table})


@cache
def _specification(scale: Scale, unit: str) -> dict[str, Any]:
    limits = {"domain": [0, 100]} if unit == "%" else {"zero": True, "nice": True}
    base = alt.Chart(_SLOTS).encode(x=layers.time_axis("start", scale), x2="end:T")
    # Slots without a value are on the time axis, too.
    blanks = base.mark_rect(x2Offset=-1).encode(
        y=alt.value(6),
        y2=alt.value(_HEIGHT),
        color=alt.Color("series:N", scale=layers.COLOUR),
        opacity=alt.Opacity("blank:Q", scale=None),
        tooltip=[alt.Tooltip("when:N")],
    )
    bars = base.mark_rect(x2Offset=-1).encode(
        y=alt.Y(
            "value:Q",
            title=None,
            scale=alt.Scale(range=[_HEIGHT, 6], **limits),
            axis=layers.vertical_axis(
                tickCount=2, grid=True, gridOpacity=0.6, labelExpr=f"datum.label + ' {unit}'"
            ),
        ),
        y2=alt.datum(0),
        color=layers.colour(theme.ACCENT),
        tooltip=[alt.Tooltip("when:N"), alt.Tooltip("value:Q", title=unit, format=",.1f")],
    )
    return layers.specification(_HEIGHT + layers.AXIS_HEIGHT, blanks, bars)
