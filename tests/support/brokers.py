"""A real Kafka broker for tests: Apache Kafka from Maven Central's jars, one KRaft node on loopback.

The jars are fetched once, into the folder that MIEN_TEST_KAFKA_JARS names or into the user's cache.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.processes import free_port

POM = Path(__file__).with_name("kafka") / "pom.xml"
USER, PASSWORD = "mien", "p@ss:w/rd?&#"
"""Who may use the listener that asks; the password holds what a URL must not."""

_STORE_PASSWORD = "changeit"
_JAVA = (
    *("java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    "-Dlog4j2.level=WARN",
)
_START_SECONDS = 90.0


def jars() -> Path:
    """The folder with Kafka's jars; skips where they cannot be had, which in CI is a failure."""
    for tool in ("java", "keytool"):
        if shutil.which(tool) is None:
            _unavailable(f"{tool} is missing: install a Java runtime, 17 or later")
    version = re.findall(r"<kafka.version>(.+)</kafka.version>", POM.read_text())[0]
    cache = Path(os.environ.get("MIEN_TEST_KAFKA_JARS", Path.home() / f".cache/mien-tests/kafka-{version}"))
    if not cache.is_dir():
        _fetch(cache)
    return cache


def _fetch(cache: Path) -> None:
    if shutil.which("mvn") is None:
        _unavailable(f"mvn is missing: install Maven, or put Kafka's jars into {cache}")
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
        command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        got = Path(folder) / "jars"
        done = subprocess.run(
            [*command, f"-DoutputDirectory={got}"], capture_output=True, text=True, timeout=600, check=False
        )
        if done.returncode:
            _unavailable(f"Maven did not fetch Kafka's jars: {done.stdout.strip()[:300]}")
        got.rename(cache)


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(f"no Kafka broker: {reason}")


class Broker:
    """One broker with two listeners: one open, one behind TLS that asks for SCRAM-SHA-512 credentials.

    It keeps its ports and its data when it is killed and started again. In a cluster `node` is its number
    and `controllers` has the port of every node's controller; see `cluster`.
    """

    def __init__(
        self, folder: Path, libraries: Path, node: int = 1, controllers: Mapping[int, int] | None = None
    ) -> None:
        self._folder = folder
        self._libraries = libraries
        self._process: subprocess.Popen[bytes] | None = None
        self._port, self._secure_port = (free_port() for _ in range(2))
        self.ca_file = folder / "broker.pem"
        self._make_certificate()
        self._settings = folder / "server.properties"
        settings = self._properties(node, controllers or {node: free_port()})
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._format()

    @property
    def address(self) -> str:
        """host:port of the open listener."""
        return f"127.0.0.1:{self._port}"

    @property
    def secure_address(self) -> str:
        """host:port of the listener with TLS and credentials."""
        return f"localhost:{self._secure_port}"

    @property
    def pid(self) -> int:
        """The running broker's process id."""
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until both listeners answer."""
        self.launch()
        self.wait_until_up()

    def launch(self) -> None:
        """Start it; of a cluster a node answers once most of them were launched."""
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", self._settings), stdout=log, stderr=subprocess.STDOUT
            )

    def wait_until_up(self) -> None:
        """Wait until both listeners answer."""
        assert self._process is not None, "the broker was not launched"
        deadline = time.monotonic() + _START_SECONDS
        while not all(map(_answers, (self._port, self._secure_port))):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "broker.log").read_text()[-3000:])
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL, as a machine that loses power."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """A controlled stop; nothing where it is not running."""
        if self._process is not None:
            self.resume()
            self._signal(signal.SIGTERM)
            self._wait()

    def stall(self) -> None:
        """Stop answering while every connection stays open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after a stall."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the broker is not running"
        self._process.send_signal(number)

    def _wait(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _java(self, main: str, *arguments: object) -> list[str]:
        return [*_JAVA, "-cp", f"{self._libraries}/*", main, *map(str, arguments)]

    def _format(self) -> None:
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        tool = "kafka.tools.StorageTool"
        arguments = ("format", "-t", "WmlFbi10ZXN0LWNsdXN0ZQ", "-c", self._settings, "--add-scram", scram)
        subprocess.run(self._java(tool, *arguments), capture_output=True, check=True, timeout=120)

    def _make_certificate(self) -> None:
        """A self-signed certificate for loopback, and what a client needs to trust it."""
        common = ("-keystore", self._keystore, "-storepass", _STORE_PASSWORD, "-alias", "broker")
        names = ("-dname", "CN=localhost", "-ext", "SAN=DNS:localhost,IP:127.0.0.1", "-validity", "2")
        _keytool("-genkeypair", *common, *names, "-keyalg", "EC", "-storetype", "PKCS12")
        _keytool("-exportcert", *common, "-rfc", "-file", self.ca_file)

    @property
    def _keystore(self) -> Path:
        return self._folder / "broker.p12"

    def _properties(self, node: int, controllers: Mapping[int, int]) -> Mapping[str, object]:
        open_, secure = f"127.0.0.1:{self._port}", f"localhost:{self._secure_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{port}" for n, port in controllers.items()),
            "listeners": f"PLAINTEXT://{open_},SASL_SSL://{secure},CONTROLLER://127.0.0.1:{controllers[node]}",
            "advertised.listeners": f"PLAINTEXT://{open_},SASL_SSL://{secure}",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ("PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT"),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.location": self._keystore,
            "ssl.keystore.password": _STORE_PASSWORD,
            "log.dirs": self._folder / "data",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": len(controllers),
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": len(controllers),
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": len(controllers),
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "num.network.threads": 2,
            "num.io.threads": 2,
            "log.cleaner.dedupe.buffer.size": 4 << 20,
        }


def cluster(folder: Path, libraries: Path, size: int) -> list[Broker]:
    """Brokers of one cluster, none of them launched; each has a folder of its own below `folder`."""
    controllers = {node: free_port() for node in range(1, size + 1)}
    brokers = []
    for node in controllers:
        (folder / str(node)).mkdir(parents=True)
        brokers.append(Broker(folder / str(node), libraries, node, controllers))
    return brokers


def _keytool(*arguments: object) -> None:
    subprocess.run(["keytool", *map(str, arguments)], capture_output=True, check=True, timeout=60)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("localhost", port), timeout=1):
            return True
    except OSError:
        return False
