"""Where records go that can never be processed: a topic of their own, bytes and headers as they came."""

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
"""Headers of a dead letter, beside those that the record had."""

_SECONDS = 5.0
_LONGEST_REASON = 500

_log = logging.getLogger(__name__)


class DeadLetters:
    """Writes to the topic of dead letters; connects with the first one."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: KafkaProducer | None = None

    def put(self, record: Record, reason: str) -> bool:
        """Set a record aside and wait until a broker has it, for seconds at most.

        False, with an error in the log, where that is not possible: a bad frame must not stop the good ones.
        """
        headers = [
            *record.headers.items(),
            (ERROR, reason[:_LONGEST_REASON].encode()),
            (TOPIC, record.partition.topic.encode()),
            (PARTITION, b"%d" % record.partition.number),
            (OFFSET, b"%d" % record.offset),
        ]
        topic = self._settings.dead_letters
        try:
            self._producer = self._producer or self._open()
            self._producer.send(topic, record.value, headers=headers).get(timeout=_SECONDS)
        except (KafkaError, BrokerUnavailable, BrokerRefused) as error:
            _log.error("%s offset %d could not be set aside: %s", record.partition, record.offset, error)
            return False
        return True

    def close(self) -> None:
        """Let go of the connection."""
        if self._producer is not None:
            try:
                self._producer.close(timeout=_SECONDS)
            except KafkaTimeoutError as error:
                _log.warning("dead letters: the client could not be closed: %s", error)

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
