"""The pauses of cameras, so that paused time never counts as missing coverage, whenever it is summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from storage import tables

Pauses = Mapping[str, Sequence[tuple[int, int]]]
"""The start and end of the pauses by camera, in UTC microseconds, in order and without overlaps."""

_TABLE = tables.camera_pauses


def begin_pause(connection: sa.Connection, camera_id: str, now: int) -> None:
    """Note that a camera is paused from `now` on, in the transaction that pauses it."""
    lasting = sa.select(_TABLE.c.start_at).where(_is_lasting(camera_id))
    if connection.execute(lasting).first() is None:
        connection.execute(sa.insert(_TABLE).values(camera_id=camera_id, start_at=now))


def end_pause(connection: sa.Connection, camera_id: str, now: int) -> None:
    """Note that the pause of a camera ends now, if there is one, in the transaction that ends it."""
    connection.execute(sa.update(_TABLE).where(_is_lasting(camera_id)).values(end_at=now))


def read_pauses(connection: sa.Connection, start: int, end: int) -> Pauses:
    """The parts of all pauses that are between `start` and `end`."""
    columns = _TABLE.c
    inside = columns.start_at < end, columns.end_at.is_(None) | (columns.end_at > start)
    query = sa.select(columns.camera_id, columns.start_at, columns.end_at).where(*inside)
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in connection.execute(query.order_by(columns.start_at)):
        pauses = found[row.camera_id]
        # A clock that was set back can make pauses overlap.
        begin = max(row.start_at, pauses[-1][1] if pauses else start)
        finish = end if row.end_at is None else min(row.end_at, end)
        if begin < finish:
            pauses.append((begin, finish))
    return found


def _is_lasting(camera_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(_TABLE.c.camera_id == camera_id, _TABLE.c.end_at.is_(None))
