"""MQTT: a message is published with quality of service 1 and not retained, on a connection of its own."""

from __future__ import annotations

import ssl
import threading
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from typing_extensions import override

from ingest.deadline import Deadline
from mien.alerts.addresses import Address, topic_of
from mien.alerts.receivers import ATTEMPT_S, DeliveryError, Receiver, explain, judge_addresses

_LOOK_EVERY_S = 0.02


class _NamedContext(ssl.SSLContext):
    """TLS to an address that was judged, with the certificate of the name that it was resolved from."""

    name = ""
    trusted: ssl.SSLContext
    """The context whose authorities and limits apply."""
    deadline: Deadline
    """By which the handshake must be done."""

    @override
    def wrap_socket(self, sock: Any, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        secured = self.trusted.wrap_socket(
            sock, *arguments, **named | {"server_hostname": self.name, "do_handshake_on_connect": False}
        )
        try:
            secured.settimeout(self.deadline.left())
            secured.do_handshake()
        except OSError:
            secured.close()  # The client does not close it.
            raise
        return secured


class Mqtt(Receiver):
    """A topic of a broker.

    Args:
        address: broker and topic.
        context: TLS, whose authorities are trusted; used where the address demands it.
        user, password: the login, None for a broker without one.
        attempt_s: the longest time of one attempt.
    """

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext,
        user: str | None = None,
        password: str | None = None,
        *,
        attempt_s: float = ATTEMPT_S,
    ) -> None:
        self._address = address
        self._context = context
        self._user = user
        self._password = password
        self._attempt_s = attempt_s

    @property
    @override
    def channel(self) -> str:
        return "mqtt"

    @property
    @override
    def shown(self) -> str:
        return f"{self._address.origin}/{topic_of(self._address)}"

    @override
    def send(self, message_id: str, body: bytes) -> None:
        if "mqtt" in urllib.request.getproxies():
            raise DeliveryError(f"{self.shown}: mqtt_proxy is set, but proxies are not used; unset it")
        places = judge_addresses(self._address)
        try:
            self._publish(places, message_id, body)
        except OSError as error:
            raise DeliveryError(f"{self.shown}: {explain(error)}") from None
        except ValueError as error:  # The client refuses the login, for instance.
            raise DeliveryError(f"{self.shown}: cannot be used ({type(error).__name__})") from None

    def _publish(self, places: Sequence[str], message_id: str, body: bytes) -> None:
        """Publish a message and wait for its acknowledgement; raises DeliveryError, OSError or ValueError."""
        deadline, ends_at = Deadline(self._attempt_s), time.monotonic() + self._attempt_s
        refusal = _Refusal()
        client = self._create_client(message_id, refusal, deadline)
        try:
            self._connect(client, places, deadline)
            client.loop_start()
            published = client.publish(topic_of(self._address), body, qos=1, retain=False)
            while not _is_acknowledged(published) and time.monotonic() < ends_at:
                if refusal.happened.wait(_LOOK_EVERY_S) and not _is_acknowledged(published):
                    raise DeliveryError(f"{self.shown}: {refusal.reason}")
        finally:
            client.disconnect()
            client.loop_stop()
        if not _is_acknowledged(published):
            raise DeliveryError(f"{self.shown}: no acknowledgement within {self._attempt_s:.0f} s")

    def _create_client(self, message_id: str, refusal: _Refusal, deadline: Deadline) -> Client:
        # An id of its own for each message: a broker ends the older one of two connections with one id.
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"mien-{message_id[:16]}", reconnect_on_failure=False
        )
        client.on_connect = refusal.note_connect
        client.on_disconnect = refusal.note_disconnect
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._address.encrypted:
            context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
            context.name, context.trusted, context.deadline = self._address.host, self._context, deadline
            client.tls_set_context(context)
        return client

    def _connect(self, client: Client, places: Sequence[str], deadline: Deadline) -> None:
        """Connect to the first of the judged addresses that accepts a connection; raises OSError."""
        failure = OSError("its host name has no address")
        for number, place in enumerate(places):
            # One that does not answer leaves time for the others.
            client.connect_timeout = deadline.left() / (len(places) - number)
            try:
                client.connect(place, self._address.port)
                return
            except ssl.SSLError:
                raise  # It has accepted the connection.
            except OSError as error:
                failure = error
        raise failure


def _is_acknowledged(published: MQTTMessageInfo) -> bool:
    try:
        return published.is_published()
    except (ValueError, RuntimeError):  # The client is not connected, or its queue is full.
        return False


class _Refusal:
    """Why a broker refuses or ends a connection; its methods are called by the client's thread."""

    def __init__(self) -> None:
        self.happened = threading.Event()
        self.reason = ""

    def note_connect(self, _client: Client, _data: Any, _flags: Any, code: ReasonCode, *_: Any) -> None:
        if code.is_failure:
            self._note(f"refused: {code}")

    def note_disconnect(self, _client: Client, _data: Any, _flags: Any, code: ReasonCode, *_: Any) -> None:
        if code.is_failure:
            self._note(f"connection ended: {code}")

    def _note(self, reason: str) -> None:
        if not self.happened.is_set():
            self.reason = reason
            self.happened.set()
