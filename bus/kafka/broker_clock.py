"""How far this machine's clock is from the clocks of the brokers, measured with times that brokers write.

A broker notes when it appends a record (LogAppendTime). Processes on several machines compare times with its
clock, because their own clocks may differ. An offset is the clock of this machine less that of the broker, in
microseconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from bus.kafka.assignment import key_of
from bus.kafka.client import newest_times
from bus.messages import MICROSECONDS, Partition

ALARM_US = MICROSECONDS
"""An offset from which on the log names the clock."""

_ASK_EVERY_S = 10.0
_ASK_SECONDS = 1.0
_WINDOW_S = 15.0
"""The smallest sample counts for one to two windows: a clock that is set is followed within 30 seconds."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ClockAlarm:
    """Logs when this machine's clock certainly differs from the broker's, and when they agree again.

    `where` names the cluster. `offset_us` is the part of the offset that is certain; 0 where the clocks may
    agree.
    """

    where: str
    offset_us: int = 0
    _raised: bool = False

    def update(self, least_us: int, most_us: int) -> None:
        """Note that the offset is between `least_us` and `most_us`."""
        self.offset_us = max(least_us, 0) + min(most_us, 0)
        if abs(self.offset_us) >= ALARM_US and not self._raised:
            self._raised = True
            _log.error(
                "the clock of this machine is %.1f s %s the clock of the broker (%s): synchronise the clocks "
                "(NTP); times and delays on the dashboard are wrong by so much",
                abs(self.offset_us) / MICROSECONDS,
                "ahead of" if self.offset_us > 0 else "behind",
                self.where,
            )
        elif abs(self.offset_us) < ALARM_US // 2 and self._raised:
            self._raised = False
            _log.warning(
                "the clock of this machine agrees with the clock of the broker (%s) again", self.where
            )


class SmallestSample:
    """The offset to one broker, from samples that are never too small.

    A sample is the time at which this process knew of a record less the time at which it was appended: the
    offset, and the delay in between. The smallest recent sample has the smallest delay.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began = float("-inf")
        self._smallest: int | None = None
        self._previous: int | None = None

    def add(self, sample_us: int) -> int:
        """Add a sample; returns the smallest one of the last one to two windows."""
        passed = self._monotonic() - self._began
        if passed > _WINDOW_S:
            self._previous = self._smallest if passed < 2 * _WINDOW_S else None
            self._began, self._smallest = self._monotonic(), None
        self._smallest = sample_us if self._smallest is None else min(self._smallest, sample_us)
        return self._smallest if self._previous is None else min(self._smallest, self._previous)


@dataclass(slots=True)
class _Asked:
    """A question for the newest record: when it was sent, and the offset in the answer."""

    sent_at: int
    newest: int


@dataclass(slots=True)
class _PartitionClock:
    samples: SmallestSample = field(default_factory=SmallestSample)
    asked: _Asked | None = None


class BrokerClock:
    """The clocks of the brokers of a reader's partitions; used by the thread that polls.

    Records that wait on the bus would look like a clock that is ahead. So the time of the newest record is
    asked for as well, every ten seconds: cameras publish several times a second, and their last record is
    new.

    Args:
        where: the cluster, for messages.
        clock: this machine's clock, in microseconds UTC.
    """

    def __init__(self, where: str, clock: Callable[[], int]) -> None:
        self.alarm = ClockAlarm(where)
        self._clock = clock
        self._partitions: dict[Partition, _PartitionClock] = {}
        self._ask_at = 0.0

    def ask(self, consumer: KafkaConsumer, partitions: Collection[Partition]) -> None:
        """Ask for the newest records of these partitions if it is time to, or if a partition is new."""
        known = self._partitions
        if not partitions or (time.monotonic() < self._ask_at and known.keys() >= set(partitions)):
            return
        self._ask_at = time.monotonic() + _ASK_EVERY_S
        self._partitions = {each: known.get(each, _PartitionClock()) for each in partitions}
        sent_at = self._clock()
        try:
            newest = newest_times(consumer, map(key_of, partitions), _ASK_SECONDS)
        except KafkaError as error:
            _log.debug("Kafka: the times of the newest records cannot be read: %s", error)
            self._ask_at = time.monotonic() + _ASK_SECONDS
            return
        now = self._clock()
        for key, (offset, appended_ms) in newest.items():
            partition = self._partitions[Partition(*key)]
            partition.samples.add(now - appended_ms * 1000)
            partition.asked = _Asked(sent_at, offset)

    def note(self, partition: Partition, offset: int, appended_at: int) -> int:
        """Note a record that has just arrived; returns the offset of this machine's clock."""
        clock = self._partitions.setdefault(partition, _PartitionClock())
        sample = self._clock() - appended_at
        if clock.asked is not None and offset > clock.asked.newest:
            # It was appended after the question was sent, and before now.
            self.alarm.update(clock.asked.sent_at - appended_at, sample)
            clock.asked = None
        return clock.samples.add(sample)
