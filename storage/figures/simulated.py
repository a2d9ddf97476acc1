"""Whether a database contains simulated data, so that it is labelled wherever it is shown."""

from __future__ import annotations

import sqlalchemy as sa

from storage import tables
from storage.sums import SIMULATED_MODEL

_SIMULATED_SOURCE = "demo://"


def has_simulated_data(engine: sa.Engine) -> bool:
    """Whether there are simulated cameras, or visits of a simulated history.

    Raises DatabaseError where the database cannot be read.
    """
    with engine.connect() as connection:
        if _exists(connection, tables.cameras.c.source.startswith(_SIMULATED_SOURCE)):
            return True
        if _exists(connection, tables.rollup_state.c.until > 0):
            return _exists(connection, tables.camera_days.c.simulated > 0)
        # A query of its own: SQLite would read all visits even where another condition is false.
        return _exists(connection, tables.visits.c.model == SIMULATED_MODEL)


def _exists(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> bool:
    return connection.scalar(sa.select(sa.literal(1)).where(sa.exists().where(condition))) is not None


def simulated_cameras(engine: sa.Engine) -> frozenset[str]:
    """The registered cameras that are simulated, by id.

    Raises DatabaseError where the database cannot be read.
    """
    cameras = tables.cameras.c
    with engine.connect() as connection:
        return frozenset(
            connection.scalars(sa.select(cameras.id).where(cameras.source.startswith(_SIMULATED_SOURCE)))
        )
