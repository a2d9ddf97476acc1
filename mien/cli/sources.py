"""The cameras of a run, from the options of `mien run` and `mien ingest` and from the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mien.settings import Settings
    from mien.wiring.parts import RunOptions
    from storage.registry import CameraRow


def choose_cameras(
    settings: Settings, sources: list[str] | None, fps: float | None, fast: bool, loop: bool
) -> tuple[list[CameraRow], RunOptions]:
    """Choose the cameras to register and the options of the run.

    With `sources` only these are captured, otherwise all registered cameras and those of the configuration.

    Raises:
        SettingsError: `fast` and `loop` contradict each other.
        IngestError: a source can never be opened.
    """
    from mien.errors import SettingsError
    from mien.wiring.parts import RunOptions, configured_cameras

    if fast and loop:
        raise SettingsError("--fast --loop: with --loop a recording never ends; leave one of them out")
    cameras = _name_sources(sources, fps) if sources else configured_cameras(settings)
    only = frozenset(camera.id for camera in cameras) if sources else None
    return cameras, RunOptions(only, fast, loop)


def _name_sources(sources: Iterable[str], fps: float | None) -> list[CameraRow]:
    """Make a camera of each source, with an id that is derived from the source."""
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
