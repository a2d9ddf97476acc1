"""Which source an id of a camera belongs to, also after the camera was removed.

The visits of two cameras are never counted as those of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection

import sqlalchemy as sa

from common.source_identity import identify
from storage import tables
from storage.errors import StorageError

_LONGEST_STEM = 58
"""Characters of an id before a number that makes it unique."""


def assign_id(connection: sa.Connection, source: str, stem: str, used: Collection[str] = ()) -> str:
    """The id that the source has, registered or not, otherwise a new one; ids in `used` are passed over.

    A new one is the first of `stem`, `stem-2`, ... that no source ever had, and belongs to the source from
    now on.
    """
    identity, table = identify(source), tables.camera_identities
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")
    found = connection.execute(sa.select(table.c.camera_id, table.c.identity).order_by(table.c.camera_id))
    taken: dict[str, str] = dict(found.all())
    registered = set(connection.execute(sa.select(tables.cameras.c.id)).scalars())
    own = [each for each, value in taken.items() if value == identity and each not in used]
    if own:
        return min(own, key=lambda each: (each not in registered, each != stem, len(each), each))
    candidates = (stem if n == 1 else f"{stem[:_LONGEST_STEM]}-{n}" for n in itertools.count(1))
    free = next(each for each in candidates if each not in taken and each not in used)
    connection.execute(sa.insert(table).values(camera_id=free, identity=identity))
    return free


def claim_identity(connection: sa.Connection, camera_id: str, source: str, continue_history: bool) -> None:
    """Let an id belong to a source.

    Raises StorageError where it belongs to another one, unless its history is continued.
    """
    if not (_remember_identity(connection, camera_id, source) or continue_history):
        raise StorageError(
            f"camera id {camera_id!r} belonged to another source, whose visits are stored; choose another "
            "id, or add --continue-history if this camera takes its place"
        )


def read_identity(connection: sa.Connection, camera_id: str) -> str | None:
    """The identity of the source that an id belongs to: empty if unknown, None if there is none yet."""
    table = tables.camera_identities
    query = sa.select(table.c.identity).where(table.c.camera_id == camera_id)
    return connection.execute(query).scalar_one_or_none()


def _remember_identity(connection: sa.Connection, camera_id: str, source: str) -> bool:
    """Let an id belong to a source; returns whether it belonged to no other one."""
    table, identity = tables.camera_identities, identify(source)
    before = read_identity(connection, camera_id)
    if before is None:
        connection.execute(sa.insert(table).values(camera_id=camera_id, identity=identity))
    elif before != identity:
        connection.execute(sa.update(table).where(table.c.camera_id == camera_id).values(identity=identity))
    return before in (None, identity)
