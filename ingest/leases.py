"""Keeper of this process's leases: takes them, renews them, and hands them over."""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from bus.leases import LEASE_S, Lease, LeaseSnapshot, LeaseStore
from bus.sinks import SinkUnavailable
from ingest.camera_lease import CameraLease

RENEW_EVERY_S = 2.0
_LOOK_EVERY_S = 1.0
"""Seconds between two looks at leases that another process holds."""
_PATIENCE_S = 5.0
"""Seconds after which a process takes more than its share, since nobody else took a free lease."""
_SETTLED_S = 10.0
"""Seconds that another process must be alive before this one hands leases over to it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the captures need.

    `wanted`: the cameras to be captured. `movable`: those of them that another process may continue.
    `in_use`: the cameras whose capture still runs, wanted or not; their leases are not released.
    """

    wanted: frozenset[str] = frozenset()
    movable: frozenset[str] = frozenset()
    in_use: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Sight:
    """When a lease of another process was first and last seen to change, times of `time.monotonic`."""

    lease: Lease
    changed_at: float
    renewed: bool = False

    def update(self, lease: Lease, now: float) -> None:
        if (lease.holder, lease.renewed_at) != (self.lease.holder, self.lease.renewed_at):
            self.renewed = lease.holder == self.lease.holder
            self.changed_at = now
        self.lease = lease

    def is_free(self, now: float) -> bool:
        """Whether the lease may be taken; a store's clock that was set back cannot prevent it for ever."""
        return not self.lease.holder or self.lease.expired or now - self.changed_at > LEASE_S + RENEW_EVERY_S


