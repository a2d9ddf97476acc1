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
    visits = tables.visits.c
    conditions = (
        tables.cameras.c.source.startswith(_SIMULATED_SOURCE),
        tables.camera_days.c.simulated > 0,
        # Before the first roll-up, an index has the rows that are not older than it.
        sa.and_(visits.model == SIMULATED_MODEL, ~sa.exists().where(tables.rollup_state.c.until > 0)),
    )
    with engine.connect() as connection:
        return any(
            connection.scalar(sa.select(sa.literal(1)).where(sa.exists().where(condition))) is not None
            for condition in conditions
        )


def simulated_cameras(engine: sa.Engine) -> frozenset[str]:
    """The registered cameras that are simulated, by id.

    Raises DatabaseError where the database cannot be read.
    """
    cameras = tables.cameras.c
    with engine.connect() as connection:
        return frozenset(
            connection.scalars(sa.select(cameras.id).where(cameras.source.startswith(_SIMULATED_SOURCE)))
        )
