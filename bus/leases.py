"""Leases: which process captures each camera. The contract between captures and storage.

A lease is held by one process and must be renewed; one that is not renewed expires, and another process may
take it over. Its fencing token separates the holders: each holder numbers the openings of its camera source
(the epochs of its frames) from its token on, and the token of the next holder is greater than all of them. So
storage recognises late frames of an earlier holder, however long that process was suspended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

LEASE_S = 6.0
"""Seconds for which a lease is valid after a renewal."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of one camera as it is stored.

    `holder` identifies a process, and is empty if the lease was released; `process` describes it for people.
    `renewed_at` is a time of the store's clock; `expired` compares with that clock, too.
    """

    camera_id: str
    holder: str
    process: str
    token: int
    renewed_at: int
    expired: bool


@dataclass(frozen=True, slots=True)
class LeaseSnapshot:
    """All leases at one moment.

    `now`: the store's clock, microseconds. `sharers`: the other live processes that capture any camera.
    """

    now: int
    leases: Mapping[str, Lease]
    sharers: Collection[str]


class LeaseStore(Protocol):
    """The leases of all cameras, seen by one process. Every method raises SinkUnavailable."""

    @property
    def holder(self) -> str:
        """The identity of this process; no other process has it, also not after a restart."""

    def exchange(self) -> LeaseSnapshot:
        """Renew all leases of this process, report that it is alive, and read all leases."""

    def take(self, seen: Mapping[str, Lease | None]) -> Mapping[str, int]:
        """Take leases that are still as they were `seen`, None where there was none; their new tokens."""

    def release(self, next_tokens: Mapping[str, int]) -> None:
        """Release leases of this process; the next token of each camera is at least the given one."""

    def leave(self) -> None:
        """Report that this process ends."""
