"""MQTT: a message is published with quality of service 1 and not retained, on a connection of its own."""

from __future__ import annotations

import ssl
import threading
import time
import urllib.request
from typing import Any

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from typing_extensions import override

from mien.alerts.addresses import Address, topic_of
from mien.alerts.receivers import ATTEMPT_S, DeliveryError, Receiver, explain, judge_address

_LOOK_EVERY_S = 0.02


class _NamedContext(ssl.SSLContext):
    """TLS to an address that was judged, with the certificate of the name that it was resolved from."""

    name = ""
    connection: ssl.SSLSocket | None = None
    """The last connection: the client does not close one whose handshake fails."""

    @override
    def wrap_socket(self, sock: Any, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        self.connection = super().wrap_socket(sock, *arguments, **named | {"server_hostname": self.name})
        return self.connection


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
        self._authorities = context.get_ca_certs(binary_form=True)
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
        target = judge_address(self._address)
        deadline = time.monotonic() + self._attempt_s
        refusal = _Refusal()
        context = self._create_context()
        client = self._create_client(message_id, refusal, context)
        try:
            client.connect(target, self._address.port)
            client.loop_start()
            published = client.publish(topic_of(self._address), body, qos=1, retain=False)
            while not _is_acknowledged(published) and time.monotonic() < deadline:
                if refusal.happened.wait(_LOOK_EVERY_S) and not _is_acknowledged(published):
                    raise DeliveryError(f"{self.shown}: {refusal.reason}")
        except OSError as error:
            raise DeliveryError(f"{self.shown}: {explain(error)}") from None
        finally:
            client.disconnect()
            client.loop_stop()
            if context.connection:
                context.connection.close()
        if not _is_acknowledged(published):
            raise DeliveryError(f"{self.shown}: no acknowledgement within {self._attempt_s:.0f} s")

    def _create_client(self, message_id: str, refusal: _Refusal, context: ssl.SSLContext) -> Client:
        # An id of its own for each message: a broker ends the older one of two connections with one id.
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"mien-{message_id[:16]}", reconnect_on_failure=False
        )
        client.connect_timeout = self._attempt_s
        client.on_connect = refusal.note_connect
        client.on_disconnect = refusal.note_disconnect
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._address.encrypted:
            client.tls_set_context(context)
        return client

    def _create_context(self) -> _NamedContext:
        context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata=b"".join(self._authorities))
        context.name = self._address.host
        return context


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
