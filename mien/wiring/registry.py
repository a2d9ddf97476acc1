"""The database and the camera registry of the settings; no part that reads or analyses pictures is imported.

So commands that only read or change rows start at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from common.source_identity import whole_source
from mien.settings import Settings
from storage.engine import Database, open_database
from storage.registry import CameraRegistry, CameraRow


def open_settings_database(settings: Settings) -> Database:
    """Open the database of the settings, upgraded to the current version where this process may do so."""
    return open_database(settings.database)


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """Open the database of the settings, and close it at the end of the block."""
    engine = open_settings_database(settings)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def open_registry(settings: Settings) -> Iterator[CameraRegistry]:
    """Open the camera registry in the database of the settings, and close it at the end of the block."""
    with opened_database(settings) as engine:
        yield create_registry(settings, engine)


def create_registry(settings: Settings, engine: Database) -> CameraRegistry:
    """Create the camera registry of an open database."""
    return CameraRegistry(engine, settings.source_parameters)


def configured_cameras(settings: Settings) -> list[CameraRow]:
    """List the cameras of the configuration file."""
    return [
        CameraRow(
            each.id,
            whole_source(each.source),
            each.name or each.id,
            each.site,
            each.zone,
            each.fps,
            thorough=each.thorough,
        )
        for each in settings.cameras
    ]


def configured_policies(settings: Settings) -> dict[str, dict[str, Any]]:
    """What the configuration file says about the policies of its cameras, by camera; the rest is kept."""
    return {
        each.id: {
            name: value
            for name, value in {
                "open_hours": each.open_hours,
                "purpose": each.purpose,
                "notice_at": each.notice_at and each.notice_at.isoformat(),
                "masks": each.masks,
                "read_expression": each.expression,
                "read_gender": each.gender,
            }.items()
            if value is not None
        }
        for each in settings.cameras
    }
