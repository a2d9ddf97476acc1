"""The cameras of a run, from the options of `mien run` and `mien ingest` and from the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mien.settings import Settings
    from mien.wiring.run_options import RunOptions
    from storage.registry import CameraRegistry, CameraRow


def choose_cameras(
    settings: Settings, sources: list[str] | None, fps: float | None, fast: bool, loop: bool
) -> tuple[list[CameraRow], RunOptions]:
    """Choose the cameras to register and the options of the run.

    With `sources` only these are captured, otherwise all registered cameras and those of the configuration.

    Raises:
        SettingsError: `fast` and `loop` contradict each other.
        IngestError: a source can never be opened.
        StorageError: the registry, which knows the ids of sources, cannot be opened.
    """
    from mien.errors import SettingsError
    from mien.wiring.registry import configured_cameras
    from mien.wiring.run_options import RunOptions

    if fast and loop:
        raise SettingsError("--fast --loop: with --loop a recording never ends; leave one of them out")
    cameras = _name_sources(settings, sources, fps) if sources else configured_cameras(settings)
    only = frozenset(camera.id for camera in cameras) if sources else None
    return cameras, RunOptions(only, fast, loop)


def _name_sources(settings: Settings, sources: Iterable[str], fps: float | None) -> list[CameraRow]:
    """Make a camera of each source, with the id that belongs to the source."""
    from common.source_identity import whole_source
    from ingest.sources import check_source
    from mien.wiring.registry import open_registry
    from mien.wiring.source_rules import create_source_rules

    whole = [whole_source(source) for source in sources]
    rules = create_source_rules(settings)
    for source in whole:
        check_source(source, rules)
    with open_registry(settings) as registry:
        rows: dict[str, CameraRow] = {}
        for source in whole:
            row = _name_source(registry, source, fps, rows)
            rows[row.id] = row
    return list(rows.values())


def _name_source(registry: CameraRegistry, source: str, fps: float | None, used: Iterable[str]) -> CameraRow:
    """The camera of a source: as it is registered, or a new one."""
    from dataclasses import replace

    from ingest.cameras import camera_id_of, camera_name_of
    from storage.registry import CameraRow

    camera_id = registry.assign_id(source, camera_id_of(source), frozenset(used))
    for row in registry.cameras():
        if row.id == camera_id:
            return replace(row, source=source, fps=row.fps if fps is None else fps)
    return CameraRow(camera_id, source, camera_name_of(source), fps=fps)
