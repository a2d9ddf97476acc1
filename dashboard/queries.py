"""The queries of the pages, cached: one per refresh interval, shared by all viewers of the same figures.

Each function gets the actor and answers about the cameras that the actor may read, those of the actor's
sites. A cached answer depends on these cameras and on nothing else of the actor, or is reduced to them after
it was read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import streamlit as st

from common.access import AccessDenied, Actor
from common.clock import wall_clock_us
from common.timezones import open_timezone
from dashboard.selection import Selection
from mien.settings import Settings
from storage.alert_outbox import Delivery, read_deliveries, read_sender
from storage.alert_rules import AlertRule, read_rules
from storage.alert_states import count_firing
from storage.audit import AuditEntry, read_audit, read_choices
from storage.camera_status import CameraStatus, read_camera_status
from storage.content_scan import uses_broker
from storage.dead_letters import DeadLetters, read_dead_letters
from storage.engine import Database, open_database
from storage.events import Event, read_events
from storage.figures.change import Change, read_change
from storage.figures.classes import VisitClasses, read_classes
from storage.figures.comparison import Chosen, Comparison, compare
from storage.figures.cross import GenderMix, read_cross
from storage.figures.quality import CameraQuality, read_oldest, read_quality
from storage.figures.selection import Choice
from storage.figures.simulated import has_simulated_data
from storage.figures.timeline import Timeline, Unit, shifted
from storage.figures.trend import Trend, read_trend
from storage.figures.weekdays import WeekHour, read_week
from storage.newest_result import read_newest_result
from storage.processes import Process, read_processes
from storage.protection import read_choices as read_protection_choices
from storage.task_leases import TaskHolder

_REFRESH_S = {Unit.MINUTE: 0.0, Unit.FIVE_MINUTES: 1.0, Unit.HOUR: 10.0, Unit.DAY: 30.0, Unit.WEEK: 60.0}
_LONGEST_S = 300.0
"""Seconds after which figures are read again though there is no newer result."""
_SLOW_S = 60.0
"""Seconds between two reads of figures that change slowly: hours of the week, comparisons."""
_PROCESSES_S = 2.0
"""Seconds between two reads of the processes that run."""


class Moment(NamedTuple):
    """The newest result, and the number of the present interval of `_LONGEST_S`."""

    newest_result: int | None
    interval: int


@dataclass(frozen=True, slots=True)
class Status:
    """The state at `now`: the newest stored result (None where there is none yet), cameras and events.

    `simulated` tells whether the database has a simulated history or simulated cameras, `protection` what
    operators chose of k and retention, by name.
    """

    now: int
    newest_result: int | None
    cameras: tuple[CameraStatus, ...]
    events: tuple[Event, ...]
    simulated: bool
    protection: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Alerts:
    """Alert rules, the number of subjects that each reports now, the process that sends, and messages."""

    rules: tuple[AlertRule, ...]
    firing: Mapping[str, int]
    sender: TaskHolder | None
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What figures are asked for: a selection, the unit of its slots (None is the usual one), the rules."""

    selection: Selection
    unit: Unit | None
    suppress_below: int
    timezone: str

    def timeline(self) -> Timeline:
        """The period up to now; raises WrongPeriod as `Selection.timeline` does."""
        return self.selection.timeline(wall_clock_us(), open_timezone(self.timezone), self.unit)

    @property
    def choice(self) -> Choice:
        """The cameras and the rule of suppression."""
        return Choice(self.suppress_below, self.selection.cameras)


def ask(settings: Settings, selection: Selection, unit: Unit | None = None) -> Question:
    """The question for a selection under the settings."""
    return Question(selection, unit, settings.suppress_below, settings.timezone)


