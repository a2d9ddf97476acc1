"""Dead-letter queue: a topic for records that can never be processed, with their headers and values."""

from __future__ import annotations

import logging

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from bus.errors import BrokerRefused, BrokerUnavailable
from bus.kafka.client import open_client
from bus.kafka.settings import KafkaSettings
from bus.kafka.topics import DEAD_LETTER_BYTES
from bus.transport import Record

ERROR, TOPIC, PARTITION, OFFSET = "dlq.error", "dlq.topic", "dlq.partition", "dlq.offset"
"""Headers of a dead letter, in addition to those of the record."""

_SECONDS = 5.0
_MAX_REASON = 500

_log = logging.getLogger(__name__)


class DeadLetters:
    """Producer of the dead-letter queue; connects with the first record."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: KafkaProducer | None = None

    def put(self, record: Record, reason: str) -> None:
        """Store a record and wait for the broker's acknowledgement, for a few seconds at most.

        Raises:
            BrokerUnavailable: it is not stored, whatever the cause. A refused login or a missing permission
                counts as well, so that one bad frame does not end every worker of the group in turn.
        """
        headers = [
            *record.headers,
            (ERROR, reason[:_MAX_REASON].encode()),
            (TOPIC, record.partition.topic.encode()),
            (PARTITION, b"%d" % record.partition.number),
            (OFFSET, b"%d" % record.offset),
        ]
        topic = self._settings.dead_letters
        try:
            self._producer = self._producer or self._open()
            self._producer.send(topic, record.value, headers=headers).get(timeout=_SECONDS)
        except (KafkaError, BrokerUnavailable, BrokerRefused) as error:
            raise BrokerUnavailable(
                f"{self._settings.where}: {record.partition} offset {record.offset} cannot be stored in "
                f"{topic}: {error}"
            ) from error

    def close(self) -> None:
        """Close the connection."""
        if self._producer is not None:
            try:
                self._producer.close(timeout=_SECONDS)
            except KafkaTimeoutError as error:
                _log.warning("dead-letter queue: the client could not be closed: %s", error)

    def _open(self) -> KafkaProducer:
        return open_client(
            KafkaProducer,
            self._settings,
            seconds=_SECONDS,
            acks="all" if self._settings.acks == "all" else 1,
            enable_idempotence=False,
            max_request_size=DEAD_LETTER_BYTES,
            request_timeout_ms=2000,
            delivery_timeout_ms=round(_SECONDS * 1000),
            max_block_ms=2000,
            allow_auto_create_topics=False,
        )
