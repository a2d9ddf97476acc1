"""Charts and files of figures that all viewers share: each is made once for the same figures.

The figures of a page are read once for all viewers (`dashboard.queries`), and drawn again at each of their
refreshes. What is made of them is kept as long, since making it takes longer than reading it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import pyarrow as pa
import streamlit as st

from dashboard.charts import Chart

_MOST_CHARTS, _MOST_FILES = 400, 50


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was made, and of which figures: while it refers to them, no other object has their identity."""

    figures: object
    made: Any


def show_chart(figures: object, build: Callable[[], Chart], alt: str, about: str = "") -> None:
    """The chart that `build` makes of figures that were read; `alt` describes it to who cannot see it.

    `build` is a function or lambda of its own for each place. `about` is what else the chart depends on.
    `figures` must be the object that a function of `dashboard.queries` returned, since the same chart is
    shown as long as it returns this one.
    """
    kept = _draw(id(figures), _place_of(build), alt, about, _figures=figures, _build=build)
    st.vega_lite_chart(dict(kept.made), alt=alt, width="stretch")


def keep_files(
    figures: object, build: Callable[[], Mapping[str, bytes]], about: str = ""
) -> Mapping[str, bytes]:
    """The files that `build` makes of figures, as `show_chart` keeps charts."""
    files: Mapping[str, bytes] = _write(id(figures), about, _figures=figures, _build=build).made
    return files


@st.cache_resource(show_spinner=False, max_entries=_MOST_CHARTS)
def _draw(
    identity: int, place: str, alt: str, about: str, _figures: object, _build: Callable[[], Chart]
) -> _Kept:
    chart = _build().vega_lite()
    tables = {name: _encode(table) for name, table in chart["datasets"].items()}
    return _Kept(_figures, {**chart, "datasets": tables})


@st.cache_resource(show_spinner=False, max_entries=_MOST_FILES)
def _write(identity: int, about: str, _figures: object, _build: Callable[[], Mapping[str, bytes]]) -> _Kept:
    return _Kept(_figures, _build())


def _place_of(build: Callable[[], Chart]) -> str:
    """Where a function is written, so that charts of the same name on two pages are kept apart."""
    assert isinstance(build, FunctionType)
    return f"{build.__code__.co_filename}:{build.__code__.co_firstlineno}"


def _encode(table: Any) -> bytes:
    """A table or a list of rows as an Arrow stream, which Streamlit sends as it is."""
    rows = isinstance(table, list)
    arrow = pa.Table.from_pylist(table) if rows else pa.Table.from_pandas(table, preserve_index=False)
    target = pa.BufferOutputStream()
    with pa.ipc.new_stream(target, arrow.schema) as stream:
        stream.write_table(arrow)
    encoded: bytes = target.getvalue().to_pybytes()
    return encoded
