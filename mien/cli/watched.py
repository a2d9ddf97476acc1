"""What `mien run` and `mien ingest` watch, from their options and the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mien.settings import Settings
    from mien.wiring import Watch
    from storage.registry import CameraRow


def watched(
    settings: Settings, sources: list[str] | None, fps: float | None, fast: bool, loop: bool
) -> tuple[list[CameraRow], Watch]:
    """The cameras to be registered, and what is watched: `sources` alone, or without them all that is known.

    Raises:
        SettingsError: what ends with its recordings is to begin them again.
        IngestError: a source cannot be one.
    """
    from mien import wiring
    from mien.errors import SettingsError

    if fast and loop:
        raise SettingsError("--fast --loop: a recording that begins again never ends; leave one out")
    cameras = _cameras_of(sources, fps) if sources else wiring.configured_cameras(settings)
    only = frozenset(camera.id for camera in cameras) if sources else None
    return cameras, wiring.Watch(only, fast, loop)


def _cameras_of(sources: Iterable[str], fps: float | None) -> list[CameraRow]:
    """A camera for each source, with an id that says which it is."""
    from ingest.cameras import camera_id_of
    from ingest.sources import check_source
    from storage.registry import CameraRow

    rows: dict[str, CameraRow] = {}
    for source in sources:
        check_source(source, os.environ)
        stem = camera_id_of(source)
        names = (stem if n == 1 else f"{stem[:60]}-{n}" for n in range(1, len(rows) + 2))
        name = next(name for name in names if name not in rows)
        absolute = str(Path(source).resolve()) if Path(source).exists() else source
        rows[name] = CameraRow(name, absolute, name, fps=fps)
    return list(rows.values())
