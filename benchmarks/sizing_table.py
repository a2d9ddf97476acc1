"""Sizing tables of docs/operations.md: cores, network, partitions and disk by number of cameras."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.latency import FPS
from benchmarks.markdown import render_table
from benchmarks.scaled_mode import ScaledMode
from benchmarks.sizing import OPEN_HOURS, VISIT_S, VISITS_PER_HOUR, Sizing
from mien.settings import Settings
from storage.retention import Retention

BUSY = 0.7
"""Planned load of a core; the rest is reserve for times with more people."""
FLEETS = (4, 16, 64, 256)

KEPT = {
    "visits": Retention().visits,
    "visit_minutes": Retention().visits,
    "observations": Retention().observations,
    "camera_minutes": Retention().coverage,
}
"""Retention in days, by table."""


_MINUTES = int(Settings.model_fields["topic_minutes"].default) + 1
"""How long Kafka keeps frames: one segment longer than configured."""

_CAMERA = f"""One camera at {FPS:g} frames per second, with cores at {BUSY:.0%} load as a reserve for busy
times. Measured on {{processor}}, with {{cameras}} cameras that always show two people:
"""
_FLEETS = f"""
Several cameras, with the largest pictures of those above. Kafka keeps frames for {_MINUTES} minutes; the
workers read as many megabits as the captures write.
"""
_DAY = f"""
Rows and bytes (with indexes) in PostgreSQL, per camera and day: {VISITS_PER_HOUR} visits of {VISIT_S} seconds
in each of {OPEN_HOURS} hours, with the camera observed day and night.
"""


def render_tables(figures: Mapping[str, Any]) -> str:
    """The tables in Markdown; one line instead if scaled mode was not measured."""
    if "scaled" not in figures:
        return "Not measured yet: run `make bench` with Java and PostgreSQL installed.\n"
    scaled, machine = ScaledMode.from_figures(figures["scaled"]), figures["machine"]
    processor = f"{machine['cpu']}, {machine['cores']} cores"
    return "\n".join(
        [
            _CAMERA.format(processor=processor, cameras=scaled.latency.cameras),
            _render_camera(scaled),
            _FLEETS.lstrip("\n"),
            _render_fleets(scaled),
            _DAY.lstrip("\n"),
            _render_day(scaled.sizing),
        ]
    )


def _render_camera(scaled: ScaledMode) -> str:
    rows = [
        ("cameras per core of `mien work`", math.floor(1 / _cores(scaled, "work"))),
        ("cameras per core of `mien ingest`, video decoded", math.floor(1 / _cores(scaled, "ingest"))),
        ("cameras per core of broker and database", math.floor(1 / _cores(scaled, "broker", "database"))),
        *((f"megabits per second: {name}", f"{_megabits(size):.2f}") for name, size in _pictures(scaled)),
    ]
    return render_table(("", ""), rows)


def _render_fleets(scaled: ScaledMode) -> str:
    head = (
        "cameras",
        "`mien work`, at least as many partitions",
        "cores for `mien ingest`",
        "cores for broker and database",
        "Mbit/s into Kafka",
        "Kafka's disk, GB",
        "rows a day",
        "PostgreSQL's disk at full retention, GB",
    )
    heaviest = max(size for _, size in _pictures(scaled))
    kept = sum(scaled.sizing.size[name] * days for name, days in KEPT.items())
    rows = [
        (
            cameras,
            math.ceil(cameras * _cores(scaled, "work")),
            f"{cameras * _cores(scaled, 'ingest'):.1f}",
            f"{cameras * _cores(scaled, 'broker', 'database'):.1f}",
            f"{cameras * _megabits(heaviest):.0f}",
            f"{cameras * heaviest * FPS * 60 * _MINUTES / 1e9:.1f}",
            f"{cameras * sum(scaled.sizing.rows.values()):,.0f}",
            f"{cameras * kept / 1e9:.1f}",
        )
        for cameras in FLEETS
    ]
    return render_table(head, rows)


def _render_day(sizing: Sizing) -> str:
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
    return render_table(("table", "rows", "MB", "days kept", "MB at full retention"), rows)


def _cores(scaled: ScaledMode, *processes: str) -> float:
    """Cores that these processes need per camera."""
    return FPS * sum(scaled.latency.cpu_ms[name] for name in processes) / 1000 / BUSY


def _megabits(frame_bytes: float) -> float:
    return frame_bytes * 8 * FPS / 1e6


def _pictures(scaled: ScaledMode) -> list[tuple[str, float]]:
    return list(scaled.sizing.frame_bytes.items())