class LeaseKeeper:
    """Keeps the leases of this process, in a thread of its own.

    Processes that capture any camera share them: each takes its share of the free leases, and hands leases
    over to a process that has fewer. A process takes more if nobody else does.

    Args:
        store: the leases.
        shares: whether this process captures any camera, and not only certain ones.
        on_change: called in the keeper's thread after a lease was taken, lost or has to be given up.
    """

    def __init__(
        self, store: LeaseStore, *, shares: bool, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self.on_change = on_change
        self.error: Exception | None = None
        """What ended the keeper's thread, other than `stop`: no lease is taken or renewed any more."""
        self._store = store
        self._shares = shares
        self._wishes = Wishes()
        self._held: dict[str, CameraLease] = {}
        self._given_up: set[str] = set()
        self._others: dict[str, _Sight] = {}
        self._free_since: dict[str, float] = {}
        self._sharers: dict[str, float] = {}
        self._logged: dict[str, str] = {}
        self._unavailable = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        """Start the keeper's thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Release all leases, within `timeout` seconds if the store is available; otherwise they expire."""
        for lease in list(self._held.values()):
            lease.end()
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout)

    def check(self) -> None:
        """Raise what ended the keeper's thread, if anything did."""
        if self.error is not None:
            raise self.error

    def update(self, wishes: Wishes) -> None:
        """Set what the captures need; the keeper acts on it in its thread."""
        with self._lock:
            if wishes == self._wishes:
                return
            self._wishes = wishes
        self._wake.set()

    def lease_of(self, camera_id: str) -> CameraLease | None:
        """The valid lease of a camera, None where this process must not capture it."""
        with self._lock:
            lease = self._held.get(camera_id)
            return lease if lease and lease.is_valid and camera_id not in self._given_up else None

    def holder_of(self, camera_id: str) -> str | None:
        """The other process that captures a camera: that was seen to renew its lease."""
        with self._lock:
            sight = self._others.get(camera_id)
            return sight.lease.process if sight and sight.renewed and not sight.lease.expired else None

    def _run(self) -> None:
        try:
            self._keep_until_stopped()
            self._leave()
        except Exception as error:
            self.error = error
            raise

    def _keep_until_stopped(self) -> None:
        while not self._stop.is_set():
            try:
                self._keep()
            except SinkUnavailable as error:
                self._report_outage(error)
            else:
                self._unavailable = False
            self._wake.wait(self._pause())
            self._wake.clear()

    def _keep(self) -> None:
        began = time.monotonic()
        snapshot = self._store.exchange()
        with self._lock:
            changed = self._note(snapshot, began)
            released = self._choose_released()
            given_up = self._choose_given_up(snapshot)
            self._given_up |= given_up
            wanted = self._choose_free(snapshot)
        if released:
            self._store.release(released)
            self._forget(released)
        if wanted:
            changed |= self._take(wanted)
        if changed or given_up or released:
            self.on_change()

    def _note(self, snapshot: LeaseSnapshot, began: float) -> bool:
        """Note all leases; whether one was lost or is new."""
        now = time.monotonic()
        ours = {
            camera: lease for camera, lease in snapshot.leases.items() if lease.holder == self._store.holder
        }
        lost = {
            camera
            for camera, held in self._held.items()
            if camera not in ours or held.token < ours[camera].token
        }
        for camera in lost:
            self._held.pop(camera).end()
            self._given_up.discard(camera)
            by = snapshot.leases[camera].process if camera in snapshot.leases else "nobody"
            _log.warning("camera %s: its lease has expired and is held by %s; this capture ends", camera, by)
        gained = ours.keys() - self._held.keys()
        for camera, lease in ours.items():
            self._held.setdefault(camera, CameraLease(lease.token)).extend(began, snapshot.now)
        self._look_at_others(snapshot, now)
        self._sharers = {holder: self._sharers.get(holder, now) for holder in snapshot.sharers}
        return bool(lost or gained)

    def _look_at_others(self, snapshot: LeaseSnapshot, now: float) -> None:
        for camera, lease in snapshot.leases.items():
            if camera in self._held:
                self._others.pop(camera, None)
            else:
                self._others.setdefault(camera, _Sight(lease, now)).update(lease, now)
        waiting = self._wishes.wanted - self._held.keys()
        free = {camera for camera in waiting if self._is_free(camera, now)}
        self._free_since = {camera: self._free_since.get(camera, now) for camera in free}
        self._log_holders(waiting - free - self._wishes.in_use)

    def _is_free(self, camera: str, now: float) -> bool:
        sight = self._others.get(camera)
        return sight is None or sight.is_free(now)

    def _log_holders(self, elsewhere: Collection[str]) -> None:
        """Log which processes capture cameras for which this one stands by, where that is new."""
        holders = {camera: self._others[camera].lease for camera in elsewhere}
        new = {
            camera: lease.process
            for camera, lease in holders.items()
            if self._logged.get(camera) != lease.holder
        }
        for process in sorted(set(new.values())):
            cameras = ", ".join(sorted(camera for camera, by in new.items() if by == process))
            _log.warning("captured by %s, so that this process stands by: camera %s", process, cameras)
        self._logged = {camera: lease.holder for camera, lease in holders.items()}

    def _choose_released(self) -> dict[str, int]:
        """The leases that are not needed any more, with the next token of each."""
        needed = (self._wishes.wanted - self._given_up) | self._wishes.in_use
        return {camera: lease.next_token for camera, lease in self._held.items() if camera not in needed}

    def _choose_given_up(self, snapshot: LeaseSnapshot) -> set[str]:
        """The leases to be handed over, because another process has had fewer for a while."""
        settled = time.monotonic() - _SETTLED_S
        counts = self._counts(snapshot)
        waiting = [holder for holder, since in self._sharers.items() if since < settled]
        excess = len(self._held) - _share(sum(counts.values()) + len(self._held), len(counts))
        if (
            not (self._shares and waiting)
            or self._given_up
            or min(counts[each] for each in waiting) >= len(self._held) - 1
        ):
            return set()
        movable = [camera for camera in self._held if camera in self._wishes.movable]
        return set(self._in_own_order(movable)[::-1][: max(excess, 0)])

    def _choose_free(self, snapshot: LeaseSnapshot) -> dict[str, Lease | None]:
        """The free leases that this process takes."""
        now = time.monotonic()
        free = self._in_own_order(
            camera for camera, since in self._free_since.items() if camera not in self._given_up
        )
        if self._shares and self._sharers:
            counts = self._counts(snapshot)
            share = _share(sum(counts.values()) + len(self._held) + len(free), len(counts))
            most = max(share - len(self._held), 0)
            free = free[:most] + [
                camera for camera in free[most:] if now - self._free_since[camera] > _PATIENCE_S
            ]
        return {camera: snapshot.leases.get(camera) for camera in free}

    def _counts(self, snapshot: LeaseSnapshot) -> dict[str, int]:
        """How many leases each of the other processes has with which this one shares the cameras."""
        counts = dict.fromkeys(self._sharers, 0)
        for lease in snapshot.leases.values():
            if lease.holder in counts and not lease.expired:
                counts[lease.holder] += 1
        return counts

    def _in_own_order(self, cameras: Iterable[str]) -> list[str]:
        """Sorted in an order that differs between processes, so that they take different cameras first."""

        def key(camera: str) -> bytes:
            return hashlib.sha256(f"{self._store.holder} {camera}".encode()).digest()

        return sorted(cameras, key=key)

    def _take(self, wanted: Mapping[str, Lease | None]) -> bool:
        began = time.monotonic()
        tokens = self._store.take(wanted)
        with self._lock:
            for camera, token in tokens.items():
                before = wanted[camera]
                if before and before.holder:
                    _log.warning("camera %s: taken over, %s does not renew its lease", camera, before.process)
                self._held[camera] = CameraLease(token)
                self._held[camera].extend(began, token)
                self._others.pop(camera, None)
                self._free_since.pop(camera, None)
        return bool(tokens)

    def _forget(self, released: Collection[str]) -> None:
        with self._lock:
            for camera in released:
                self._held.pop(camera).end()
                self._given_up.discard(camera)

    def _pause(self) -> float:
        """Seconds until the next exchange."""
        with self._lock:
            return _LOOK_EVERY_S if self._wishes.wanted - self._held.keys() else RENEW_EVERY_S

    def _report_outage(self, error: SinkUnavailable) -> None:
        if not self._unavailable:
            _log.error("leases of cameras cannot be renewed, captures end when they expire: %s", error)
        self._unavailable = True
        self.on_change()

    def _leave(self) -> None:
        with self._lock:
            tokens = {camera: lease.next_token for camera, lease in self._held.items()}
        try:
            self._store.release(tokens)
            self._store.leave()
        except SinkUnavailable as error:
            _log.error("leases of cameras were not released, they expire in %.0f s: %s", LEASE_S, error)


def _share(cameras: int, others: int) -> int:
    """The share of this process of so many cameras."""
    return math.ceil(cameras / (others + 1))
