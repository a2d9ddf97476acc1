"""The figures of a trend as a table for export: one row per slot, and all that is needed to read it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bus.messages import MICROSECONDS
from storage import definitions
from storage.figures.groups import LABELS, Figures, expression_state, gender_state, visit_state
from storage.figures.timeline import Timeline, Unit
from storage.figures.trend import DAYS_OF_WEEK, Slot, Trend
from storage.intervals import Interval, finite
from storage.tables import GENDERS

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_DEFINITIONS = {
    "visits": definitions.VISITS,
    "mood": definitions.MOOD_INDEX,
    "dwell_s": definitions.DWELL,
    "engagement": definitions.ENGAGEMENT,
    "expression shares": definitions.EXPRESSION_MIX,
    "gender shares": definitions.GENDER_MIX,
    "coverage": definitions.COVERAGE,
    "days_hidden": definitions.DAYS_HIDDEN,
}


@dataclass(frozen=True, slots=True)
class Export:
    """A table with its description; `rows` have all the same keys."""

    description: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]


def export_of(
    timeline: Timeline, trend: Trend, filters: Mapping[str, str], suppress_below: int, simulated: bool
) -> Export:
    """The figures of a trend, exactly those that are drawn; `filters` are what was selected, by name."""
    description = {
        "source": "Mien",
        "data": "simulated data" if simulated else "visits of cameras",
        "time zone": timeline.zone.key,
        "slots": timeline.unit.value,
        "read at": _time(timeline.now, timeline),
        **filters,
        "suppression": definitions.suppression(suppress_below),
        **{f"definition of {name}": text for name, text in _DEFINITIONS.items()},
    }
    return Export(description, [_row(slot, timeline) for slot in trend.slots])


def to_csv(export: Export) -> bytes:
    """The table as CSV in UTF-8; its description comes first, in lines that begin with #.

    A text that a spreadsheet would take for a formula is preceded by an apostrophe.
    """
    text = io.StringIO()
    for name, value in export.description.items():
        text.write(f"# {name}: {' '.join(value.split())}\n")
    writer = csv.DictWriter(text, list(export.rows[0]) if export.rows else [], lineterminator="\n")
    writer.writeheader()
    for row in export.rows:
        writer.writerow({name: harmless(value) for name, value in row.items()})
    return text.getvalue().encode()


def to_parquet(export: Export) -> bytes:
    """The table as Parquet; its description is in the metadata of the schema, as JSON under `mien`."""
    table = pa.Table.from_pylist([dict(row) for row in export.rows])
    metadata = {b"mien": json.dumps(dict(export.description)).encode()}
    target = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), target)
    return target.getvalue()


def harmless(value: Any) -> Any:
    """A value of a CSV file that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _row(slot: Slot, timeline: Timeline) -> dict[str, Any]:
    figures = slot.figures
    row: dict[str, Any] = {
        "start": _time(slot.start, timeline),
        "end": _time(slot.end, timeline),
        "running": slot.running,
        "days": (slot.days or DAYS_OF_WEEK) if timeline.unit is Unit.WEEK else None,
        "days_hidden": slot.hidden_days if timeline.unit is Unit.WEEK else None,
        "figures": visit_state(figures),
        "expressions": expression_state(figures),
        "genders": gender_state(figures),
        "coverage": figures.coverage,
        "visits": figures.visits,
    }
    for name, interval in _intervals(figures).items():
        row[name] = interval.value if interval else None
        row[f"{name}_low"] = finite(interval.low) if interval else None
        row[f"{name}_high"] = finite(interval.high) if interval else None
        row[f"{name}_n"] = interval.n if interval else None
    row["simulated"] = figures.simulated
    return row


def _intervals(figures: Figures) -> dict[str, Interval | None]:
    return {
        "mood": figures.mood,
        "dwell_s": figures.dwell,
        "dwell_median_s": figures.dwell_median,
        "engagement": figures.engagement,
        **{f"expression_{label}": figures.expressions.get(label) for label in LABELS},
        **{f"gender_{gender}": figures.genders.get(gender) for gender in GENDERS},
        "gender_unknown": figures.gender_unknown,
    }


def _time(time_us: int, timeline: Timeline) -> str:
    """A local time with its offset from UTC, ISO 8601."""
    moment = datetime.fromtimestamp(time_us / MICROSECONDS, UTC).astimezone(timeline.zone)
    return moment.isoformat(timespec="seconds")