def read_status(settings: Settings, actor: Actor) -> Status:
    """The current state of the cameras that the actor may read, read again every `refresh_seconds`.

    Raises StorageError while the database is missing or unavailable.
    """
    interval = _interval_number(settings.refresh_seconds)
    status = _status(settings.database, settings.timezone, interval)
    if actor.reads_all_sites:
        return status
    cameras = tuple(each for each in status.cameras if actor.may_read_site(each.site))
    ids = frozenset(each.camera_id for each in cameras)
    events = tuple(each.within(ids) for each in status.events if each.concerns(ids))
    return replace(
        status, newest_result=_newest_result(settings.database, ids, interval), cameras=cameras, events=events
    )


def restrict(settings: Settings, actor: Actor, cameras: frozenset[str] | None) -> frozenset[str] | None:
    """The cameras of a choice, where None means all; for an analyst of some sites, all of these sites.

    Raises AccessDenied where the actor may not read one of them, whether or not there is such a camera, and
    StorageError as `read_status` does.
    """
    if actor.reads_all_sites:
        return cameras
    readable = frozenset(each.camera_id for each in read_status(settings, actor).cameras)
    if cameras is None:
        return readable
    if not cameras <= readable:
        raise AccessDenied(f"{actor.name} may not read these cameras; choose cameras of your sites")
    return cameras


def refresh_seconds(settings: Settings, question: Question) -> float:
    """Seconds between two reads of the figures of a question.

    Raises WrongPeriod where its period is wrong.
    """
    return max(settings.refresh_seconds, _REFRESH_S[question.timeline().unit])


def read_figures(settings: Settings, actor: Actor, question: Question) -> tuple[Timeline, Trend]:
    """The trend of a question.

    Raises StorageError while the database is missing or unavailable, WrongPeriod where the period is wrong,
    AccessDenied where the actor may not read one of the cameras.
    """
    question = _restricted(settings, actor, question)
    return _trend(settings.database, question, _moment(settings, refresh_seconds(settings, question)))


def read_earlier(settings: Settings, actor: Actor, question: Question, days: int) -> Trend:
    """The trend of the same period some days earlier. Raises as `read_figures` does."""
    question = _restricted(settings, actor, question)
    return _earlier(settings.database, question, days, _moment(settings, _SLOW_S))


def read_visit_change(settings: Settings, actor: Actor, question: Question, days: int) -> Change | None:
    """The change of the visits against the period some days earlier; None where too little of both is known.

    Raises as `read_figures` does.
    """
    question = _restricted(settings, actor, question)
    moment = _moment(settings, refresh_seconds(settings, question))
    return _visit_change(settings.database, question, days, moment)


def read_hours_of_week(settings: Settings, actor: Actor, question: Question) -> list[WeekHour]:
    """Visits by weekday and hour. Raises as `read_figures` does."""
    question = _restricted(settings, actor, question)
    return _week(settings.database, question, _moment(settings, _SLOW_S))


def read_expressions_by_gender(settings: Settings, actor: Actor, question: Question) -> list[GenderMix]:
    """The expression mix of each perceived gender. Raises as `read_figures` does."""
    question = _restricted(settings, actor, question)
    return _cross(settings.database, question, _moment(settings, _SLOW_S))


def read_camera_quality(settings: Settings, actor: Actor, question: Question) -> list[CameraQuality]:
    """Coverage and frames of each chosen camera. Raises as `read_figures` does."""
    question = _restricted(settings, actor, question)
    found = _quality(settings.database, question, _moment(settings, _SLOW_S))
    return [each for each in found if question.choice.has(each.camera_id)]


def read_oldest_rows(settings: Settings, actor: Actor) -> Mapping[str, int | None]:
    """The time of the oldest row of each kind. Raises StorageError while the database is unavailable."""
    cameras = restrict(settings, actor, None)
    return _oldest(settings.database, cameras, _moment(settings, _SLOW_S))


def read_comparison(settings: Settings, actor: Actor, a: Chosen, b: Chosen, matched: bool) -> Comparison:
    """A comparison of two sides.

    Raises StorageError while the database is missing or unavailable, AccessDenied where the actor may not
    read one of the cameras.
    """
    a, b = (replace(each, cameras=restrict(settings, actor, each.cameras)) for each in (a, b))
    sides = (a.timeline.edges[0], a.timeline.edges[-1], b.timeline.edges[0], b.timeline.edges[-1])
    return _comparison(
        settings.database, settings.suppress_below, matched, sides, a.cameras, b.cameras, _sides=(a, b)
    )


