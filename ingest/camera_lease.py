"""The lease of one camera, as its capture sees it.

A lease is valid for `LEASE_S` seconds from the start of its last successful renewal, by this process's
monotonic clock. So a process that was suspended, or that does not reach the database, knows without asking
that another process may capture the camera by now.
"""

from __future__ import annotations

import math
import threading
import time

from bus.leases import LEASE_S
from bus.messages import MICROSECONDS


class CameraLease:
    """The lease of one camera that this process holds; thread-safe.

    Args:
        token: the fencing token: every epoch of this holder is at least as great.
    """

    def __init__(self, token: int) -> None:
        self.token = token
        self._changed = threading.Condition()
        self._valid_until = -math.inf
        self._lost = False
        self._store_clock = (0, 0.0)
        self._last_epoch = token - 1

    @property
    def is_valid(self) -> bool:
        """Whether no other process can hold the lease at present."""
        return time.monotonic() < self._valid_until

    @property
    def is_lost(self) -> bool:
        """Whether this lease never becomes valid again."""
        return self._lost

    def wait_until_valid(self, timeout: float) -> bool:
        """Whether the lease is valid, after at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_valid, timeout)

    @property
    def next_token(self) -> int:
        """A token above every epoch so far."""
        with self._changed:
            return self._last_epoch + 1

    def next_epoch(self) -> int:
        """The epoch of the next opening of the source: about the time, in microseconds of the store's clock.

        It is above every earlier epoch of this camera, and below the token of the next holder.
        """
        with self._changed:
            at, began = self._store_clock
            # The store reserves twice the duration of a lease for the epochs of its holder.
            passed = min(time.monotonic() - began, LEASE_S)
            now = at + round(passed * MICROSECONDS)
            self._last_epoch = max(now, self._last_epoch + 1)
            return self._last_epoch

    def extend(self, began: float, store_clock: int) -> None:
        """Note a renewal that began at `began`, a time of `time.monotonic`."""
        with self._changed:
            if not self._lost:
                self._valid_until = began + LEASE_S
                self._store_clock = store_clock, began
                self._changed.notify_all()

    def end(self) -> None:
        """Note that the lease is lost or released."""
        with self._changed:
            self._lost = True
            self._valid_until = -math.inf
