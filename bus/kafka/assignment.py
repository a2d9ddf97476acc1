"""Partitions of a reader, and where each resumes: at the sink's position, if Kafka has it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import RetriableError

from bus.kafka.partition_state import PartitionState
from bus.kafka.rebalances import Assigned, Lost, Rebalances
from bus.messages import Partition, Positions
from bus.sinks import SinkUnavailable
from bus.transport import Resume

_LOOKUP_MS = 2000

_log = logging.getLogger(__name__)


class Assignment:
    """The partitions of one reader; used by the thread that polls.

    Args:
        consumer: the member of the group.
        rebalances: the events of its membership.
        resume: returns the sink's positions; while it raises `SinkUnavailable` the partitions stay paused.
        ends: the end of each partition when the reader was created.
    """

    def __init__(
        self, consumer: KafkaConsumer, rebalances: Rebalances, resume: Resume, ends: Positions
    ) -> None:
        self.states: dict[Partition, PartitionState] = {}
        self.expired = 0
        self._consumer = consumer
        self._rebalances = rebalances
        self._resume = resume
        self._ends = ends
        self._rebalancing = True
        self._unpositioned: set[Partition] = set()
        self._revoked: set[Partition] = set()
        self._unavailable = False

    @property
    def is_ready(self) -> bool:
        """Whether no rebalance is in progress and every partition has a position."""
        return not self._rebalancing and not self._unpositioned

    def take_revoked(self) -> frozenset[Partition]:
        """The partitions that were revoked since the last call, or whose position another worker moved."""
        revoked, self._revoked = frozenset(self._revoked), set()
        return revoked

    def update(self) -> None:
        """Handle the group's events; read the sink's positions of new partitions and seek them."""
        for event in self._rebalances.take():
            self._rebalancing = not isinstance(event, Assigned)
            if isinstance(event, Lost):
                self._revoke(self.states.keys())
            elif isinstance(event, Assigned):
                self._revoke(self.states.keys() - event.partitions)
                self._unpositioned = set(event.partitions)
                if not event.partitions:
                    _log.warning("no partition is left for this worker: more workers than partitions")
        if self._unpositioned and not self._rebalancing:
            self._seek()

    def restart(self, keys: Iterable[TopicPartition]) -> None:
        """Pause these partitions and let `update` read their positions again."""
        partitions = {Partition(*key) for key in keys} & self.states.keys()
        self._revoke(partitions)
        self._consumer.pause(*map(key_of, partitions))
        self._unpositioned |= partitions

    def _revoke(self, partitions: Iterable[Partition]) -> None:
        for partition in tuple(partitions):
            del self.states[partition]
            self._revoked.add(partition)

    def _seek(self) -> None:
        """Position the new partitions; they stay paused while the sink or the broker is unavailable."""
        keys = [key_of(partition) for partition in self._unpositioned]
        try:
            stored = self._resume(self._unpositioned)
            first = self._consumer.beginning_offsets(keys, timeout_ms=_LOOKUP_MS)
            end = self._consumer.end_offsets(keys, timeout_ms=_LOOKUP_MS)
        except (SinkUnavailable, RetriableError) as error:
            if not self._unavailable:
                _log.error("partitions wait, their positions cannot be read: %s", error)
            self._unavailable = True
            return
        self._unavailable = False
        for key in keys:
            partition = Partition(*key)
            position = stored.get(partition)
            state = self.states.get(partition)
            if state is not None and position not in {None, state.stored}:
                self._revoke([partition])  # Another worker had it in the meantime.
            if partition not in self.states:
                self._open(partition, position, first[key], end[key])
        self._consumer.resume(*keys)
        self._unpositioned.clear()

    def _open(self, partition: Partition, stored: int | None, first: int, end: int) -> None:
        start = first if stored is None else stored
        if not first <= start <= end:
            span = f"{start} is stored, Kafka has {first} to {end}"
            _log.warning("%s: resumes with the oldest record: %s", partition, span)
            self.expired += max(first - start, 0)
            start = first
        self.states[partition] = PartitionState(
            partition,
            next_fetch=start,
            stored=start,
            last_reported=-1 if stored is None else start,
            drain_until=self._ends.get(partition, 0),
        )
        self._consumer.seek(key_of(partition), start)


def key_of(partition: Partition) -> TopicPartition:
    """The client's name for a partition."""
    return TopicPartition(partition.topic, partition.number)
