"""Fencing by frames: of two writers that store frames of one camera, the later one in frame order wins.

The fence of positions (`storage.fence`) protects a partition. This one protects a camera, wherever its frames
are read: a frame counts once although two partitions or two programs have it, and a writer whose capture was
replaced stores nothing more as analysed.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

import sqlalchemy as sa

from bus.messages import LastFrame
from common.clock import wall_clock_us
from storage import tables
from storage.errors import Fenced

_MOST_EPOCHS = 1000
"""Epochs of one camera that are read, the latest ones."""


class FrameFence:
    """The latest analysed epochs that one writer knows. Not thread-safe: one transaction at a time.

    Args:
        dialect: SQLAlchemy's module for the database.
    """

    def __init__(self, dialect: ModuleType) -> None:
        stored = tables.last_frames.c
        new = dialect.insert(tables.last_frames)
        self._move = new.on_conflict_do_update(
            index_elements=[stored.camera_id, stored.epoch],
            set_={
                "seq": new.excluded.seq,
                "analysed": stored.analysed | new.excluded.analysed,
                "written_at": new.excluded.written_at,
            },
            where=new.excluded.seq > stored.seq,
        ).returning(stored.camera_id, stored.epoch)
        self._latest_epochs: dict[str, int] = {}

    def read(self, connection: sa.Connection, camera_id: str) -> tuple[LastFrame, ...]:
        """Read the last frame of the latest epochs of a camera."""
        stored = tables.last_frames.c
        query = (
            sa.select(stored.camera_id, stored.epoch, stored.seq, stored.analysed)
            .where(stored.camera_id == camera_id)
            .order_by(stored.epoch.desc())
            .limit(_MOST_EPOCHS)
        )
        found = tuple(LastFrame(*row) for row in connection.execute(query))
        self._latest_epochs.pop(camera_id, None)
        self.note_stored(found)
        return found

    def store(self, connection: sa.Connection, frames: Iterable[LastFrame]) -> None:
        """Store the last frames of a batch.

        Raises:
            Fenced: another writer stored the same or a later frame of an epoch, or analysed a frame of a
                later epoch that this writer does not know.
        """
        last = _last_of_each_epoch(frames)
        if not last:
            return
        now = wall_clock_us()
        rows = [
            {**{name: getattr(each, name) for name in LastFrame.__slots__}, "written_at": now}
            for _, each in sorted(last.items())
        ]
        moved = {tuple(row) for row in connection.execute(self._move, rows)}
        cameras = {camera_id for camera_id, _ in last.keys() - moved} | self._replaced(connection, last)
        if cameras:
            raise Fenced(
                f"frames of camera {', '.join(sorted(cameras))}: another writer stored later ones; "
                "nothing was stored"
            )

    def note_stored(self, frames: Iterable[LastFrame]) -> None:
        """Record that these frames are stored."""
        for each in frames:
            if each.analysed:
                latest = max(each.epoch, self._latest_epochs.get(each.camera_id, each.epoch))
                self._latest_epochs[each.camera_id] = latest

    def _replaced(self, connection: sa.Connection, last: Iterable[tuple[str, int]]) -> set[str]:
        """The cameras of which another writer has analysed a later epoch than this one knows and stores."""
        stored = tables.last_frames.c
        known = dict(self._latest_epochs)
        for camera_id, epoch in last:
            known[camera_id] = max(epoch, known.get(camera_id, epoch))
        query = (
            sa.select(stored.camera_id, sa.func.max(stored.epoch))
            .where(stored.camera_id.in_({camera_id for camera_id, _ in last}), stored.analysed)
            .group_by(stored.camera_id)
        )
        return {camera_id for camera_id, epoch in connection.execute(query) if epoch > known[camera_id]}


def _last_of_each_epoch(frames: Iterable[LastFrame]) -> dict[tuple[str, int], LastFrame]:
    last: dict[tuple[str, int], LastFrame] = {}
    for each in frames:
        key = each.camera_id, each.epoch
        known = last.get(key)
        if known is None or each.seq >= known.seq:
            last[key] = LastFrame(
                each.camera_id, each.epoch, each.seq, each.analysed or (known is not None and known.analysed)
            )
    return last
