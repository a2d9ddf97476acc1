"""The URL of the Kafka bus; messages never show its password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bus.errors import AddressError, LibraryError
from bus.kafka.client import require_crc32c
from bus.kafka.settings import KafkaSettings, parse_url
from mien.logs import clean

SECRET = "p@ss:w/rd?&#%"


def test_an_address_is_sufficient() -> None:
    assert parse_url("kafka://broker", {}) == KafkaSettings(servers=("broker:9092",))


def test_the_url_sets_every_option(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    url = f"kafka://mien:${{PASSWORD}}@a:9093,[::1]:9094/shop.frames?group=night&acks=all&ca={ca}"
    assert parse_url(url, {"PASSWORD": SECRET}) == KafkaSettings(
        servers=("a:9093", "[::1]:9094"),
        topic="shop.frames",
        group="night",
        acks="all",
        tls=True,
        ca_file=ca,
        user="mien",
        password=SECRET,
    )


def test_a_password_may_be_percent_encoded() -> None:
    encoded = "".join(f"%{ord(each):02X}" for each in SECRET)
    assert parse_url(f"kafka://mien:{encoded}@broker", {}).password == SECRET


def test_separate_settings_take_precedence_over_the_url(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    settings = parse_url("kafka://a:b@broker", {}, user="mien", password=SECRET, ca_file=ca)
    assert (settings.user, settings.password, settings.ca_file) == ("mien", SECRET, ca)


def test_a_password_is_only_sent_encrypted() -> None:
    connection = parse_url(f"kafka://mien:{'x' * 8}@broker?tls=false", {}).connection()
    assert connection["security_protocol"] == "SASL_SSL"
    assert connection["sasl_mechanism"] == "SCRAM-SHA-512"


def test_neither_settings_nor_the_debug_log_of_the_client_show_the_password() -> None:
    settings = KafkaSettings(("broker:9092",), user="mien", password=SECRET)
    assert settings.connection()["sasl_plain_password"] == SECRET
    assert SECRET not in f"{settings!r} {settings.connection()!r} {settings.where}"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://broker", "expected kafka://"),
        ("kafka://", "server ''"),
        ("kafka://broker:port", "server 'broker:...'"),
        ("kafka://broker:70000", "server 'broker:70000'"),
        ("kafka://broker,,other", "server ''"),
        ("kafka://broker/a b", "topic 'a b'"),
        ("kafka://broker?group=", "group ''"),
        ("kafka://broker?acks=2", "acks '2': expected 1 or all"),
        ("kafka://broker?tls=yes", "tls 'yes': expected false or true"),
        ("kafka://broker?speed=9", "parameter 'speed': expected one of acks, ca, group, tls"),
        ("kafka://broker?ca=/no/such/file.pem", "ca '/no/such/file.pem': there is no such file"),
        ("kafka://mien@broker", "no password"),
        ("kafka://:word@broker", "no user"),
        ("kafka://mien:${NOWHERE}@broker", "set the environment variable NOWHERE"),
        ("kafka://mien:secret/word@broker", "/ or ? before the @"),
        ("kafka://mien:secret?word@broker", "/ or ? before the @"),
        ("kafka://mien:secret@word@broker:x", "server 'broker:...'"),
        ("kafka://mien:secret", "server 'mien:...'"),
        ("kafka://mien:secret%40broker:9093", "server 'mien:...'"),
        ("kafka://[::1]:70000", "server '[::1]:70000'"),
    ],
)
def test_an_invalid_part_is_named_in_one_line_without_secrets(url: str, says: str) -> None:
    with pytest.raises(AddressError, match="bus: ") as caught:
        parse_url(url, {})
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert "secret" not in message
    assert clean(message) == message, "the form of an address is no secret"


def test_kafka_is_refused_without_the_compiled_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    require_crc32c()
    monkeypatch.setitem(sys.modules, "crc32c", None)
    with pytest.raises(LibraryError, match="pip install"):
        require_crc32c()
