"""The cameras whose figures an actor may read: those of the sites in the actor's scope."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from common.access import AccessDenied, Actor
from storage import tables


def readable_cameras(connection: sa.Connection, actor: Actor) -> frozenset[str] | None:
    """The registered cameras that the actor may read, None for all, also removed ones.

    Raises DatabaseError where the database cannot be read.
    """
    if actor.reads_all_sites:
        return None
    cameras = tables.cameras.c
    found = connection.execute(sa.select(cameras.id, cameras.site)).all()
    return frozenset(row.id for row in found if actor.may_read_site(row.site))


def require_cameras(connection: sa.Connection, actor: Actor, cameras: Iterable[str], action: str) -> None:
    """Raise AccessDenied unless the actor may read all these cameras, none for all of the database.

    The message does not say which cameras exist. `action` completes "may not ...".
    """
    readable, wanted = readable_cameras(connection, actor), frozenset(cameras)
    if readable is None or (wanted and wanted <= readable):
        return
    raise AccessDenied(f"{actor.name} may not {action} cameras of other sites; choose cameras of your sites")
