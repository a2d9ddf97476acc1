"""Protection as it applies: the stricter one of the settings and of what operators chose in the database."""

from __future__ import annotations

from dataclasses import asdict

from mien.settings import Settings
from storage.engine import Database
from storage.protection import NAMES, Protection, read_protection


def configured_protection(settings: Settings) -> Protection:
    """The protection that the settings name."""
    return Protection(**{name: getattr(settings, name) for name in NAMES})


def apply_protection(settings: Settings, protection: Protection) -> Settings:
    """The same settings with the values of a protection."""
    return settings.model_copy(update=asdict(protection))


def effective_settings(engine: Database, settings: Settings) -> Settings:
    """The settings with the protection that applies now.

    Raises DatabaseError where the database cannot be read.
    """
    return apply_protection(settings, read_protection(engine, configured_protection(settings)))