def read_audit_choices(settings: Settings, actor: Actor) -> tuple[list[str], list[str]]:
    """The actions and the actors of the audit log.

    Raises AccessDenied for analysts, StorageError while the database is missing or unavailable.
    """
    return read_choices(_engine(settings.database), actor)


def read_audit_entries(
    settings: Settings, actor: Actor, limit: int, actions: Sequence[str], actors: Sequence[str]
) -> list[AuditEntry]:
    """The newest rows of the audit log first, of these actions and actors if any are given.

    Not cached: a row is visible at once. Raises as `read_audit_choices` does.
    """
    return read_audit(_engine(settings.database), actor, limit, actions=actions, actors=actors)


def read_running_processes(settings: Settings) -> list[Process]:
    """The processes that capture or analyse, with the tokens of their internal servers.

    Raises StorageError while the database is missing or unavailable, or its user may not read tokens.
    """
    return _processes(settings.database, _interval_number(_PROCESSES_S))


def read_alerts(settings: Settings, actor: Actor) -> Alerts:
    """The rules, what they find now, who sends messages, and the newest ones.

    Raises AccessDenied for analysts, StorageError while the database is missing or unavailable.
    """
    actor.require_operator("read alert rules")
    return _alerts(settings.database, actor, _interval_number(settings.refresh_seconds))


def forget_alerts() -> None:
    """Read the rules again at the next call, since this process has changed them."""
    _alerts.clear()


def read_visit_classes(settings: Settings, actor: Actor, question: Question) -> VisitClasses:
    """Visits by face size and confidence. Raises as `read_figures` does."""
    question = _restricted(settings, actor, question)
    return _visit_classes(settings.database, question, _moment(settings, _SLOW_S))


def read_rejected(settings: Settings, actor: Actor, question: Question) -> list[DeadLetters]:
    """Rejected records by camera and reason. Raises as `read_figures` does."""
    question = _restricted(settings, actor, question)
    return _rejected(settings.database, question, _interval_number(_SLOW_S))


def readable_database(settings: Settings) -> Database:
    """The database for a read that is not cached; it stays open.

    Raises StorageError while it is missing or unavailable.
    """
    return _engine(settings.database)


def uses_kafka(settings: Settings) -> bool:
    """Whether frames come from Kafka. Raises StorageError while the database is missing or unavailable."""
    return _uses_kafka(settings.database, _interval_number(_SLOW_S))


def writable_database(settings: Settings) -> Database:
    """The database for a change, such as a new event; dispose it afterwards.

    Raises StorageError where it cannot be written.
    """
    return open_database(settings.database)


def forget_status() -> None:
    """Read the state again at the next call, since this process has changed it."""
    _status.clear()


def _restricted(settings: Settings, actor: Actor, question: Question) -> Question:
    cameras = restrict(settings, actor, question.selection.cameras)
    return replace(question, selection=replace(question.selection, cameras=cameras))


def _moment(settings: Settings, seconds: float) -> Moment:
    """The state of the database for a figure that is read again every `seconds` at most.

    As a part of a cache key it expires the entry only where there is a newer result, or after `_LONGEST_S`,
    since the schedule of a running slot grows with time. A refresh asks nothing else while nothing changed.
    """
    return _moment_in(
        settings.database, settings.timezone, settings.refresh_seconds, _interval_number(seconds)
    )


