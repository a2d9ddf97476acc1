"""Slows down the guessing of passwords, with exponential back-off and bounded memory.

An attempt counts as failed from its start until it succeeds, so that attempts in parallel gain nothing. Three
counts decide how long the next attempt must wait: those of the address, those of the user name, and those of
both together. A user who has signed in from an address before waits for the third alone: whoever guesses that
user's password from elsewhere, or from behind the same proxy, does not lock the user out. A name that no
user has is treated like any other, so that the answer does not tell which users exist.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

FREE = 4
"""Attempts that may fail before the next one has to wait."""

LONGEST_OF_NAME_S, LONGEST_OF_ADDRESS_S = 60.0, 900.0
"""The longest wait because of failures of one user name from anywhere, and from one address."""

FORGET_S = 3600.0
"""Seconds without an attempt after which failures are forgotten."""

MOST_ENTRIES = 10_000
"""The greatest number of names, addresses or pairs of both that are remembered; the oldest are forgotten."""


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    next_allowed: float = 0.0


class Throttle:
    """The failed attempts to sign in at one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._names, self._addresses, self._pairs = _Counts(), _Counts(), _Counts()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Begin an attempt, which counts as failed until `succeed`; else the seconds that it has to wait.

        An attempt that has to wait does not count.
        """
        now, network = self._clock(), _network(address)
        pair = (name, network)
        counts: list[tuple[_Counts, Hashable, float]] = [(self._pairs, pair, LONGEST_OF_ADDRESS_S)]
        with self._lock:
            if pair not in self._known:
                counts += [
                    (self._names, name, LONGEST_OF_NAME_S),
                    (self._addresses, network, LONGEST_OF_ADDRESS_S),
                ]
            wait = max(each.wait(key, now) for each, key, _ in counts)
            if wait <= 0:
                for each, key, longest in counts:
                    each.add(key, now, longest)
        return max(wait, 0.0)

    def succeed(self, name: str, address: str) -> None:
        """The attempt was right: its failures are forgotten, and the name is known at the address.

        The failures of the address stay, lest a user of one account guesses the passwords of others.
        """
        network = _network(address)
        with self._lock:
            self._pairs.forget((name, network))
            self._names.forget(name)
            if (name, network) not in self._known:
                # Of a known pair, no failure of the address was counted.
                self._addresses.take_back(network)
            self._known[name, network] = None
            self._known.move_to_end((name, network))
            if len(self._known) > MOST_ENTRIES:
                self._known.popitem(last=False)


class _Counts:
    """Failures by key; the keys without an attempt for the longest time are forgotten first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Failures] = OrderedDict()

    def wait(self, key: Hashable, now: float) -> float:
        entry = self._entries.get(key)
        return entry.next_allowed - now if entry and now - entry.last < FORGET_S else 0.0

    def add(self, key: Hashable, now: float, longest: float) -> None:
        entry = self._entries.get(key)
        if entry is None or now - entry.last >= FORGET_S:
            entry = self._entries[key] = _Failures()
        self._entries.move_to_end(key)
        if len(self._entries) > MOST_ENTRIES:
            self._entries.popitem(last=False)
        entry.count, entry.last = entry.count + 1, now
        # The exponent is bounded, since 2.0 ** 2000 is no float.
        entry.next_allowed = now + (
            min(2.0 ** min(entry.count - FREE, 30), longest) if entry.count >= FREE else 0.0
        )

    def forget(self, key: Hashable) -> None:
        self._entries.pop(key, None)

    def take_back(self, key: Hashable) -> None:
        """Take back the last failure of a key."""
        entry = self._entries.get(key)
        if entry:
            entry.count -= 1
            entry.next_allowed = min(entry.next_allowed, entry.last)


def _network(address: str) -> str:
    """The address, or the network of 64 bits that one owner of IPv6 addresses has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))
