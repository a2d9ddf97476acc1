"""The reading side on Kafka: a member of a consumer group whose positions are kept by the sink."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RetriableError,
    SaslAuthenticationFailedError,
)
from typing_extensions import override

from bus.errors import BrokerRefused, BrokerUnavailable, BusError, TransportClosed
from bus.kafka.assignment import Assignment, key_of
from bus.kafka.broker_clock import BrokerClock
from bus.kafka.client import open_client, require_crc32c
from bus.kafka.dead_letters import DeadLetters
from bus.kafka.rebalances import Rebalances
from bus.kafka.settings import KafkaSettings
from bus.kafka.topics import missing_topic
from bus.messages import Partition, Positions
from bus.transport import Batch, FrameReader, Record, Resume
from common.clock import wall_clock_us

_MAX_POLL_SECONDS = 0.5
_COMMIT_SECONDS = 1.0
_CLOSE_SECONDS = 5.0
_LOG_APPEND_TIME = 1
"""The type of a timestamp that the broker has set."""

_log = logging.getLogger(__name__)

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]


class KafkaReader(FrameReader):
    """A `FrameReader` on Kafka: one member of the consumer group, on the partitions that the group assigns.

    Positions are kept by the sink alone: they are read whenever partitions are assigned. The offsets that are
    committed to Kafka only let tools show the lag. A position that Kafka does not have (deleted, or the topic
    was created again) is replaced by that of the oldest record. Nothing is delivered during a rebalance.

    A worker that cannot store results calls `hold`, which keeps the membership. One that neither polls nor
    holds for `max_silence` loses its partitions; the next poll reports them as revoked. The sink must fence
    what such a worker writes in the meantime: its position is not the one that the worker last wrote.

    Args:
        settings: which cluster, topic and group.
        resume: returns the sink's positions, called by the thread that polls; while it raises
            `SinkUnavailable` the partitions wait.
        drain: end once every record that was published before now is stored.
        max_silence: seconds without `poll` or `hold` after which the group removes this reader; a rebalance
            waits as long for a reader that is busy.
        dead_letter_originals: whether the dead-letter queue keeps rejected pictures.
        clock: returns microseconds UTC.

    Raises:
        AdvertisedNameError, BrokerRefused, BrokerUnavailable: see `open_client`.
        TopicError: a topic is missing.
        LibraryError: crc32c is missing.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        resume: Resume,
        *,
        drain: bool = False,
        max_silence: float = 60.0,
        dead_letter_originals: bool = False,
        clock: Callable[[], int] = wall_clock_us,
    ) -> None:
        require_crc32c()
        self._settings = settings
        self._drain = drain
        self._held = False
        self._closed = False
        self._committed_at = time.monotonic()
        self._dead_letters = DeadLetters(settings, originals=dead_letter_originals)
        self._clock = BrokerClock(settings.where, clock)
        self._consumer = _open(settings, max_silence)
        rebalances = Rebalances(self._consumer)
        self._consumer.subscribe([settings.topic], listener=rebalances)
        try:
            ends = _ends(self._consumer, settings)
        except BaseException:
            self._consumer.close(autocommit=False)
            raise
        self._assignment = Assignment(self._consumer, rebalances, resume, ends)

    @property
    def expired(self) -> int:
        """Records that Kafka deleted before this reader fetched them."""
        return self._assignment.expired

    @property
    def clock_offset_us(self) -> int:
        """This machine's clock less the broker's, as far as it is certain, in microseconds."""
        return self._clock.alarm.offset_us

    def lag(self) -> Mapping[Partition, int]:
        """Records that are not delivered yet, by partition, as of the broker's last response.

        For the thread that polls.
        """
        states = self._assignment.states
        ends = {each: self._consumer.highwater(key_of(each)) for each in states}
        return {
            each: max(end - states[each].next_position, 0) for each, end in ends.items() if end is not None
        }

    @override
    def poll(self, limit: int, timeout: float) -> Batch:
        """Records as `FrameReader.poll` returns them, after half a second at most.

        Raises:
            BrokerRefused: credentials or permissions are not valid any more.
            TransportClosed: after `close`.
        """
        if self._closed:
            raise TransportClosed("the reader is closed")
        assignment = self._assignment
        self._resume_after_hold()
        assignment.update()
        self._clock.ask(self._consumer, assignment.states)
        waiting = sum(len(state.waiting) for state in assignment.states.values())
        if waiting < limit:
            fetched = self._fetch(
                limit * max(len(assignment.states), 1), self._fetch_seconds(waiting, timeout)
            )
            assignment.update()
            self._add(fetched)
        revoked = assignment.take_revoked()
        if not assignment.is_ready:
            return Batch(revoked=revoked)
        records = self._take(limit)
        ended = self._drain and all(state.is_drained for state in assignment.states.values())
        return Batch(records, self._changed_positions(), revoked, ended=ended and not records)

    @override
    def acknowledge(self, positions: Positions) -> None:
        for partition, position in positions.items():
            if partition in self._assignment.states:
                self._assignment.states[partition].stored = position
        due = time.monotonic() - self._committed_at >= _COMMIT_SECONDS
        if due and self._assignment.is_ready:
            self._committed_at = time.monotonic()
            self._consumer.commit_async(self._offsets())

    @override
    def resume(self, partitions: Iterable[Partition]) -> None:
        # The next poll reads the sink's positions, and waits while the sink is unavailable.
        self._assignment.restart(map(key_of, partitions))

    @override
    def hold(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        self._held = True
        while (left := deadline - time.monotonic()) > 0:
            self._consumer.pause(*self._consumer.assignment())
            self._fetch(1, min(left, _MAX_POLL_SECONDS))

    @override
    def reject(self, record: Record, reason: str) -> None:
        self._dead_letters.put(record, reason)
        _log.warning("%s offset %d rejected: %s", record.partition, record.offset, reason)

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._dead_letters.close()
        try:
            if self._assignment.is_ready:
                self._consumer.commit(self._offsets(), timeout_ms=_ms(_COMMIT_SECONDS))
        except KafkaError as error:
            _log.info("offsets are not committed to Kafka, the sink has them: %s", error)
        try:
            self._consumer.close(autocommit=False, timeout_ms=_ms(_CLOSE_SECONDS))
        except KafkaError as error:
            _log.warning("Kafka: the reader could not leave the group: %s", error)

    def _resume_after_hold(self) -> None:
        if self._held:
            self._held = False
            ours = self._consumer.assignment() & {key_of(each) for each in self._assignment.states}
            self._consumer.resume(*ours)

    def _fetch_seconds(self, waiting: int, timeout: float) -> float:
        """Seconds to wait for records.

        During a rebalance it is the maximum: the client discards a join that completes between two polls, and
        begins another one.
        """
        if not self._assignment.is_ready:
            return _MAX_POLL_SECONDS
        return 0 if waiting else min(timeout, _MAX_POLL_SECONDS)

    def _fetch(self, limit: int, seconds: float) -> Fetched:
        try:
            fetched: Fetched = self._consumer.poll(_ms(seconds), limit)
        except NoOffsetForPartitionError:
            return {}  # Just assigned: the next update seeks.
        except OffsetOutOfRangeError as error:
            self._assignment.restart(error.args[0])
        except LogTruncationError as error:
            self._assignment.restart(error.divergent_offsets)
        except (AuthorizationError, SaslAuthenticationFailedError) as error:
            raise BrokerRefused(f"{self._settings.where}: {error}") from None
        except RetriableError as error:
            _log.warning("Kafka: %s", error)
            time.sleep(seconds)
        except KafkaError as error:
            raise BusError(f"{self._settings.where}: {error}") from error
        else:
            return fetched
        return {}

    def _add(self, fetched: Fetched) -> None:
        for key, found in fetched.items():
            partition = Partition(*key)
            state = self._assignment.states[partition]
            missing = sum(state.add(self._record(partition, each)) for each in found)
            if missing:
                self._assignment.expired += missing
                _log.warning("%s: Kafka deleted %d records before they were read", partition, missing)

    def _record(self, partition: Partition, found: ConsumerRecord) -> Record:
        """A record of the client; a header or a value that is null becomes empty."""
        headers = tuple((name, value or b"") for name, value in found.headers)
        appended_at = clock_offset = None
        if found.timestamp_type == _LOG_APPEND_TIME:
            appended_at = found.timestamp * 1000
            clock_offset = self._clock.note(partition, found.offset, appended_at)
        return Record(partition, found.offset, headers, found.value or b"", appended_at, clock_offset or 0)

    def _take(self, limit: int) -> tuple[Record, ...]:
        """Up to `limit` waiting records, from the partitions in turn (round robin)."""
        records: list[Record] = []
        waiting = deque(state for state in self._assignment.states.values() if state.waiting)
        while waiting and len(records) < limit:
            state = waiting.popleft()
            records.append(state.waiting.popleft())
            if state.waiting:
                waiting.append(state)
        return tuple(records)

    def _changed_positions(self) -> dict[Partition, int]:
        """The positions that changed since the last batch."""
        changed = {}
        for partition, state in self._assignment.states.items():
            if state.next_position != state.last_reported:
                changed[partition] = state.last_reported = state.next_position
        return changed

    def _offsets(self) -> dict[TopicPartition, OffsetAndMetadata]:
        states = self._assignment.states.values()
        return {key_of(state.partition): OffsetAndMetadata(state.stored) for state in states}


def _open(settings: KafkaSettings, max_silence: float) -> KafkaConsumer:
    return open_client(
        KafkaConsumer,
        settings,
        group_id=settings.group,
        enable_auto_commit=False,
        auto_offset_reset="none",  # The sink has the positions, see `Assignment`.
        partition_assignment_strategy=[StickyPartitionAssignor],
        max_partition_fetch_bytes=1 << 20,
        fetch_max_bytes=8 << 20,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
        max_poll_interval_ms=_ms(max_silence),
        allow_auto_create_topics=False,
    )


def _ends(consumer: KafkaConsumer, settings: KafkaSettings) -> dict[Partition, int]:
    """The current end of every partition."""
    for topic in (settings.dead_letters, settings.topic):
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise missing_topic(settings, topic)
    try:
        ends = consumer.end_offsets([TopicPartition(settings.topic, number) for number in numbers])
    except AuthorizationError as error:
        raise BrokerRefused(f"{settings.where}: {error}") from None
    except KafkaError as error:
        raise BrokerUnavailable(
            f"{settings.where}: the ends of the partitions cannot be read: {error}"
        ) from None
    return {Partition(*key): end for key, end in ends.items()}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
