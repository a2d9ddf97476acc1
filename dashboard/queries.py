"""The queries of the pages, cached: one per refresh interval, shared by all viewers of the same figures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import streamlit as st

from common.clock import wall_clock_us
from dashboard.spans import SPANS
from mien.settings import Settings
from storage import trends
from storage.engine import Database, open_database


@dataclass(frozen=True, slots=True)
class Status:
    """The state at `now`: the newest stored result (None where there is none yet) and the cameras."""

    now: int
    newest_result: int | None
    cameras: tuple[trends.CameraStatus, ...]


def read_status(settings: Settings) -> Status:
    """The current state, read again every `refresh_seconds`.

    Raises StorageError while the database is missing or unavailable.
    """
    return _status(settings.database, _interval_number(settings.refresh_seconds))


def read_trend(settings: Settings, span_name: str, cameras: frozenset[str] | None) -> trends.Trend:
    """The figures of one of `SPANS` for some cameras, None for all.

    Raises StorageError while the database is missing or unavailable.
    """
    interval = _interval_number(SPANS[span_name].refresh_seconds(settings.refresh_seconds))
    choice = trends.Choice(settings.suppress_below, cameras)
    return _trend(settings.database, span_name, settings.timezone, choice, interval)


def _interval_number(seconds: float) -> int:
    """The number of the current interval of `seconds`: as a part of a cache key, it expires the entry."""
    return int(time.time() // seconds)


@st.cache_resource(show_spinner=False, on_release=Database.dispose)
def _engine(database: str) -> Database:
    return open_database(database, read_only=True)


@st.cache_resource(show_spinner=False, max_entries=1)
def _status(database: str, interval: int) -> Status:
    engine, now = _engine(database), wall_clock_us()
    return Status(now, trends.read_newest_result(engine), tuple(trends.read_camera_status(engine, now)))


@st.cache_resource(show_spinner=False, max_entries=64)
def _trend(
    database: str, span_name: str, timezone: str, choice: trends.Choice, interval: int
) -> trends.Trend:
    period = SPANS[span_name].until(wall_clock_us(), ZoneInfo(timezone))
    return trends.read_trend(_engine(database), period, choice)
