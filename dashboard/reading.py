"""What the pages read: one query an interval, shared by everybody who looks at the same thing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import streamlit as st

from dashboard.periods import SPANS
from mien.settings import Settings
from storage import trends
from storage.engine import open_database
from storage.errors import StorageError


class DatabaseAwayError(Exception):
    """The database is not there yet, or not for now. The message is one line without secrets."""


@dataclass(frozen=True, slots=True)
class Status:
    """How things are at `now`: the newest stored result (None: there never was one) and the cameras."""

    now: int
    newest_result: int | None
    cameras: tuple[trends.CameraStatus, ...]


def status(settings: Settings) -> Status:
    """How things are, read anew every `refresh_seconds`.

    Raises DatabaseAwayError.
    """
    try:
        return _status(settings.database, _tick(settings.refresh_seconds))
    except (StorageError, sa.exc.DBAPIError) as error:
        raise DatabaseAwayError(_in_a_line(error)) from error


def trend(settings: Settings, span_name: str, cameras: frozenset[str] | None) -> trends.Trend:
    """The figures of one of `SPANS` for some cameras, None for all.

    Raises DatabaseAwayError.
    """
    tick = _tick(SPANS[span_name].refresh(settings.refresh_seconds))
    choice = trends.Choice(settings.suppress_below, cameras)
    try:
        return _trend(settings.database, span_name, settings.timezone, choice, tick)
    except (StorageError, sa.exc.DBAPIError) as error:
        raise DatabaseAwayError(_in_a_line(error)) from error


def _tick(seconds: float) -> int:
    """A number that changes every so often: what is cached under it is read again when it does."""
    return int(time.time() // seconds)


@st.cache_resource(show_spinner=False)
def _engine(database: str) -> sa.Engine:
    return open_database(database, read_only=True)


@st.cache_resource(show_spinner=False, max_entries=1)
def _status(database: str, tick: int) -> Status:
    engine, now = _engine(database), _now_us()
    return Status(now, trends.newest_result(engine), tuple(trends.cameras(engine, now)))


@st.cache_resource(show_spinner=False, max_entries=64)
def _trend(database: str, span_name: str, timezone: str, choice: trends.Choice, tick: int) -> trends.Trend:
    period = SPANS[span_name].until(_now_us(), ZoneInfo(timezone))
    return trends.trend(_engine(database), period, choice)


def _now_us() -> int:
    return time.time_ns() // 1000


def _in_a_line(error: StorageError | sa.exc.DBAPIError) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