def _interval_number(seconds: float) -> int:
    """The number of the current interval of `seconds`: as a part of a cache key, it expires the entry."""
    return int(time.time() // seconds)


@st.cache_resource(show_spinner=False, on_release=Database.dispose)
def _engine(database: str) -> Database:
    return open_database(database, read_only=True)


@st.cache_resource(show_spinner=False, max_entries=1)
def _status(database: str, timezone: str, interval: int) -> Status:
    engine, now = _engine(database), wall_clock_us()
    return Status(
        now,
        read_newest_result(engine),
        tuple(read_camera_status(engine, now, open_timezone(timezone))),
        tuple(read_events(engine)),
        _simulated(database, _interval_number(_SLOW_S)),
        read_protection_choices(engine),
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _moment_in(database: str, timezone: str, refresh_seconds: float, interval: int) -> Moment:
    newest = _status(database, timezone, _interval_number(refresh_seconds)).newest_result
    return Moment(newest, _interval_number(_LONGEST_S))


@st.cache_resource(show_spinner=False, max_entries=1)
def _processes(database: str, interval: int) -> list[Process]:
    return read_processes(_engine(database))


@st.cache_resource(show_spinner=False, max_entries=32)
def _newest_result(database: str, cameras: frozenset[str], interval: int) -> int | None:
    return read_newest_result(_engine(database), cameras)


@st.cache_resource(show_spinner=False, max_entries=1)
def _simulated(database: str, interval: int) -> bool:
    return has_simulated_data(_engine(database))


@st.cache_resource(show_spinner=False, max_entries=64)
def _trend(database: str, question: Question, moment: Moment) -> tuple[Timeline, Trend]:
    timeline = question.timeline()
    return timeline, read_trend(_engine(database), timeline, question.choice)


@st.cache_resource(show_spinner=False, max_entries=64)
def _earlier(database: str, question: Question, days: int, moment: Moment) -> Trend:
    return read_trend(_engine(database), shifted(question.timeline(), days), question.choice)


@st.cache_resource(show_spinner=False, max_entries=64)
def _visit_change(database: str, question: Question, days: int, moment: Moment) -> Change | None:
    return read_change(_engine(database), question.timeline(), days, question.choice)


@st.cache_resource(show_spinner=False, max_entries=32)
def _week(database: str, question: Question, moment: Moment) -> list[WeekHour]:
    return read_week(_engine(database), question.timeline(), question.choice)


@st.cache_resource(show_spinner=False, max_entries=32)
def _cross(database: str, question: Question, moment: Moment) -> list[GenderMix]:
    return read_cross(_engine(database), question.timeline(), question.choice)


@st.cache_resource(show_spinner=False, max_entries=32)
def _quality(database: str, question: Question, moment: Moment) -> list[CameraQuality]:
    return read_quality(_engine(database), question.timeline())


@st.cache_resource(show_spinner=False, max_entries=16)
def _oldest(database: str, cameras: frozenset[str] | None, moment: Moment) -> Mapping[str, int | None]:
    return read_oldest(_engine(database), cameras)


@st.cache_resource(show_spinner=False, max_entries=32, ttl=_SLOW_S)
def _comparison(
    database: str,
    suppress_below: int,
    matched: bool,
    edges: Sequence[int],
    cameras_a: frozenset[str] | None,
    cameras_b: frozenset[str] | None,
    _sides: tuple[Chosen, Chosen],
) -> Comparison:
    return compare(_engine(database), *_sides, suppress_below, matched=matched)


@st.cache_resource(show_spinner=False, max_entries=4)
def _alerts(database: str, actor: Actor, interval: int) -> Alerts:
    engine = _engine(database)
    return Alerts(
        tuple(read_rules(engine)),
        count_firing(engine),
        read_sender(engine),
        tuple(read_deliveries(engine, actor)),
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _visit_classes(database: str, question: Question, moment: Moment) -> VisitClasses:
    return read_classes(_engine(database), question.timeline(), question.choice)


@st.cache_resource(show_spinner=False, max_entries=32)
def _rejected(database: str, question: Question, interval: int) -> list[DeadLetters]:
    timeline = question.timeline()
    return read_dead_letters(_engine(database), timeline.start, timeline.end, question.choice.cameras)


@st.cache_resource(show_spinner=False, max_entries=1)
def _uses_kafka(database: str, interval: int) -> bool:
    return uses_broker(_engine(database))
