"""What happens to the membership of a group, noted where it happens and acted upon where it is safe."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition

from bus.messages import Partition


@dataclass(frozen=True, slots=True)
class Revoked:
    """The group begins to share out its partitions anew."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The group went on without this member: others may have its partitions already."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """The member's share from now on."""

    partitions: frozenset[Partition]


Event = Revoked | Lost | Assigned


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes events; runs on the client's I/O thread, where nothing may block.

    What is assigned is paused at once, so that nothing is fetched before the sink was asked where to go on.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._events: deque[Event] = deque()

    def take(self) -> Iterable[Event]:
        """The events since the last call, in order."""
        while self._events:
            yield self._events.popleft()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """A rebalance begins."""
        self._events.append(Revoked())

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """The member was taken for dead."""
        self._events.append(Lost())

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """A rebalance ended."""
        self._consumer.pause(*assigned)
        self._events.append(Assigned(frozenset(Partition(*each) for each in assigned)))
