"""Webhook and MQTT against a real receiver and a real broker: signed, acknowledged, and nowhere else."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mien.alerts.addresses import parse_mqtt, parse_webhook
from mien.alerts.mqtt import Mqtt
from mien.alerts.receivers import DeliveryError, judge_addresses, tls_context
from mien.alerts.webhook import Webhook
from tests.support.hooks import Hook, answer_with, running_hook
from tests.support.http_camera import certificate
from tests.support.mosquitto import (
    PASSWORD,
    PATIENCE_S,
    TOPIC,
    USER,
    MqttBroker,
    running_mosquitto,
    subscriber,
)

SECRET = b"a key of the signature"
BODY = json.dumps({"id": "1", "text": "Tür zu"}).encode()
NOW = 1_700_000_000


def webhook(url: str, authority: Path | None = None, attempt_s: float = PATIENCE_S) -> Webhook:
    return Webhook(parse_webhook(url), SECRET, tls_context(authority), attempt_s=attempt_s, clock=lambda: NOW)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as hook:
        yield hook


def test_a_webhook_gets_the_message_with_a_signature_over_time_and_body(hook: Hook) -> None:
    webhook(hook.url).send("m1", BODY)
    ((path, headers, body),) = hook.requests
    assert (path, body, headers["Mien-Id"]) == ("/hook?token=abc", BODY, "m1")
    # As docs/operations.md shows it.
    wanted = hmac.new(SECRET, headers["Mien-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["Mien-Signature"] == f"v1={wanted}"
    assert headers["Mien-Timestamp"] == str(NOW)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_another_answer_than_success_is_an_error(hook: Hook, status: int) -> None:
    hook.answer = lambda request: answer_with(request, status)
    with pytest.raises(DeliveryError, match=f"answered {status}"):
        webhook(hook.url).send("m1", BODY)


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    with running_hook() as other:
        for status in (301, 307, 308):
            hook.answer = lambda request, status=status: answer_with(request, status, Location=other.url)  # type: ignore[misc]
            with pytest.raises(DeliveryError, match="redirects are not followed"):
                webhook(hook.url).send("m1", BODY)
        assert other.requests == []


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_receiver_that_hangs_or_sends_a_byte_now_and_then_is_given_up(
    encrypted: bool, tmp_path: Path
) -> None:
    def hang(request: http.server.BaseHTTPRequestHandler) -> None:
        hook.ended.wait(PATIENCE_S)

    def drip(request: http.server.BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and not hook.ended.wait(0.02):
            request.wfile.write(b"x")

    with ExitStack() as stack:
        authority, context = None, None
        if encrypted:
            made = certificate(tmp_path, "localhost", "subjectAltName=DNS:localhost")
            authority, context = stack.enter_context(made)
        hook = stack.enter_context(running_hook(context))
        for answer in (hang, drip):
            hook.answer = answer
            with pytest.raises(DeliveryError, match="no answer within"):
                webhook(hook.url, authority, attempt_s=0.5).send("m1", BODY)
        assert hook.ids() == ["m1", "m1"]


def test_a_receiver_that_never_answers_the_start_of_tls_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"127.0.0.1:{silent.getsockname()[1]}/t"
        with pytest.raises(DeliveryError, match="no answer within"):
            webhook(f"https://{url}", attempt_s=0.5).send("m1", BODY)
        with pytest.raises(DeliveryError, match="no answer within"):
            Mqtt(parse_mqtt(f"mqtts://{url}"), tls_context(None), attempt_s=0.5).send("m1", BODY)


@contextmanager
def resolving_to(monkeypatch: pytest.MonkeyPatch, *places: str) -> Iterator[None]:
    """Every name resolves to these addresses, in this order."""

    def resolve(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in places]

    with monkeypatch.context() as patched:
        patched.setattr("ingest.address_policy.socket.getaddrinfo", resolve)
        yield


def test_the_addresses_of_a_name_are_tried_in_turn(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    with resolving_to(monkeypatch, "127.0.0.2", "127.0.0.1"):
        webhook(hook.url).send("m1", BODY)
    assert hook.ids() == ["m1"]


def test_without_encryption_only_the_private_addresses_of_a_name_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    http_hook, https_hook = (parse_webhook(f"{scheme}://hooks.example/") for scheme in ("http", "https"))
    places = ("93.184.215.14", "100.64.0.9", "192.168.1.9", "192.0.2.1")
    with resolving_to(monkeypatch, *places):
        assert judge_addresses(http_hook) == ("100.64.0.9", "192.168.1.9")
        assert judge_addresses(https_hook) == places


def test_a_path_with_letters_of_other_languages_is_percent_encoded(hook: Hook) -> None:
    for path in ("/tür/%20a?b=ü&c", "/t%C3%BCr/%20a?b=%C3%BC&c"):
        webhook(hook.url.partition("/hook")[0] + path).send("m1", BODY)
    assert [path for path, _, _ in hook.requests] == ["/t%C3%BCr/%20a?b=%C3%BC&c"] * 2
    assert parse_webhook("https://tür.example/").host == "xn--tr-xka.example"


def test_a_proxy_of_the_environment_is_ignored(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_hook() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        webhook(hook.url).send("m1", BODY)
        assert proxy.requests == []
    assert hook.ids() == ["m1"]


def test_a_certificate_has_to_be_trusted_and_of_the_right_name(tmp_path: Path) -> None:
    with (
        certificate(tmp_path, "localhost", "subjectAltName=DNS:localhost") as (authority, context),
        running_hook(context) as hook,
    ):
        webhook(hook.url, authority).send("m1", BODY)
        with pytest.raises(DeliveryError, match="TLS: self-signed certificate"):
            webhook(hook.url).send("m2", BODY)
        with pytest.raises(DeliveryError, match=r"TLS: .*mismatch"):
            webhook(hook.url.replace("localhost", "127.0.0.1"), authority).send("m3", BODY)
        assert hook.ids() == ["m1"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "https://[fe80::1]/",
        "http://0.0.0.0:80/",
        "http://100.100.100.200/",
        "https://224.0.0.1/",
        "http://no-such-name.invalid/",
    ],
)
def test_an_address_that_is_never_allowed_gets_nothing(url: str) -> None:
    with pytest.raises(DeliveryError, match="not allowed"):
        webhook(url).send("m1", BODY)


def test_a_public_address_needs_encryption() -> None:
    with pytest.raises(DeliveryError, match="not encrypted"):
        webhook("http://93.184.215.14/").send("m1", BODY)


def test_no_error_contains_the_path_of_the_address(hook: Hook) -> None:
    hook.answer = lambda request: answer_with(request, 500)
    for url in (hook.url, hook.url.replace("localhost", "169.254.0.1"), "http://127.0.0.1:1/token"):
        with pytest.raises(DeliveryError) as failed:
            webhook(url).send("m1", BODY)
        assert "token" not in str(failed.value)
    assert "token" not in webhook(hook.url).shown


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://user:secret@host/", "without a login"),
        ("ftp://host/", "begins with https://HOST"),
        ("https://", "begins with https://HOST"),
        ("https://host:99999/", "a host and a port"),
        ("https://host/a b", "without spaces"),
        ("https://host/\nX: y", "without spaces"),
        (f"https://{'a' * 64}.example/", "a host and a port"),
    ],
)
def test_a_webhook_that_is_no_address_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_webhook(url)


@pytest.mark.parametrize("url", ["mqtts://host", "mqtts://host/a/#", "mqtts://host/+/b", "mqtts://host/$SYS"])
def test_a_topic_without_a_name_or_with_wildcards_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"topic|without .* #"):
        parse_mqtt(url)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MqttBroker]:
    with running_mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


def mqtt(url: str, broker: MqttBroker | None = None, password: str = PASSWORD) -> Mqtt:
    context = tls_context(broker.authority if broker else None)
    return Mqtt(parse_mqtt(url), context, USER, password, attempt_s=20)


def test_a_broker_gets_the_message_by_tls_with_a_login(broker: MqttBroker) -> None:
    with subscriber(broker) as messages:
        mqtt(f"mqtts://localhost:{broker.tls_port}/{TOPIC}", broker).send("m1", BODY)
        message = messages.get(timeout=PATIENCE_S)
    assert (message.payload, message.qos, message.topic) == (BODY, 1, TOPIC)
    with subscriber(broker) as messages:
        mqtt(f"mqtt://127.0.0.1:{broker.plain_port}/{TOPIC}").send("m2", b"second")
        assert messages.get(timeout=PATIENCE_S).payload == b"second", "the first one was not retained"


def test_the_addresses_of_a_broker_are_tried_in_turn(
    broker: MqttBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with resolving_to(monkeypatch, "127.0.0.2", "127.0.0.1"), subscriber(broker) as messages:
        mqtt(f"mqtts://localhost:{broker.tls_port}/{TOPIC}", broker).send("m1", BODY)
        assert messages.get(timeout=PATIENCE_S).payload == BODY


def test_a_broker_without_encryption_needs_no_authorities(broker: MqttBroker) -> None:
    plain = parse_mqtt(f"mqtt://127.0.0.1:{broker.plain_port}/{TOPIC}")
    with subscriber(broker) as messages:
        Mqtt(plain, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), USER, PASSWORD, attempt_s=20).send("m1", BODY)
        assert messages.get(timeout=PATIENCE_S).payload == BODY
    encrypted = parse_mqtt(f"mqtts://localhost:{broker.tls_port}/{TOPIC}")
    with pytest.raises(DeliveryError, match="TLS: "):
        Mqtt(encrypted, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), attempt_s=20).send("m1", BODY)


def test_a_login_that_cannot_be_encoded_is_an_error(broker: MqttBroker) -> None:
    with pytest.raises(DeliveryError, match="UnicodeEncodeError"):
        mqtt(f"mqtt://127.0.0.1:{broker.plain_port}/t", password="\udcff").send("m1", BODY)


def test_a_broker_that_refuses_the_login_or_the_certificate_is_an_error(broker: MqttBroker) -> None:
    plain, tls = f"mqtt://127.0.0.1:{broker.plain_port}/t", f"mqtts://localhost:{broker.tls_port}/t"
    with pytest.raises(DeliveryError, match=r"refused: Not authorized|refused: Bad user name or password"):
        mqtt(plain, password="wrong").send("m1", BODY)
    with pytest.raises(DeliveryError, match="TLS: self-signed certificate"):
        mqtt(tls).send("m1", BODY)
    with pytest.raises(DeliveryError, match=r"TLS: .*mismatch"):
        mqtt(tls.replace("localhost", "127.0.0.1"), broker).send("m1", BODY)


def test_a_broker_that_never_acknowledges_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = parse_mqtt(f"mqtt://127.0.0.1:{silent.getsockname()[1]}/t")
        started = time.monotonic()
        with pytest.raises(DeliveryError, match="no acknowledgement"):
            Mqtt(address, tls_context(None), attempt_s=0.5).send("m1", BODY)
        assert time.monotonic() - started < PATIENCE_S
    assert not [each for each in threading.enumerate() if "paho" in each.name], "no thread is left"


def test_a_proxy_for_mqtt_is_not_used(broker: MqttBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("mqtt_proxy", "http://127.0.0.1:1")
    with pytest.raises(DeliveryError, match="mqtt_proxy"):
        mqtt(f"mqtt://127.0.0.1:{broker.plain_port}/t").send("m1", BODY)
