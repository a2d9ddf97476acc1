"""Events: what happened in a period at some cameras, such as a campaign, as analysts note it.

An analyst of some sites notes, sees and removes events at the cameras of these sites alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

import sqlalchemy as sa

from common.access import Actor
from common.clock import wall_clock_us
from storage import audit, tables
from storage.errors import StorageError
from storage.scope import require_cameras

NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Event:
    """An event from `start` to `end`, UTC microseconds, at `cameras`, empty for all."""

    id: str
    name: str
    start: int
    end: int
    cameras: frozenset[str]

    def concerns(self, cameras: frozenset[str] | None) -> bool:
        """Whether the event is at one of these cameras, None for all."""
        return not self.cameras or cameras is None or bool(self.cameras & cameras)

    def within(self, cameras: frozenset[str]) -> Event:
        """The same event without its other cameras."""
        return replace(self, cameras=self.cameras & cameras)


def read_events(engine: sa.Engine) -> list[Event]:
    """All events, the latest first.

    Raises DatabaseError where the database cannot be read.
    """
    events, places = tables.events, tables.event_cameras
    with engine.connect() as connection:
        rows = connection.execute(sa.select(events).order_by(events.c.start_at.desc(), events.c.id)).all()
        pairs = connection.execute(sa.select(places)).all()
    cameras: dict[str, set[str]] = {}
    for pair in pairs:
        cameras.setdefault(pair.event_id, set()).add(pair.camera_id)
    return [
        Event(row.id, row.name, row.start_at, row.end_at, frozenset(cameras.get(row.id, ()))) for row in rows
    ]


def add_event(
    engine: sa.Engine, actor: Actor, name: str, start: int, end: int, cameras: Iterable[str] = ()
) -> Event:
    """Store an event at some cameras, none for all.

    Raises StorageError where the name is empty or too long, or the end is not after the start, and
    AccessDenied where the actor may not read all of these cameras.
    """
    name = name.strip()
    if not 1 <= len(name) <= NAME_LENGTH:
        raise StorageError(f"event: name has {len(name)} characters, expected 1 to {NAME_LENGTH}")
    if end <= start:
        raise StorageError(f"event {name}: ends before it starts; exchange the days")
    event = Event(uuid.uuid4().hex, name, start, end, frozenset(cameras))
    row = {"id": event.id, "name": name, "start_at": start, "end_at": end, "created_at": wall_clock_us()}
    with engine.begin() as connection:
        require_cameras(connection, actor, event.cameras, "note events at")
        connection.execute(sa.insert(tables.events), row)
        places = [{"event_id": event.id, "camera_id": camera} for camera in sorted(event.cameras)]
        if places:
            connection.execute(sa.insert(tables.event_cameras), places)
        audit.record(connection, actor, "event.add", event.id, _details(event))
    return event


def remove_event(engine: sa.Engine, actor: Actor, event_id: str) -> None:
    """Remove an event; nothing happens where it does not exist.

    Raises AccessDenied where the actor may not read all of the event's cameras.
    """
    events, places = tables.events, tables.event_cameras
    with engine.begin() as connection:
        row = connection.execute(sa.select(events).where(events.c.id == event_id)).one_or_none()
        if row is None:
            return
        cameras = connection.scalars(sa.select(places.c.camera_id).where(places.c.event_id == event_id)).all()
        event = Event(row.id, row.name, row.start_at, row.end_at, frozenset(cameras))
        require_cameras(connection, actor, event.cameras, "remove events at")
        for table, column in ((places, "event_id"), (events, "id")):
            connection.execute(sa.delete(table).where(table.c[column] == event_id))
        audit.record(connection, actor, "event.remove", event.id, _details(event))


def _details(event: Event) -> dict[str, object]:
    return {
        "name": event.name,
        "start": event.start,
        "end": event.end,
        "cameras": " ".join(sorted(event.cameras)) or "all",
    }
