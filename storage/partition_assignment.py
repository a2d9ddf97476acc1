"""Which partition of the bus carries the frames of a camera."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from storage import tables


def assign_missing(connection: sa.Connection, count: int) -> dict[str, int]:
    """Assign each camera without a partition below `count` the one with the fewest cameras.

    Other cameras keep theirs. Returns the partitions of all cameras, by id.
    """
    cameras = tables.cameras
    if connection.dialect.name == "postgresql":
        # Without the lock two processes would assign the same least used partition.
        connection.exec_driver_sql(f"LOCK TABLE {cameras.name} IN SHARE ROW EXCLUSIVE MODE")
    found = connection.execute(sa.select(cameras.c.id, cameras.c.partition).order_by(cameras.c.id))
    assigned = dict(found.all())
    used = Counter(dict.fromkeys(range(count), 0))
    used.update(number for number in assigned.values() if number in used)
    for camera, number in assigned.items():
        if number not in used:
            fewest = min(used, key=lambda each: (used[each], each))
            used[fewest] += 1
            assigned[camera] = fewest
            change = sa.update(cameras).where(cameras.c.id == camera)
            connection.execute(change.values(partition=fewest))
    return {camera: number for camera, number in assigned.items() if number is not None}
