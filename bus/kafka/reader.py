"""The worker's side on Kafka: a member of a consumer group whose place in the log is kept by the sink."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

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

from bus.errors import BrokerRefused, BusError, TransportClosed
from bus.kafka.assignment import Assignment, key_of
from bus.kafka.client import open_client, require_crc32c
from bus.kafka.dead_letters import DeadLetters
from bus.kafka.rebalances import Rebalances
from bus.kafka.settings import KafkaSettings
from bus.kafka.topics import missing_topic
from bus.messages import Partition, Positions
from bus.transport import Batch, Record, Resume

_LONGEST_POLL_SECONDS = 0.5
_COMMIT_SECONDS = 1.0
_CLOSE_SECONDS = 5.0

_log = logging.getLogger(__name__)

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]


class KafkaReader:
    """A `FrameReader` on Kafka: one member of the group, on as many partitions as the group leaves to it.

    The sink alone decides where a partition goes on, whenever partitions are assigned; what is committed to
    Kafka is for tools that show lag. A position that Kafka does not have (deleted meanwhile, or the topic was
    made anew) goes on with the oldest record. Nothing is handed out while the group rebalances.

    A worker that cannot store calls `hold`, which keeps the membership. One that neither polls nor holds for
    `max_silence` loses its partitions, is told so by the next poll, and begins where the sink then is. What
    it writes in between the sink has to refuse, since it holds another position than that worker last wrote.

    Args:
        settings: which cluster, topic and group.
        resume: asked for the sink's positions, by the thread that polls.
        outages: what `resume` raises while the sink is away; the partitions then wait.
        drain: end once everything that was published before now has been stored.
        max_silence: seconds without `poll` or `hold` after which the group goes on without this reader; for
            so long a rebalance waits for one that is busy.

    Raises:
        BrokerRefused, BrokerUnavailable: see `open_client`.
        TopicError: a topic is missing.
        LibraryError: crc32c is missing.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        resume: Resume,
        *,
        outages: tuple[type[Exception], ...] = (),
        drain: bool = False,
        max_silence: float = 60.0,
    ) -> None:
        require_crc32c()
        self._settings = settings
        self._drain = drain
        self._held = False
        self._closed = False
        self._committed_at = time.monotonic()
        self._dead_letters = DeadLetters(settings)
        self._consumer = _open(settings, max_silence)
        rebalances = Rebalances(self._consumer)
        self._consumer.subscribe([settings.topic], listener=rebalances)
        try:
            goals = _ends(self._consumer, settings)
        except BaseException:
            self._consumer.close(autocommit=False)
            raise
        self._assignment = Assignment(self._consumer, rebalances, resume, outages, goals)

    @property
    def expired(self) -> int:
        """Records that Kafka deleted before this reader came to them."""
        return self._assignment.expired

    def lag(self) -> Mapping[Partition, int]:
        """Records on the bus that were not handed out yet, by partition, as a broker last told.

        For the thread that polls.
        """
        lanes = self._assignment.lanes
        ends = {each: self._consumer.highwater(key_of(each)) for each in lanes}
        return {each: max(end - lanes[each].position, 0) for each, end in ends.items() if end is not None}

    def poll(self, limit: int, timeout: float) -> Batch:
        """See `FrameReader.poll`; waits half a second at most, and that long while the group rebalances.

        Raises:
            BrokerRefused: credentials or permissions do not do any more.
        """
        if self._closed:
            raise TransportClosed("the reader is closed")
        assignment = self._assignment
        self._release()
        assignment.settle()
        waiting = sum(len(lane.waiting) for lane in assignment.lanes.values())
        if waiting < limit:
            fetched = self._fetch(limit * max(len(assignment.lanes), 1), self._patience(waiting, timeout))
            assignment.settle()
            self._take_in(fetched)
        revoked = assignment.take_gone()
        if not assignment.is_settled:
            return Batch(revoked=revoked)
        records = self._deal(limit)
        ended = self._drain and all(lane.is_done for lane in assignment.lanes.values())
        return Batch(records, self._news(), revoked, ended=ended and not records)

    def acknowledge(self, positions: Positions) -> None:
        """See `FrameReader.acknowledge`."""
        for partition, position in positions.items():
            if partition in self._assignment.lanes:
                self._assignment.lanes[partition].stored = position
        due = time.monotonic() - self._committed_at >= _COMMIT_SECONDS
        if due and self._assignment.is_settled:
            self._committed_at = time.monotonic()
            self._consumer.commit_async(self._offsets())

    def resume(self, partitions: Iterable[Partition]) -> None:
        """See `FrameReader.resume`; the sink is asked by the next poll, which waits while it is away."""
        self._assignment.begin_again(map(key_of, partitions))

    def hold(self, timeout: float) -> None:
        """See `FrameReader.hold`."""
        deadline = time.monotonic() + timeout
        self._held = True
        while (left := deadline - time.monotonic()) > 0:
            self._consumer.pause(*self._consumer.assignment())
            self._fetch(1, min(left, _LONGEST_POLL_SECONDS))

    def reject(self, record: Record, reason: str) -> None:
        """See `FrameReader.reject`; the record is among the dead letters when this returns."""
        _log.warning("%s offset %d set aside: %s", record.partition, record.offset, reason)
        self._dead_letters.put(record, reason)

    def close(self) -> None:
        """See `FrameReader.close`."""
        if self._closed:
            return
        self._closed = True
        self._dead_letters.close()
        try:
            if self._assignment.is_settled:
                self._consumer.commit(self._offsets(), timeout_ms=_ms(_COMMIT_SECONDS))
        except KafkaError as error:
            _log.info("offsets are not committed, the sink has them: %s", error)
        try:
            self._consumer.close(autocommit=False, timeout_ms=_ms(_CLOSE_SECONDS))
        except KafkaError as error:
            _log.warning("Kafka: the reader left without saying so: %s", error)

    def _release(self) -> None:
        """Go on after `hold` with what is still ours."""
        if self._held:
            self._held = False
            ours = self._consumer.assignment() & {key_of(each) for each in self._assignment.lanes}
            self._consumer.resume(*ours)

    def _patience(self, waiting: int, timeout: float) -> float:
        """Seconds to wait for records.

        While the group rebalances all that is allowed: the client throws a join away that is done between two
        polls, and begins another one.
        """
        if not self._assignment.is_settled:
            return _LONGEST_POLL_SECONDS
        return 0 if waiting else min(timeout, _LONGEST_POLL_SECONDS)

    def _fetch(self, limit: int, seconds: float) -> Fetched:
        try:
            fetched: Fetched = self._consumer.poll(_ms(seconds), limit)
        except NoOffsetForPartitionError:
            return {}  # Assigned this moment: the sink is asked next.
        except OffsetOutOfRangeError as error:
            self._assignment.begin_again(error.args[0])
        except LogTruncationError as error:
            self._assignment.begin_again(error.divergent_offsets)
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

    def _take_in(self, fetched: Fetched) -> None:
        for key, found in fetched.items():
            partition = Partition(*key)
            lane = self._assignment.lanes[partition]
            missing = 0
            for each in found:
                missing += lane.take_in(Record(partition, each.offset, dict(each.headers), each.value or b""))
            if missing:
                self._assignment.expired += missing
                _log.warning("%s: %d records were deleted before they were read", partition, missing)

    def _deal(self, limit: int) -> tuple[Record, ...]:
        """Up to `limit` of what waits, the partitions in turn."""
        records: list[Record] = []
        busy = deque(lane for lane in self._assignment.lanes.values() if lane.waiting)
        while busy and len(records) < limit:
            lane = busy.popleft()
            records.append(lane.waiting.popleft())
            if lane.waiting:
                busy.append(lane)
        return tuple(records)

    def _news(self) -> dict[Partition, int]:
        """The positions that moved since the last batch."""
        news = {}
        for partition, lane in self._assignment.lanes.items():
            if lane.position != lane.told:
                news[partition] = lane.told = lane.position
        return news

    def _offsets(self) -> dict[TopicPartition, OffsetAndMetadata]:
        lanes = self._assignment.lanes.values()
        return {key_of(lane.partition): OffsetAndMetadata(lane.stored) for lane in lanes}


def _open(settings: KafkaSettings, max_silence: float) -> KafkaConsumer:
    return open_client(
        KafkaConsumer,
        settings,
        group_id=settings.group,
        enable_auto_commit=False,
        auto_offset_reset="none",  # The sink decides, see `Assignment`.
        partition_assignment_strategy=[StickyPartitionAssignor],
        max_partition_fetch_bytes=1 << 20,
        fetch_max_bytes=8 << 20,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
        max_poll_interval_ms=_ms(max_silence),
        allow_auto_create_topics=False,
    )


def _ends(consumer: KafkaConsumer, settings: KafkaSettings) -> dict[Partition, int]:
    """The end of every partition now."""
    for topic in (settings.dead_letters, settings.topic):
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise missing_topic(settings, topic)
    ends = consumer.end_offsets([TopicPartition(settings.topic, number) for number in numbers])
    return {Partition(*key): end for key, end in ends.items()}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
