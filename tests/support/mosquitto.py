"""A real MQTT broker (mosquitto from Debian) with a password and TLS, and a subscriber."""

from __future__ import annotations

import os
import queue
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.http_camera import certificate
from tests.support.processes import free_port

USER, PASSWORD = "shop", "a password: with/special@characters"
TOPIC = "mien/alerts"
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class MqttBroker:
    """A broker that runs: a port with TLS and one without, and the certificate of the authority."""

    tls_port: int
    plain_port: int
    authority: Path


def find_mosquitto() -> str:
    """The broker's program; skips the test where it is not installed."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        reason = "mosquitto is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def running_mosquitto(folder: Path) -> Iterator[MqttBroker]:
    """A broker that accepts one login, on loopback."""
    program = find_mosquitto()
    folder.chmod(0o755)
    passwords = folder / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), USER, PASSWORD],
        check=True,
        capture_output=True,
        timeout=60,
    )
    with certificate(folder, "localhost", "subjectAltName=DNS:localhost") as (authority, _):
        tls_port, plain_port = free_port(), free_port()
        config = folder / "mosquitto.conf"
        config.write_text(
            f"user root\nallow_anonymous false\npassword_file {passwords}\n"
            f"listener {plain_port} 127.0.0.1\n"
            f"listener {tls_port} 127.0.0.1\ncertfile {authority}\nkeyfile {folder / 'localhost.key'}\n"
        )
        process = subprocess.Popen(
            [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for port in (tls_port, plain_port):
                _wait_for_port(port, process)
            yield MqttBroker(tls_port, plain_port, authority)
        finally:
            process.kill()
            process.wait()


@contextmanager
def subscriber(broker: MqttBroker) -> Iterator[queue.Queue[MQTTMessage]]:
    """The messages of the topic, from now on."""
    messages: queue.Queue[MQTTMessage] = queue.Queue()
    subscribed: queue.Queue[None] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(USER, PASSWORD)
    client.on_message = lambda _client, _data, message: messages.put(message)
    client.on_subscribe = lambda *_: subscribed.put(None)
    client.on_connect = lambda made, *_: made.subscribe(TOPIC, qos=1)
    client.connect("127.0.0.1", broker.plain_port)
    client.loop_start()
    try:
        subscribed.get(timeout=PATIENCE_S)
        yield messages
    finally:
        client.disconnect()
        client.loop_stop()


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert process.poll() is None, "mosquitto ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "mosquitto does not listen"
            time.sleep(0.05)
        else:
            return
