"""The publishing side on Kafka: bounded buffers, and one thread that sends their frames."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from kafka import KafkaProducer
from kafka.errors import (
    AuthorizationError,
    BrokerResponseError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    UnknownError,
)
from typing_extensions import override

from bus.codec import encode
from bus.errors import AdvertisedNameError, BrokerRefused, BrokerUnavailable, TopicError
from bus.kafka.broker_clock import ClockAlarm
from bus.kafka.client import open_client, require_crc32c
from bus.kafka.outbox import Outbox
from bus.kafka.settings import KafkaSettings
from bus.kafka.topics import MAX_RECORD_BYTES, missing_topic
from bus.messages import Frame
from bus.transport import FrameWriter
from common.clock import wall_clock_us

NO_PARTITION = "no such partition"
TOO_LARGE = "too large"
REFUSED = "refused by Kafka"

_RETRY_SECONDS = 1.0
_REQUEST_SECONDS = 10.0
"""As long as a cluster needs to detect a failed broker. A shorter time-out would only send frames twice."""

_MAX_SILENCE_SECONDS = 5.0
_CLOSE_SECONDS = 2.0
_BLOCK_MS = 1000
_CONNECTION = "connection"
_BUFFERS = "buffers"

_log = logging.getLogger(__name__)


class KafkaWriter(FrameWriter):
    """A `FrameWriter` on Kafka; any number of threads may share it.

    It starts without a broker and waits for one without limit. Meanwhile at most `capacity` frames of each
    camera wait and as many are in flight; a new frame replaces the oldest waiting one; every drop is counted.

    A sent frame stays in flight until a broker acknowledges or refuses it, however long that takes. A broker
    may have a frame that it did not acknowledge: counted as dropped and then analysed, the frame would count
    twice. So only frames that were never sent are dropped.

    An error that ends the sending thread is kept: `check` and the methods that wait raise it.

    The client's idempotence is off: with it, one batch that expires blocks the client for ever. A batch whose
    acknowledgement is lost is therefore sent again, and workers count and skip the repeated frames.

    Args:
        settings: where frames go.
        partition_of: the partition of a camera, by its id; fast, and never raises.
        clock: returns microseconds UTC.
        capacity: frames of one camera that may wait before the oldest is dropped.
        in_flight_bytes: JPEG bytes of all cameras that are sent and not acknowledged; one frame of each
            camera is always allowed.
        grace: seconds that `close` waits for the remaining frames.
        on_acknowledged: called on another thread with camera id, epoch and seq of every acknowledged frame.

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
        clock: Callable[[], int] = wall_clock_us,
    ) -> None:
        require_crc32c()
        self.error: Exception | None = None
        """What ended the sending thread, other than `close`: no frame is sent any more."""
        self._settings = settings
        self._partition_of = partition_of
        self._grace = grace
        self._on_acknowledged = on_acknowledged
        self._clock = clock
        self._clock_alarm = ClockAlarm(settings.where)
        self._outbox = Outbox(capacity, in_flight_bytes)
        self._connected = threading.Event()
        self._problems: dict[str, str] = {}
        self._acknowledged_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="kafka writer", daemon=True)
        self._thread.start()

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged frames."""
        return self._outbox.acknowledged

    @property
    def clock_offset_us(self) -> int:
        """This machine's clock less the broker's, as far as it is certain, in microseconds."""
        return self._clock_alarm.offset_us

    @override
    def publish(self, frame: Frame) -> bool:
        fits = self._outbox.put(frame)
        silence = time.monotonic() - self._acknowledged_at
        if not fits and silence > _MAX_SILENCE_SECONDS:
            self._report_problem(_BUFFERS, f"frames are dropped, no acknowledgement for {silence:.0f} s")
        return fits

    def check(self) -> None:
        """Raise what ended the sending thread, if anything did."""
        if self.error is not None:
            raise self.error

    @override
    def wait_for_room(self, camera_id: str, timeout: float) -> bool:
        self.check()
        return self._outbox.wait_for_room(camera_id, timeout)

    @override
    def take_drops(self, camera_id: str) -> Mapping[str, int]:
        return self._outbox.take_drops(camera_id)

    @override
    def close(self) -> None:
        grace = self._grace if self.error is None else 0.0  # Nobody sends the remaining frames.
        if unknown := self._outbox.close(grace):
            _log.error("Kafka: closed, whether the last %d frames arrived is unknown", unknown)
        self._thread.join(timeout=1)

    def wait_until_empty(self, timeout: float) -> bool:
        """Wait until a broker has every published frame; False after `timeout` seconds."""
        self.check()
        return self._outbox.wait_until_empty(timeout)

    def wait_until_connected(self, timeout: float) -> bool:
        """Whether the topic is found on a broker, after at most `timeout` seconds."""
        self.check()
        return self._connected.wait(timeout)

    def _run(self) -> None:
        try:
            self._send_frames()
        except Exception as error:
            self.error = error
            raise

    def _send_frames(self) -> None:
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
        """A producer, once a broker with the topic answers; None where the writer is closed before."""
        while not self._outbox.wait_until_stopped(0):
            try:
                producer = self._open()
            except (AdvertisedNameError, BrokerUnavailable, BrokerRefused, TopicError) as error:
                self._report_problem(_CONNECTION, f"frames wait: {error}", kind=type(error).__name__)
                self._outbox.wait_until_stopped(_RETRY_SECONDS)
            else:
                self._report_recovery(_CONNECTION)
                return producer
        return None

    def _open(self) -> KafkaProducer:
        producer = open_client(
            KafkaProducer,
            self._settings,
            acks="all" if self._settings.acks == "all" else 1,
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,  # A batch that is sent again must not be overtaken.
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
        except AuthorizationError as error:
            _close(producer)
            raise BrokerRefused(
                f"{self._settings.where}: user {self._settings.user!r} has no permission: {error}"
            ) from None
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
                self._drop(camera_id, size, NO_PARTITION, f"topic {topic} has no partition {partition}")
                return
            key = camera_id.encode("ascii")
            sent_at = self._clock()
            future = producer.send(topic, value, key, list(headers), partition)
        except MessageSizeTooLargeError as error:
            self._drop(camera_id, size, TOO_LARGE, error)
        except (KafkaError, ValueError) as error:
            # The leaders of the partitions are unknown, or a permission is missing at present. No error of a
            # broker may end this thread: the cameras would lose every later frame.
            self._report_problem(_CONNECTION, f"frames wait: {error}", kind=type(error).__name__)
            self._outbox.put_back(frame)
            self._outbox.wait_until_stopped(_RETRY_SECONDS)
        else:
            future.add_callback(lambda stored: self._note_time(sent_at, stored.timestamp))
            future.add_callback(lambda _: self._acknowledge(camera_id, epoch, seq, size))
            future.add_errback(lambda error: self._handle_error(camera_id, size, error))

    def _note_time(self, sent_at: int, appended_ms: int) -> None:
        """Compare clocks: a frame is appended after it was sent and before its acknowledgement arrives."""
        self._clock_alarm.update(sent_at - appended_ms * 1000, self._clock() - appended_ms * 1000)

    def _acknowledge(self, camera_id: str, epoch: int, seq: int, size: int) -> None:
        self._outbox.acknowledge(camera_id, size)
        self._on_acknowledged(camera_id, epoch, seq)
        self._acknowledged_at = time.monotonic()
        for subject in (_CONNECTION, _BUFFERS, camera_id):
            self._report_recovery(subject)

    def _handle_error(self, camera_id: str, size: int, error: Exception) -> None:
        if isinstance(error, BrokerResponseError) and not isinstance(error, UnknownError):
            self._drop(camera_id, size, REFUSED, error)
        else:
            self._outbox.forget(camera_id, size)
            self._report_problem(camera_id, f"whether frames arrived is unknown: {error}")

    def _drop(self, camera_id: str, size: int, reason: str, error: object) -> None:
        self._outbox.drop(camera_id, size, reason)
        self._report_problem(camera_id, f"frames are dropped, {reason}: {error}")

    def _report_problem(self, subject: str, problem: str, kind: str = "") -> None:
        """Log a problem of `subject`, once as long as it is of the same `kind`."""
        if self._problems.get(subject) != kind:
            self._problems[subject] = kind
            _log.error("Kafka: %s: %s", subject, problem)

    def _report_recovery(self, subject: str) -> None:
        if self._problems.pop(subject, None) is not None:
            _log.warning("Kafka: %s: recovered", subject)


def _close(producer: KafkaProducer) -> None:
    try:
        producer.close(timeout=_CLOSE_SECONDS)
    except KafkaTimeoutError:
        _log.warning("Kafka: the client could not be closed in %.0f s", _CLOSE_SECONDS)
