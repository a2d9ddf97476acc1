"""Clients of kafka-python: opened, or refused with the reason in one line.

This module alone uses internals of kafka-python (checked with 3.0.12), the reason for its upper bound:

- `KafkaConsumer._coordinator.request_rejoin`: the client forgets a rebalance that it began because the
  topic's metadata changed, where a poll ends before the rebalance does; the member then waits for ever. It
  does not forget this request.
- `kafka.net.compat.KafkaNetClient`, passed as `kafka_client`: a constructor that fails leaves its sockets and
  its thread open, and only this object can close them.
- the loggers `kafka.net.*`: the client retries a failed connection and reports the reason in its log alone.
- `KafkaNetClient.cluster`: the addresses that the brokers advertise.
- `KafkaConsumer._fetcher.offsets_by_times`: the public method does not accept OffsetSpec.MAX_TIMESTAMP.
- the texts "socket disconnected" and "Handshake failed: ": there is no error class for these reasons.
"""

from __future__ import annotations

import importlib.util
import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    KafkaConfigurationError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.protocol.consumer.offsets import OffsetSpec
from typing_extensions import override

from bus.errors import AdvertisedNameError, BrokerRefused, BrokerUnavailable, BusError, LibraryError
from bus.kafka.settings import KafkaSettings

CONNECT_SECONDS = 5.0
_RECONNECT_MS = 2000
"""The longest back-off between two connection attempts: cameras must not wait longer for a broker."""

_LISTEN_SECONDS = 2.0
_CLOSED = "socket disconnected"

_CLIENT_LOGGERS = ("kafka.net.connection", "kafka.net.manager", "kafka.net.transport")


class _Closable(Protocol):
    def close(self) -> None: ...


Client = TypeVar("Client", bound=_Closable)

_log = logging.getLogger(__name__)


def require_crc32c() -> None:
    """Check that the compiled checksum is installed.

    The pure Python one takes about 9 ms for a frame of 64 KiB, at each end.

    Raises:
        LibraryError: it is not installed.
    """
    if importlib.util.find_spec("crc32c") is None:
        raise LibraryError(
            "crc32c is missing, without it Kafka is too slow: pip install 'kafka-python[crc32c]'"
        )


def open_client(
    kind: Callable[..., Client],
    settings: KafkaSettings,
    *,
    seconds: float = CONNECT_SECONDS,
    **options: Any,
) -> Client:
    """A producer, consumer or admin client (`kind`) that is connected within `seconds`.

    Raises:
        AdvertisedNameError: the brokers advertise names that this machine cannot resolve.
        BrokerRefused: a broker answers and refuses the connection.
        BrokerUnavailable: no broker answers, or none at the addresses that the brokers advertise.
    """
    opened: list[KafkaNetClient] = []

    def network(**given: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(**given))
        return opened[-1]

    with _collected_errors() as errors:
        try:
            client = kind(
                **settings.connection(),
                bootstrap_timeout_ms=round(seconds * 1000),
                reconnect_backoff_max_ms=_RECONNECT_MS,
                kafka_client=network,
                **options,
            )
        except KafkaConfigurationError:
            raise
        except KafkaError as error:
            for each in opened:
                each.close()
            raise explain(settings, [*errors, error], seconds) from None
    try:
        check_advertised(
            settings, [(each.node_id, each.host, each.port) for each in opened[-1].cluster.brokers()]
        )
    except BusError:
        client.close()  # Not its network alone: the thread of a producer still polls that.
        raise
    return client


def check_advertised(settings: KafkaSettings, brokers: Sequence[tuple[int, str, int]]) -> None:
    """Check the addresses that brokers advertise (node id, host, port): a connected client uses no others.

    A name that cannot be resolved is only logged where another broker's can: that broker may just have ended.

    Raises:
        AdvertisedNameError: none of the names can be resolved here.
        BrokerUnavailable: nothing listens on any of the addresses.
    """
    unknown = []
    for node, host, port in brokers:
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            unknown.append(
                f"{settings.where}: broker {node} advertises the name {host}:{port}, which cannot be "
                f"resolved here ({error.strerror}): set advertised.listeners of the broker to a name that "
                "its clients know"
            )
    if unknown and len(unknown) == len(brokers):
        raise AdvertisedNameError(unknown[0])
    for problem in unknown:
        _log.warning("Kafka: %s", problem)
    if brokers and not any(_listens(host, port) for _, host, port in brokers):
        names = ", ".join(f"{host}:{port}" for _, host, port in brokers)
        raise BrokerUnavailable(
            f"{settings.where}: a broker answers, but nothing listens on {names}, which the brokers "
            "advertise: check advertised.listeners of the brokers"
        )


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_LISTEN_SECONDS).close()
    except OSError:
        return False
    return True


def newest_times(
    consumer: KafkaConsumer, partitions: Iterable[TopicPartition], seconds: float
) -> dict[TopicPartition, tuple[int, int]]:
    """The newest record of each partition that has one: its offset and append time (broker's clock, ms).

    Raises the errors of the client, such as KafkaTimeoutError after `seconds`.
    """
    wanted = dict.fromkeys(partitions, OffsetSpec.MAX_TIMESTAMP)
    found = consumer._fetcher.offsets_by_times(wanted, round(seconds * 1000))
    return {key: (each.offset, each.timestamp) for key, each in found.items() if each is not None}


def request_rejoin(consumer: KafkaConsumer) -> None:
    """Let a consumer complete a rebalance that it began itself; see the list at the top."""
    consumer._coordinator.request_rejoin()


@contextmanager
def _collected_errors() -> Iterator[list[Exception]]:
    """The errors of connection attempts: the client retries and only logs them."""
    collector = _ErrorCollector()
    loggers = [logging.getLogger(name) for name in _CLIENT_LOGGERS]
    for logger in loggers:
        logger.addFilter(collector)
    try:
        yield collector.errors
    finally:
        for logger in loggers:
            logger.removeFilter(collector)


class _ErrorCollector(logging.Filter):
    """Collects logged exceptions and suppresses the log lines."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[Exception] = []

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.errors += [each for each in arguments if isinstance(each, Exception)]
        return False


def explain(settings: KafkaSettings, errors: list[Exception], seconds: float) -> BusError:
    """The reason why no client could connect within `seconds`, from at least one error.

    A broker that refuses a password reports that and closes the connection at once. Where both arrive
    together, kafka-python 3.0.12 reports the closed connection and loses the refusal; so a broker that
    accepts several connections of a user and closes every one has refused that user.
    """
    texts = [str(error) for error in errors]
    ends = [str(error) for error in errors if isinstance(error, KafkaConnectionError)]
    closed = settings.user is not None and len(ends) > 1 and all(_CLOSED in end for end in ends)
    if closed or any(isinstance(each, SaslAuthenticationFailedError) for each in errors):
        return BrokerRefused(
            f"{settings.where}: user {settings.user!r} is refused: check user name and password"
        )
    if any(isinstance(each, UnsupportedSaslMechanismError) for each in errors):
        return BrokerRefused(f"{settings.where}: the listener does not offer SCRAM-SHA-512: check the port")
    handshake = next((text for text in texts if "Handshake failed: " in text), None)
    if handshake is not None:
        reason = handshake.partition("Handshake failed: ")[2]
        return BrokerRefused(
            f"{settings.where}: TLS: {reason}: check the certificates to trust (ca) and the port"
        )
    return BrokerUnavailable(
        f"{settings.where}: no broker answers within {seconds:g} s ({texts[0]}): check address, port, TLS "
        "and that the broker is running"
    )
