"""The charts of the page Trends; pure functions without queries and without Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd  # type: ignore[import-untyped]

from dashboard import chart_layers as layers
from dashboard import chart_tables as tables
from dashboard import formats, theme
from dashboard.chart_layers import Band
from dashboard.charts import Chart
from dashboard.scales import Scale
from storage.figures.cross import GenderMix
from storage.figures.groups import Figures, State, state_text, visit_state
from storage.figures.trend import Slot
from storage.figures.weekdays import WeekHour
from storage.intervals import Interval, finite

_PLOT, _STRIP = Band(6, 136), Band(146, 152)
_SMALL, _SMALL_STRIP = Band(6, 86), Band(92, 96)
_VALUES, _WEEK, _CROSS = (alt.NamedData(name) for name in ("values", "week", "cross"))
_NAMED_SHARE = 0.08
"""The share from which on a segment of a bar is wide enough for its percentage."""
_TEXT_WIDTH = 28
"""Pixels of a percentage."""
_TEXT_COLOUR = "luminance(scale('color', datum.label)) > 0.18 ? 'black' : 'white'"
"""The colour of a text in a segment (a Vega expression): that of the larger contrast, at least 4.5:1."""
_SERIES = "series"
"""Stands for the series in the specification that charts of all series share."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
GetInterval = Callable[[Figures], Interval | None]


def visits_over_time(slots: Sequence[Slot], zone: ZoneInfo, scale: Scale) -> Chart:
    """The number of visits of each slot as bars, and the coverage.

    The running slot is faint, and a week of which days are missing.
    """
    drawn = {"slots": tables.slot_table(slots, zone, scale, (), lambda _: {})}
    return Chart(_visits_specification(scale.axis), drawn)


def values_over_time(
    slots: Sequence[Slot],
    zone: ZoneInfo,
    scale: Scale,
    get: GetInterval,
    *,
    estimate: tables.Estimate = visit_state,
    series: str = theme.ACCENT,
    top: float | None = None,
    unit: str = "",
    signed: bool = False,
    small: bool = False,
) -> Chart:
    """A figure of each slot as a line with its interval, dashed in the running slot, and the coverage.

    `estimate` says why a slot has no value. `top` is the end of the vertical axis, None for that of the
    values; `unit` is %, s or empty. Values that are `signed` have a plus on the axis.
    """
    drawn = {
        "slots": tables.slot_table(slots, zone, scale, (), lambda _: {}, estimate),
        "values": _value_table(slots, zone, scale, get, top, unit),
    }
    return Chart(_values_specification(scale.axis, series, unit, signed, small), drawn)


def highest(slots: Sequence[Slot], labels: Sequence[str]) -> float:
    """The end of the vertical axis of all expression shares; wide intervals are cut off."""
    shares = (slot.figures.expressions.get(label) for slot in slots for label in labels)
    return max((min(share.high, 1.3 * share.value + 0.05) for share in shares if share), default=1.0)


