"""The capture's side on Kafka: bounded buffers, and one thread that empties them into the producer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from kafka import KafkaProducer
from kafka.errors import (
    BrokerResponseError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    UnknownError,
)

from bus.codec import encode
from bus.errors import BrokerRefused, BrokerUnavailable, TopicError
from bus.kafka.client import open_client, require_crc32c
from bus.kafka.outbox import Outbox
from bus.kafka.settings import KafkaSettings
from bus.kafka.topics import MAX_RECORD_BYTES, missing_topic
from bus.messages import Frame

NO_PARTITION = "no such partition"
TOO_LARGE = "too large"
REFUSED = "refused by Kafka"

_RETRY_SECONDS = 1.0
_REQUEST_SECONDS = 10.0
"""As long as a cluster takes to give a broker up. A request that is given up sooner, and a second one in its
place, would only put its frames into Kafka twice."""

_SILENCE_SECONDS = 5.0
_CLOSE_SECONDS = 2.0
_BLOCK_MS = 1000
_CONNECTION = "connection"
_BUFFERS = "buffers"

_log = logging.getLogger(__name__)


class KafkaWriter:
    """A `FrameWriter` on Kafka; any number of threads may share it.

    It needs no broker to begin with and waits for one as long as it takes. Meanwhile at most `capacity`
    frames of each camera wait and as many are in flight, the oldest waiting one gives way to a new one, and
    every drop is counted.

    A frame that was handed to the client stays in flight until a broker has acknowledged or refused it,
    however long that takes. A broker may have a frame without having said so; if that counted as dropped and
    was then analysed, it would count twice. So only frames that were never sent are dropped.

    The client's idempotence stays off: with it, one batch that expires blocks the client for good. A batch
    whose acknowledgement is lost is therefore sent once more, and readers leave the doubles out (`Arrivals`).

    Args:
        settings: where frames go.
        partition_of: the partition of a camera, by its id; quick, and never raises.
        capacity: frames of one camera that may wait before the oldest is dropped.
        in_flight_bytes: what may be with the client, not acknowledged yet, of all cameras together.
        grace: seconds that `close` may wait for what is on its way.
        on_acknowledged: told camera id, epoch and seq of every frame that arrived, on another thread.

    Raises:
        LibraryError: crc32c is missing.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        partition_of: Callable[[str], int],
        *,
        capacity: int = 16,
        in_flight_bytes: int = 8 << 20,
        grace: float = 8.0,
        on_acknowledged: Callable[[str, int, int], None] = lambda camera_id, epoch, seq: None,
    ) -> None:
        require_crc32c()
        self._settings = settings
        self._partition_of = partition_of
        self._grace = grace
        self._on_acknowledged = on_acknowledged
        self._outbox = Outbox(capacity, in_flight_bytes)
        self._connected = threading.Event()
        self._troubled: dict[str, str] = {}
        self._heard_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="kafka writer", daemon=True)
        self._thread.start()

    @property
    def acknowledged(self) -> int:
        """Frames that arrived on a broker."""
        return self._outbox.acknowledged

    def publish(self, frame: Frame) -> bool:
        """See `FrameWriter.publish`."""
        fits = self._outbox.put(frame)
        silence = time.monotonic() - self._heard_at
        if not fits and silence > _SILENCE_SECONDS:
            self._say(_BUFFERS, f"frames are dropped, no broker took one in for {silence:.0f} s")
        return fits

    def wait_for_room(self, camera_id: str, timeout: float) -> bool:
        """See `FrameWriter.wait_for_room`."""
        return self._outbox.wait_for_room(camera_id, timeout)

    def take_drops(self, camera_id: str) -> Mapping[str, int]:
        """See `FrameWriter.take_drops`."""
        return self._outbox.take_drops(camera_id)

    def close(self) -> None:
        """See `FrameWriter.close`; what has not been sent within `grace` seconds is counted as dropped.

        What was sent and not acknowledged until then may be in Kafka or not: it is counted if it is, by the
        worker that comes upon it, and the log says of how many frames that holds.
        """
        if open_ := self._outbox.close(self._grace):
            _log.error("Kafka: closed without knowing whether the last %d frames arrived", open_)
        self._thread.join(timeout=1)

    def wait_until_connected(self, timeout: float) -> bool:
        """Whether a broker and the topic have been found, within `timeout` seconds."""
        return self._connected.wait(timeout)

    def _run(self) -> None:
        producer = self._connect()
        if producer is None:
            return
        self._connected.set()
        try:
            while (frame := self._outbox.take()) is not None:
                self._send(producer, frame)
        finally:
            _close(producer)

    def _connect(self) -> KafkaProducer | None:
        """A producer as soon as there is a broker with the topic; None where the writer was closed before."""
        while not self._outbox.wait_until_stopped(0):
            try:
                producer = self._open()
            except (BrokerUnavailable, BrokerRefused, TopicError) as error:
                self._say(_CONNECTION, f"frames wait: {error}", kind=type(error).__name__)
                self._outbox.wait_until_stopped(_RETRY_SECONDS)
            else:
                self._say(_CONNECTION)
                return producer
        return None

    def _open(self) -> KafkaProducer:
        producer = open_client(
            KafkaProducer,
            self._settings,
            acks="all" if self._settings.acks == "all" else 1,
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,  # Or a batch that is sent again passes its successor.
            linger_ms=5,
            batch_size=512 << 10,
            max_request_size=MAX_RECORD_BYTES,
            compression_type=None,
            request_timeout_ms=round(_REQUEST_SECONDS * 1000),
            delivery_timeout_ms=float("inf"),
            max_block_ms=_BLOCK_MS,
            allow_auto_create_topics=False,
        )
        try:
            producer.partitions_for(self._settings.topic)
        except KafkaError:
            _close(producer)
            raise missing_topic(self._settings, self._settings.topic) from None
        return producer

    def _send(self, producer: KafkaProducer, frame: Frame) -> None:
        headers, value = encode(frame)
        size = len(value)
        camera_id, epoch, seq = frame.camera_id, frame.epoch, frame.seq
        topic, partition = self._settings.topic, self._partition_of(camera_id)
        try:
            if partition not in producer.partitions_for(topic):
                self._lose(camera_id, size, NO_PARTITION, f"topic {topic} has no partition {partition}")
                return
            key = camera_id.encode("ascii")
            future = producer.send(topic, value, key, list(headers.items()), partition)
        except MessageSizeTooLargeError as error:
            self._lose(camera_id, size, TOO_LARGE, error)
        except (KafkaTimeoutError, ValueError) as error:  # Where the partitions are is not known just now.
            self._say(_CONNECTION, f"frames wait: {error}")
            self._outbox.put_back(frame)
        else:
            future.add_callback(lambda _: self._arrive(camera_id, epoch, seq, size))
            future.add_errback(lambda error: self._fail(camera_id, size, error))

    def _arrive(self, camera_id: str, epoch: int, seq: int, size: int) -> None:
        self._outbox.arrived(camera_id, size)
        self._on_acknowledged(camera_id, epoch, seq)
        self._heard_at = time.monotonic()
        for subject in (_CONNECTION, _BUFFERS, camera_id):
            self._say(subject)

    def _fail(self, camera_id: str, size: int, error: Exception) -> None:
        if isinstance(error, BrokerResponseError) and not isinstance(error, UnknownError):
            self._lose(camera_id, size, REFUSED, error)
        else:
            self._outbox.unsure(camera_id, size)
            self._say(camera_id, f"whether frames arrived is not known: {error}")

    def _lose(self, camera_id: str, size: int, reason: str, error: object) -> None:
        self._outbox.lost(camera_id, size, reason)
        self._say(camera_id, f"frames are lost, {reason}: {error}")

    def _say(self, subject: str, trouble: str = "", kind: str = "") -> None:
        """Log what is wrong with `subject`, once while that `kind` of it lasts, and that it is over."""
        if trouble and self._troubled.get(subject) != kind:
            self._troubled[subject] = kind
            _log.error("Kafka: %s: %s", subject, trouble)
        elif not trouble and self._troubled.pop(subject, None) is not None:
            _log.warning("Kafka: %s: all is well again", subject)


def _close(producer: KafkaProducer) -> None:
    try:
        producer.close(timeout=_CLOSE_SECONDS)
    except KafkaTimeoutError:
        _log.warning("Kafka: the client could not be closed in %.0f s", _CLOSE_SECONDS)
