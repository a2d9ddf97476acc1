"""Webhook: HTTP POST of a message as JSON, signed by HMAC-SHA256.

The signature covers the time of the attempt and the body, so that a receiver can refuse forged and old
messages; the id of a message stays the same when it is sent again, so that repeats can be dropped.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from typing_extensions import override

from ingest.deadline import Deadline
from ingest.network import connect_to_first
from mien.alerts.addresses import Address
from mien.alerts.receivers import ATTEMPT_S, DeliveryError, Receiver, explain, judge_addresses

ID, TIMESTAMP, SIGNATURE = "Mien-Id", "Mien-Timestamp", "Mien-Signature"
"""The headers of a request; docs/operations.md shows how to verify the signature."""


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The value of the signature's header: `v1=` and HMAC-SHA256 of time, a full stop and body, in hex."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook(Receiver):
    """A webhook at one address.

    Args:
        address: where it listens.
        secret: the key of the signature.
        context: TLS, used where the address demands it.
        attempt_s: the longest time of one attempt.
        clock: returns seconds since 1970.
    """

    def __init__(
        self,
        address: Address,
        secret: bytes,
        context: ssl.SSLContext,
        *,
        attempt_s: float = ATTEMPT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address = address
        self._secret = secret
        self._context = context
        self._attempt_s = attempt_s
        self._clock = clock

    @property
    @override
    def channel(self) -> str:
        return "webhook"

    @property
    @override
    def shown(self) -> str:
        return self._address.origin

    @override
    def send(self, message_id: str, body: bytes) -> None:
        places = judge_addresses(self._address)
        try:
            status = self._post(places, message_id, body)
        except OSError as error:
            raise DeliveryError(f"{self.shown}: {explain(error)}") from None
        except http.client.HTTPException as error:
            raise DeliveryError(f"{self.shown}: no answer in HTTP ({type(error).__name__})") from None
        if 300 <= status < 400:
            raise DeliveryError(f"{self.shown}: answered {status}; redirects are not followed")
        if not 200 <= status < 300:
            raise DeliveryError(f"{self.shown}: answered {status}")

    def _post(self, places: Sequence[str], message_id: str, body: bytes) -> int:
        deadline = Deadline(self._attempt_s)
        with _limited(connect_to_first(places, self._address.port, deadline), deadline) as connection:
            if self._address.encrypted:
                connection.start_tls(self._context, self._address.host)
            client = http.client.HTTPConnection(self._address.host, self._address.port)
            client.sock = connection.socket  # Neither a look-up nor a proxy: the addresses were judged.
            client.request("POST", self._address.path, body, self._headers(message_id, body))
            return client.getresponse().status  # The body of the answer is not read.

    def _headers(self, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = f"{self._clock():.0f}"
        return {
            "Content-Type": "application/json",
            "User-Agent": "Mien",
            "Connection": "close",
            ID: message_id,
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self._secret, timestamp, body),
        }


class _Connection:
    """A connection that another thread may abort; `socket` is the one in use, with TLS once that started."""

    def __init__(self, raw: socket.socket) -> None:
        self.socket = raw
        self._aborted = threading.Event()

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Start TLS to a host of that name. Raises OSError where the handshake fails or was aborted."""
        # Before the handshake, because `wrap_socket` leaves nothing of the raw socket to be aborted.
        secured = context.wrap_socket(self.socket, server_hostname=host, do_handshake_on_connect=False)
        self.socket = secured
        self.check()
        secured.do_handshake()

    def abort(self) -> None:
        """End the connection; a thread that waits for it continues."""
        self._aborted.set()
        with suppress(OSError):  # It has ended already.
            # Not the method of TLS, after which the other thread would send without encryption.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def check(self) -> None:
        """Raise TimeoutError where the connection was aborted."""
        if self._aborted.is_set():
            raise TimeoutError


@contextmanager
def _limited(raw: socket.socket, deadline: Deadline) -> Iterator[_Connection]:
    """A connection that is aborted at the deadline, which is then a TimeoutError, and closed after the block.

    It limits the whole attempt: a receiver that sends a byte now and then resets every other limit.
    """
    connection = _Connection(raw)
    guard = threading.Timer(deadline.left(), connection.abort)
    guard.daemon = True
    guard.start()
    try:
        yield connection
        connection.check()  # The client takes an answer that was cut off for a short one.
    except (OSError, http.client.HTTPException):
        connection.check()
        raise
    finally:
        guard.cancel()
        connection.socket.close()
