"""Claims of a run that names its sources: their cameras are leased before they are registered."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import replace

from ingest.leases import LeaseKeeper, Wishes
from mien.errors import StartError
from mien.wiring.run_options import RunOptions
from storage.registry import CameraRegistry, CameraRow

_LOOK_EVERY_S = 0.05
_LONGEST_STEM = 60


def claim_sources(
    leases: LeaseKeeper,
    registry: CameraRegistry,
    cameras: Sequence[CameraRow],
    options: RunOptions,
    stop: threading.Event,
) -> tuple[list[CameraRow], RunOptions]:
    """Take the leases of the cameras that a run names; a run of all registered cameras names none.

    A camera gets another id if another process captures a different source with its id. A lease of a process
    that was killed is waited for. Returns the cameras and the options with the final ids.

    Raises StartError where another process captures the same source.
    """
    claimed = list(cameras)
    if options.only is None:
        return claimed, options
    while not stop.is_set():
        ids = frozenset(camera.id for camera in claimed)
        leases.update(Wishes(wanted=ids, in_use=ids))
        elsewhere = _wait_for_leases(leases, ids, stop)
        if not elsewhere:
            break
        sources = {row.id: row.source for row in registry.cameras()}
        for index, camera in enumerate(claimed):
            if camera.id not in elsewhere:
                continue
            if sources.get(camera.id) == camera.source:
                holder = leases.holder_of(camera.id) or "another process"
                raise StartError(
                    f"camera {camera.id}: {holder} captures this source into the same database; stop that "
                    "process, or use another database (--database)"
                )
            taken = sources.keys() | {each.id for each in claimed}
            claimed[index] = replace(camera, id=_other_id(camera.id, taken))
    return claimed, replace(options, only=frozenset(camera.id for camera in claimed))


def _wait_for_leases(leases: LeaseKeeper, ids: Collection[str], stop: threading.Event) -> set[str]:
    """Wait until each camera is leased, or known to be captured by another process; the latter ones."""
    open_ids = set(ids)
    elsewhere: set[str] = set()
    while open_ids and not stop.is_set():
        leases.check()
        elsewhere |= {camera for camera in open_ids if leases.holder_of(camera)}
        open_ids -= elsewhere | {camera for camera in open_ids if leases.lease_of(camera)}
        if open_ids:
            stop.wait(_LOOK_EVERY_S)
    return elsewhere


def _other_id(camera_id: str, taken: Collection[str]) -> str:
    names = (f"{camera_id[:_LONGEST_STEM]}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in names if name not in taken)
