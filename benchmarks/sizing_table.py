"""How many cores, megabits, partitions and bytes so many cameras need: the tables of docs/operations.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.latency import FPS
from benchmarks.many import Many
from benchmarks.markdown import table
from benchmarks.sizing import OPEN_HOURS, VISIT_S, VISITS_PER_HOUR, Sizing
from mien.settings import Settings
from storage.retention import Retention

BUSY = 0.7
"""The share of a core that is planned with, so that a moment with more people finds room."""
FLEETS = (4, 16, 64, 256)

KEPT = {
    "visits": Retention().visits,
    "visit_minutes": Retention().visits,
    "observations": Retention().observations,
    "camera_minutes": Retention().coverage,
}
"""Days, by table."""


_MINUTES = int(Settings.model_fields["topic_minutes"].default) + 1
"""For how long frames lie in Kafka: a segment more than asked for."""

_CAMERA = f"""One camera at {FPS:g} frames per second, with cores that are busy for {BUSY:.0%} of the time, to
leave room for busy moments. Measured on {{processor}}, with {{cameras}} cameras that always show two people:
"""
_FLEETS = f"""
Cameras together, by the largest pictures of those above. Frames lie in Kafka for {_MINUTES} minutes; as many
megabits as go in come out to the workers.
"""
_DAY = f"""
Rows and bytes with indexes in PostgreSQL, per camera and day: {VISITS_PER_HOUR} visits of {VISIT_S} seconds
in each of {OPEN_HOURS} hours, watched day and night.
"""


def markdown(figures: Mapping[str, Any]) -> str:
    """The tables; a line instead where many machines' mode was not measured."""
    if "scaled" not in figures:
        return "Not measured yet: `make bench`, with Java and PostgreSQL.\n"
    many, machine = Many.of(figures["scaled"]), figures["machine"]
    processor = f"{machine['cpu']}, {machine['cores']} cores"
    return "\n".join(
        [
            _CAMERA.format(processor=processor, cameras=many.latency.cameras),
            _camera(many),
            _FLEETS.lstrip("\n"),
            _fleets(many),
            _DAY.lstrip("\n"),
            _day(many.sizing),
        ]
    )


def _camera(many: Many) -> str:
    rows = [
        ("cameras per core of `mien work`", math.floor(1 / _cores(many, "work"))),
        ("cameras per core of `mien ingest`, video decoded", math.floor(1 / _cores(many, "ingest"))),
        ("cameras per core of broker and database", math.floor(1 / _cores(many, "broker", "database"))),
        *((f"megabits per second: {name}", f"{_megabits(size):.2f}") for name, size in _pictures(many)),
    ]
    return table(("", ""), rows)


def _fleets(many: Many) -> str:
    head = (
        "cameras",
        "`mien work`, at least as many partitions",
        "cores for `mien ingest`",
        "cores for servers",
        "Mbit/s into Kafka",
        "Kafka's disk, GB",
        "rows a day",
        "PostgreSQL's disk when all is as old as it gets, GB",
    )
    heaviest = max(size for _, size in _pictures(many))
    kept = sum(many.sizing.size[name] * days for name, days in KEPT.items())
    rows = [
        (
            cameras,
            math.ceil(cameras * _cores(many, "work")),
            f"{cameras * _cores(many, 'ingest'):.1f}",
            f"{cameras * _cores(many, 'broker', 'database'):.1f}",
            f"{cameras * _megabits(heaviest):.0f}",
            f"{cameras * heaviest * FPS * 60 * _MINUTES / 1e9:.1f}",
            f"{cameras * sum(many.sizing.rows.values()):,.0f}",
            f"{cameras * kept / 1e9:.1f}",
        )
        for cameras in FLEETS
    ]
    return table(head, rows)


def _day(sizing: Sizing) -> str:
    rows = [
        (
            f"`{name}`",
            f"{sizing.rows[name]:,.0f}",
            f"{sizing.size[name] / 1e6:.2f}",
            days,
            f"{days * sizing.size[name] / 1e6:,.0f}",
        )
        for name, days in KEPT.items()
    ]
    return table(("table", "rows", "MB", "days kept", "MB then"), rows)


def _cores(many: Many, *processes: str) -> float:
    """Cores that one camera takes of these processes."""
    return FPS * sum(many.latency.cpu_ms[name] for name in processes) / 1000 / BUSY


def _megabits(frame_bytes: float) -> float:
    return frame_bytes * 8 * FPS / 1e6


def _pictures(many: Many) -> list[tuple[str, float]]:
    return list(many.sizing.frame_bytes.items())