def week_heat_map(week: Sequence[WeekHour]) -> Chart:
    """Visits per camera and observed hour, weekday by hour."""
    rows = [
        {
            "day": DAYS[each.hour // 24],
            "hour": each.hour % 24,
            "rate": each.rate,
            "state": state_text(each.state, each.coverage),
            "text": "·" if each.state is State.SUPPRESSED else "",
            "strip": theme.BLANK if each.state in {State.UNOBSERVED, State.SUPPRESSED} else theme.ACCENT,
            "visits": formats.NO_VALUE if each.visits is None else formats.count(each.visits),
            "coverage": formats.NO_VALUE if each.coverage is None else formats.percent(each.coverage),
            "when": f"{DAYS[each.hour // 24]} {each.hour % 24:02d}:00 to {each.hour % 24 + 1:02d}:00",
            "opacity": 0.0 if each.rate is None else each.rate,
        }
        for each in week
    ]
    most = max((row["opacity"] for row in rows), default=0.0) or 1.0  # type: ignore[type-var]
    for row in rows:
        row["opacity"] = (
            theme.FAINT if row["rate"] is None else 0.06 + 0.94 * float(row["opacity"]) / float(most)  # type: ignore[arg-type]
        )
    return Chart(_week_specification(), {"week": pd.DataFrame(rows)})


def expressions_by_gender(mixes: Sequence[GenderMix]) -> Chart:
    """The expression mix of each perceived gender as one stacked bar, with its number of visits."""
    rows: list[dict[str, Any]] = []
    for mix in mixes:
        low, group = 0.0, group_name(mix)
        for label in theme.EXPRESSIONS:
            share = mix.expressions.get(label)
            high = low + (share.value if share else 0.0)
            rows.append(
                {
                    "group": group,
                    "label": label,
                    "low": low,
                    "high": high,
                    "share": formats.percent(share.value) if share else formats.NO_VALUE,
                    "range": formats.percent_range(share) if share else mix.state.value,
                    "middle": (low + high) / 2,
                    "text": formats.percent(share.value) if share and share.value >= _NAMED_SHARE else "",
                }
            )
            low = high
    return Chart(_cross_specification(), {"cross": pd.DataFrame(rows)})


def group_name(mix: GenderMix) -> str:
    """The perceived gender of a mix in words, with its number of visits."""
    name = {"female": "women", "male": "men"}.get(mix.gender, "not labelled")
    return f"{name} ({formats.NO_VALUE if mix.visits is None else formats.count(mix.visits)})"


def _value_table(
    slots: Sequence[Slot], zone: ZoneInfo, scale: Scale, get: GetInterval, top: float | None, unit: str
) -> Any:
    """One row per slot with a value, in the middle of the slot; hidden ones interrupt the line."""
    rows = []
    times = tables.slot_table(slots, zone, scale, (), lambda _: {})
    factor = 100 if unit == "%" else 1
    for number, slot in enumerate(slots):
        found = get(slot.figures)
        start, end = int(times["start"][number]), int(times["end"][number])
        row: dict[str, Any] = {"at": (start + end) // 2, "when": times["when"][number], "part": "over"}
        row |= {"value": None, "low": None, "high": None, "n": None, "top": top and top * factor}
        if found:
            row |= {"value": factor * found.value, "n": found.n}
            row |= {"low": finite(factor * found.low), "high": finite(factor * found.high)}
        rows.append(row)
        if slot.running:
            row["part"] = "running"
            if number:
                # The dashed line starts at the last value that is over.
                rows.append(rows[number - 1] | {"part": "running"})
    return pd.DataFrame(rows, columns=["at", "when", "part", "value", "low", "high", "n", "top"]).sort_values(
        ["part", "at"], ignore_index=True
    )


@cache
def _visits_specification(scale: Scale) -> dict[str, Any]:
    base = layers.slot_base(scale)
    return layers.specification(
        _STRIP.bottom + layers.AXIS_HEIGHT,
        *layers.missing_figures(base, _PLOT),
        layers.visit_bars(base, _PLOT),
        *layers.coverage_strip(base, _STRIP),
        layers.tooltips(base, Band(_PLOT.top, _STRIP.bottom), ()),
    )


@cache
def _values_specification(scale: Scale, series: str, unit: str, signed: bool, small: bool) -> dict[str, Any]:
    found: dict[str, Any] = layers.with_colour(
        _line_specification(scale, unit, signed, small), _SERIES, series
    )
    return found


@cache
def _line_specification(scale: Scale, unit: str, signed: bool, small: bool) -> dict[str, Any]:
    """The specification of a chart of values whose colour is that of `_SERIES`."""
    plot, strip = (_SMALL, _SMALL_STRIP) if small else (_PLOT, _STRIP)
    base = layers.slot_base(scale)
    sign = "(datum.value > 0 ? '+' : '') + " if signed else ""
    label = f"{sign}datum.label + '{unit and ' ' + unit}'"
    y: dict[str, Any] = {
        "title": None,
        "scale": alt.Scale(range=[plot.bottom, plot.top], zero=True, nice=True),
        "axis": layers.vertical_axis(tickCount=3, grid=True, gridOpacity=0.6, labelExpr=label),
    }
    values = alt.Chart(_VALUES).encode(x=layers.time_axis("at", scale))
    line = {"color": layers.colour(_SERIES), "y": alt.Y("value:Q", **y)}
    over = values.transform_filter("datum.part == 'over'")
    running = values.transform_filter("datum.part == 'running'")
    tooltip = [
        alt.Tooltip("when:N"),
        alt.Tooltip("value:Q", title="value", format=",.1f"),
        alt.Tooltip("low:Q", title="95 % interval from", format=",.1f"),
        alt.Tooltip("high:Q", title="to", format=",.1f"),
        alt.Tooltip("n:Q", title="of visits", format=","),
    ]
    drawn = alt.layer(
        values.mark_point(opacity=0, size=1).encode(y=alt.Y("top:Q", **y)),
        over.mark_area(opacity=0.2, clip=True).encode(
            y=alt.Y("low:Q", **y), y2="high:Q", color=layers.colour(_SERIES)
        ),
        over.mark_line(strokeWidth=2, clip=True).encode(**line),
        running.mark_line(strokeWidth=2, strokeDash=[3, 3], clip=True).encode(**line),
        values.mark_point(filled=True, size=14 if small else 24, opacity=1, clip=True).encode(
            **line, tooltip=tooltip
        ),
    )
    return layers.specification(
        strip.bottom + layers.AXIS_HEIGHT,
        *layers.missing_figures(base, plot),
        drawn,
        *(layers.coverage_strip(base, strip)[: 1 if small else 2]),
        right=8 if small else layers.RIGHT_PADDING,
    )


@cache
def _week_specification() -> dict[str, Any]:
    base = alt.Chart(_WEEK).encode(
        x=alt.X(
            "hour:O",
            title=None,
            axis=alt.Axis(
                labelAngle=0,
                ticks=False,
                domain=False,
                labelColor=layers.LABEL_COLOUR,
                labelOverlap=True,
            ),
            scale=alt.Scale(paddingInner=0.08),
        ),
        y=alt.Y(
            "day:N",
            sort=list(DAYS),
            title=None,
            axis=alt.Axis(
                ticks=False, domain=False, labelColor=layers.LABEL_COLOUR, minExtent=40, maxExtent=40
            ),
            scale=alt.Scale(paddingInner=0.08),
        ),
        tooltip=[
            alt.Tooltip("when:N"),
            alt.Tooltip("rate:Q", title="visits per camera and hour", format=",.1f"),
            alt.Tooltip("visits:N"),
            alt.Tooltip("coverage:N"),
            alt.Tooltip("state:N", title="figures"),
        ],
    )
    cells = base.mark_rect(cornerRadius=2).encode(
        color=alt.Color("strip:N", scale=layers.COLOUR), opacity=alt.Opacity("opacity:Q", scale=None)
    )
    marks = base.mark_text(fontSize=16).encode(text="text:N", color=layers.colour(theme.QUIET))
    return layers.specification(220, cells, marks, scales="shared", right=8)


@cache
def _cross_specification() -> dict[str, Any]:
    base = alt.Chart(_CROSS).encode(
        y=alt.Y(
            "group:N",
            sort=None,
            title=None,
            axis=alt.Axis(
                ticks=False,
                domain=False,
                labelColor=layers.LABEL_COLOUR,
                minExtent=110,
                maxExtent=110,
                labelLimit=110,
            ),
        ),
        tooltip=[
            alt.Tooltip("group:N", title="perceived gender"),
            alt.Tooltip("label:N", title="expression"),
            "share:N",
            alt.Tooltip("range:N", title="95 % interval"),
        ],
    )
    axis = alt.Axis(format="%", values=[0, 0.5, 1], grid=False, domain=False, labelColor=layers.LABEL_COLOUR)
    x: dict[str, Any] = {"title": None, "scale": alt.Scale(domain=[0, 1]), "axis": axis}
    bars = base.mark_bar(height=22).encode(
        x=alt.X("low:Q", **x), x2="high:Q", color=alt.Color("label:N", scale=layers.COLOUR)
    )
    # A text that does not fit into its segment, as on a telephone, is left out.
    texts = base.mark_text(
        fontSize=11,
        color=alt.ExprRef(_TEXT_COLOUR),
        opacity=alt.ExprRef(f"(datum.high - datum.low) * width < {_TEXT_WIDTH} ? 0 : 1"),
    ).encode(x=alt.X("middle:Q", **x), text="text:N")
    return layers.specification(150, bars, texts, scales="shared")
