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
from collections.abc import Callable
from contextlib import suppress

from typing_extensions import override

from mien.alerts.addresses import Address
from mien.alerts.receivers import ATTEMPT_S, DeliveryError, Receiver, explain, judge_address

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
        target = judge_address(self._address)
        try:
            status = self._post(target, message_id, body)
        except OSError as error:
            raise DeliveryError(f"{self.shown}: {explain(error)}") from None
        except http.client.HTTPException as error:
            raise DeliveryError(f"{self.shown}: no answer in HTTP ({type(error).__name__})") from None
        if 300 <= status < 400:
            raise DeliveryError(f"{self.shown}: answered {status}; redirects are not followed")
        if not 200 <= status < 300:
            raise DeliveryError(f"{self.shown}: answered {status}")

    def _post(self, target: str, message_id: str, body: bytes) -> int:
        deadline = time.monotonic() + self._attempt_s
        raw = socket.create_connection((target, self._address.port), self._attempt_s)
        # Limits the whole attempt: a receiver that sends a byte now and then resets every other limit.
        expired = threading.Event()
        guard = threading.Timer(max(deadline - time.monotonic(), 0), _abort, (raw, expired))
        guard.daemon = True
        guard.start()
        connection: socket.socket = raw
        try:
            if self._address.encrypted:
                connection = self._context.wrap_socket(raw, server_hostname=self._address.host)
            client = http.client.HTTPConnection(self._address.host, self._address.port)
            client.sock = connection  # Neither a look-up nor a proxy: the address was judged.
            client.request("POST", self._address.path, body, self._headers(message_id, body))
            status = client.getresponse().status  # The body of the answer is not read.
            if expired.is_set():
                raise TimeoutError  # The client takes an answer that was cut off for a short one.
            return status
        except (OSError, http.client.HTTPException):
            if expired.is_set():
                raise TimeoutError from None
            raise
        finally:
            guard.cancel()
            connection.close()

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


def _abort(connection: socket.socket, expired: threading.Event) -> None:
    expired.set()
    with suppress(OSError):  # It has ended already.
        connection.shutdown(socket.SHUT_RDWR)
