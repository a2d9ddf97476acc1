"""Dead-letter queue: a topic for records that can never be processed: why, where from, and what they were.

The value of a record may be a picture of people. It is replaced by its size and its SHA-256, unless the
operator wants the originals.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from bus.errors import AdvertisedNameError, BrokerRefused, BrokerUnavailable
from bus.kafka.client import open_client
from bus.kafka.settings import KafkaSettings
from bus.kafka.topics import DEAD_LETTER_BYTES
from bus.transport import Record

ERROR, TOPIC, PARTITION, OFFSET = "dlq.error", "dlq.topic", "dlq.partition", "dlq.offset"
SIZE, SHA256 = "dlq.size", "dlq.sha256"
"""Headers of a dead letter, in addition to those of the record; size and SHA-256 are those of its value."""

_SECONDS = 5.0
_MAX_REASON = 500
_MAX_HEADERS = 16
_MAX_HEADER_BYTES = 64
"""Headers of the record that are kept, and bytes of each: a longer one may be a picture as well."""

_log = logging.getLogger(__name__)


class DeadLetters:
    """Producer of the dead-letter queue; connects with the first record.

    With `originals` the records are kept unchanged, pictures included.
    """

    def __init__(self, settings: KafkaSettings, *, originals: bool = False) -> None:
        self._settings = settings
        self._originals = originals
        self._producer: KafkaProducer | None = None

    def put(self, record: Record, reason: str) -> None:
        """Store a record and wait for the broker's acknowledgement, for a few seconds at most.

        Raises:
            BrokerUnavailable: it is not stored, whatever the cause. A refused login or a missing permission
                counts as well, so that one bad frame does not end every worker of the group in turn.
        """
        headers = [
            *(record.headers if self._originals else _short_headers(record)),
            (ERROR, reason[:_MAX_REASON].encode("utf-8", "backslashreplace")),
            (TOPIC, record.partition.topic.encode()),
            (PARTITION, b"%d" % record.partition.number),
            (OFFSET, b"%d" % record.offset),
            (SIZE, b"%d" % len(record.value)),
            (SHA256, hashlib.sha256(record.value).hexdigest().encode()),
        ]
        value = record.value if self._originals else b""
        topic = self._settings.dead_letters
        try:
            self._producer = self._producer or self._open()
            self._producer.send(topic, value, headers=headers).get(timeout=_SECONDS)
        except (KafkaError, AdvertisedNameError, BrokerUnavailable, BrokerRefused) as error:
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


def _short_headers(record: Record) -> Iterator[tuple[str, bytes]]:
    for name, value in record.headers[:_MAX_HEADERS]:
        yield name[:_MAX_HEADER_BYTES], value[:_MAX_HEADER_BYTES]
