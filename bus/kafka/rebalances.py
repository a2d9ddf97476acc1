"""Queue of a group's rebalance events, filled by the client's thread and handled by the thread that polls."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from typing_extensions import override

from bus.kafka.client import request_rejoin
from bus.messages import Partition


@dataclass(frozen=True, slots=True)
class Revoked:
    """A rebalance begins: the group assigns its partitions again."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The group removed this member: others may have its partitions already."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """A rebalance ended: the partitions of this member."""

    partitions: frozenset[Partition]


Event = Revoked | Lost | Assigned


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Listener that records events; it runs on the client's I/O thread and must not block.

    Assigned partitions are paused at once: nothing is fetched before the sink's positions are known.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._events: deque[Event] = deque()

    def take(self) -> Iterable[Event]:
        """The events since the last call, in order."""
        while self._events:
            yield self._events.popleft()

    @override
    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        request_rejoin(self._consumer)
        self._events.append(Revoked())

    @override
    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._events.append(Lost())

    @override
    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._consumer.pause(*assigned)
        self._events.append(Assigned(frozenset(Partition(*each) for each in assigned)))
