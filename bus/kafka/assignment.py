"""Which partitions a reader has, and where each of them goes on: the sink's word, within what Kafka has."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import RetriableError

from bus.kafka.lanes import Lane
from bus.kafka.rebalances import Assigned, Lost, Rebalances
from bus.messages import Partition, Positions
from bus.transport import Resume

_LOOKUP_MS = 2000
_LOOK_BACK = 128
"""Records before a stored position that are read once more, so that doubles of them are recognised."""

_log = logging.getLogger(__name__)


class Assignment:
    """The lanes of one reader; used by the thread that polls.

    Args:
        consumer: subscribes to nothing before `rebalances` listens.
        resume: asked for the sink's positions.
        outages: what `resume` raises while the sink is away.
        goals: the end of each partition when the reader was made.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        resume: Resume,
        outages: tuple[type[Exception], ...],
        goals: Positions,
    ) -> None:
        self.rebalances = Rebalances(consumer)
        self.lanes: dict[Partition, Lane] = {}
        self.expired = 0
        self._consumer = consumer
        self._resume = resume
        self._outages = outages
        self._goals = goals
        self._rebalancing = True
        self._unsettled: set[Partition] = set()
        self._gone: set[Partition] = set()
        self._away = False

    @property
    def is_settled(self) -> bool:
        """Whether the lanes are ours, each with a place to go on from."""
        return not self._rebalancing and not self._unsettled

    def take_gone(self) -> frozenset[Partition]:
        """The partitions that were lost since the last call, or that do not go on where they were."""
        gone, self._gone = frozenset(self._gone), set()
        return gone

    def settle(self) -> None:
        """Act upon what happened to the group; ask the sink where new partitions go on."""
        for event in self.rebalances.take():
            self._rebalancing = not isinstance(event, Assigned)
            if isinstance(event, Lost):
                self._drop(self.lanes.keys())
            elif isinstance(event, Assigned):
                self._drop(self.lanes.keys() - event.partitions)
                self._unsettled = set(event.partitions)
                if not event.partitions:
                    _log.warning(
                        "no partition is left for this worker: the group has more workers than partitions"
                    )
        if self._unsettled and not self._rebalancing:
            self._place()

    def begin_again(self, keys: Iterable[TopicPartition]) -> None:
        """Kafka does not have what comes next in these partitions: ask the sink anew."""
        partitions = {Partition(*key) for key in keys} & self.lanes.keys()
        self._drop(partitions)
        self._consumer.pause(*map(key_of, partitions))
        self._unsettled |= partitions

    def _drop(self, partitions: Iterable[Partition]) -> None:
        for partition in tuple(partitions):
            del self.lanes[partition]
            self._gone.add(partition)

    def _place(self) -> None:
        """Give each unsettled partition its place; all stay paused where sink or broker do not answer."""
        keys = [key_of(partition) for partition in self._unsettled]
        try:
            stored = self._resume(self._unsettled)
            first = self._consumer.beginning_offsets(keys, timeout_ms=_LOOKUP_MS)
            end = self._consumer.end_offsets(keys, timeout_ms=_LOOKUP_MS)
        except (*self._outages, RetriableError) as error:
            if not self._away:
                _log.error("partitions wait, their positions cannot be had: %s", error)
            self._away = True
            return
        self._away = False
        for key in keys:
            partition = Partition(*key)
            position = stored.get(partition)
            lane = self.lanes.get(partition)
            if lane is not None and position not in {None, lane.stored}:
                self._drop([partition])  # Somebody else went on with it in between.
            if partition not in self.lanes:
                self._open(partition, position, first[key], end[key])
        self._consumer.resume(*keys)
        self._unsettled.clear()

    def _open(self, partition: Partition, stored: int | None, first: int, end: int) -> None:
        start = first if stored is None else stored
        if not first <= start <= end:
            _log.warning(
                "%s: goes on at %d: %d is stored, Kafka has %d to %d", partition, first, start, first, end
            )
            start = first
        told = -1 if stored is None else start
        goal = self._goals.get(partition, 0)
        self.lanes[partition] = Lane(partition, read=start, stored=start, told=told, goal=goal)
        self._consumer.seek(key_of(partition), max(first, start - _LOOK_BACK))


def key_of(partition: Partition) -> TopicPartition:
    """The client's name for a partition."""
    return TopicPartition(partition.topic, partition.number)
