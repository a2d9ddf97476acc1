"""The Kafka bus's URL, and what its messages must never show."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bus.errors import AddressError, LibraryError
from bus.kafka.client import require_crc32c
from bus.kafka.settings import KafkaSettings, parse_url

SECRET = "p@ss:w/rd?&#%"


def test_an_address_alone_is_enough() -> None:
    assert parse_url("kafka://broker", {}) == KafkaSettings(servers=("broker:9092",))


def test_everything_has_its_place_in_the_url(tmp_path: Path) -> None:
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


def test_a_password_may_be_written_in_percent() -> None:
    encoded = "".join(f"%{ord(each):02X}" for each in SECRET)
    assert parse_url(f"kafka://mien:{encoded}@broker", {}).password == SECRET


def test_settings_beside_the_url_win(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    settings = parse_url("kafka://a:b@broker", {}, user="mien", password=SECRET, ca_file=ca)
    assert (settings.user, settings.password, settings.ca_file) == ("mien", SECRET, ca)


def test_a_password_never_travels_in_the_open() -> None:
    connection = parse_url(f"kafka://mien:{'x' * 8}@broker?tls=false", {}).connection()
    assert connection["security_protocol"] == "SASL_SSL"
    assert connection["sasl_mechanism"] == "SCRAM-SHA-512"


def test_neither_settings_nor_what_the_client_prints_show_the_password() -> None:
    settings = KafkaSettings(("broker:9092",), user="mien", password=SECRET)
    assert settings.connection()["sasl_plain_password"] == SECRET
    assert SECRET not in f"{settings!r} {settings.connection()!r} {settings.where}"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://broker", "expected kafka://"),
        ("kafka://", "server ''"),
        ("kafka://broker:port", "server 'broker:port'"),
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
        ("kafka://mien:secret/word@broker", "/ or ? stands before the @"),
        ("kafka://mien:secret?word@broker", "/ or ? stands before the @"),
        ("kafka://mien:secret@word@broker:x", "server 'broker:x'"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line_without_secrets(url: str, says: str) -> None:
    with pytest.raises(AddressError, match="bus: ") as caught:
        parse_url(url, {})
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert "secret" not in message


def test_kafka_is_refused_without_the_compiled_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    require_crc32c()
    monkeypatch.setitem(sys.modules, "crc32c", None)
    with pytest.raises(LibraryError, match="pip install"):
        require_crc32c()
