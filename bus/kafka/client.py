"""Opening a client of kafka-python, and saying in one line why it could not be opened."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka.errors import (
    KafkaConfigurationError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient

from bus.errors import BrokerRefused, BrokerUnavailable, BusError, LibraryError
from bus.kafka.settings import KafkaSettings

CONNECT_SECONDS = 5.0
_RECONNECT_MS = 2000
"""The longest pause between two tries to reach a broker: cameras should not wait longer than that."""

_HUNG_UP = "socket disconnected"

_CLIENT_LOGGERS = ("kafka.net.connection", "kafka.net.manager", "kafka.net.transport")

Client = TypeVar("Client")


def require_crc32c() -> None:
    """Refuse to go on without the compiled checksum.

    The pure Python one takes about 9 ms for a frame of 64 KiB, at each end.

    Raises:
        LibraryError: it is not installed.
    """
    if importlib.util.find_spec("crc32c") is None:
        raise LibraryError(
            "crc32c is missing, without it Kafka costs too much: pip install 'kafka-python[crc32c]'"
        )


def open_client(
    kind: Callable[..., Client],
    settings: KafkaSettings,
    *,
    seconds: float = CONNECT_SECONDS,
    **options: Any,
) -> Client:
    """A producer, consumer or admin client (`kind`) that has found the cluster within `seconds`.

    Raises:
        BrokerRefused: a broker answers but does not let us in.
        BrokerUnavailable: no broker answers.
    """
    opened: list[KafkaNetClient] = []

    def network(**given: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(**given))
        return opened[-1]

    with _overheard() as problems:
        try:
            return kind(
                **settings.connection(),
                bootstrap_timeout_ms=round(seconds * 1000),
                reconnect_backoff_max_ms=_RECONNECT_MS,
                kafka_client=network,
                **options,
            )
        except KafkaConfigurationError:
            raise
        except KafkaError as error:
            for client in opened:  # The constructor leaves its sockets and its thread behind.
                client.close()
            raise explained(settings, [*problems, error], seconds) from None


@contextmanager
def _overheard() -> Iterator[list[Exception]]:
    """What goes wrong while a client connects: it tries on, and tells nobody but its log."""
    listener = _Listener()
    loggers = [logging.getLogger(name) for name in _CLIENT_LOGGERS]
    for logger in loggers:
        logger.addFilter(listener)
    try:
        yield listener.problems
    finally:
        for logger in loggers:
            logger.removeFilter(listener)


class _Listener(logging.Filter):
    """Keeps the exceptions that are logged, and the lines out of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[Exception] = []

    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.problems += [each for each in arguments if isinstance(each, Exception)]
        return False


def explained(settings: KafkaSettings, problems: list[Exception], seconds: float) -> BusError:
    """Why there is no client after `seconds`, from what went wrong on the way (at least one problem).

    A broker that refuses a password says so and hangs up at once. Where both arrive together, kafka-python
    3.0.12 reports the second and forgets the first; so a broker that lets a user connect, time and again, and
    then always hangs up has refused that user.
    """
    texts = [str(problem) for problem in problems]
    ends = [str(problem) for problem in problems if isinstance(problem, KafkaConnectionError)]
    hung_up = settings.user is not None and len(ends) > 1 and all(_HUNG_UP in end for end in ends)
    if hung_up or any(isinstance(each, SaslAuthenticationFailedError) for each in problems):
        return BrokerRefused(
            f"{settings.where}: user {settings.user!r} is refused: check user name and password"
        )
    if any(isinstance(each, UnsupportedSaslMechanismError) for each in problems):
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
