"""A real Kafka broker for tests: Apache Kafka from the jars on Maven Central, one KRaft node on loopback.

The jars are downloaded once, into the folder that MIEN_TEST_KAFKA_JARS names or into the user's cache; a file
lock lets one process download while others wait.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.processes import free_port

POM = Path(__file__).with_name("kafka") / "pom.xml"
USER, PASSWORD = "mien", "p@ss:w/rd?&#"
"""The account of the secure listener; the password contains characters that a URL must not."""

UNKNOWN_HOST = "broker-7.invalid"
"""A name that never exists (RFC 6761)."""
CLOSED_PORT = 9
"""A port on which nothing listens (RFC 863, not in use)."""
CHECK_MS = 1000
"""How often a broker looks for expired records; Kafka's own default is five minutes."""

_STORE_PASSWORD = "changeit"
_JAVA = (
    *("java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    "-Dlog4j2.level=WARN",
)
_START_SECONDS = 120.0
_DOWNLOAD_SECONDS = 600


def jars() -> Path:
    """The folder with Kafka's jars; without them the test is skipped, and fails in CI."""
    for tool in ("java", "keytool"):
        if shutil.which(tool) is None:
            _unavailable(f"{tool} is missing: install a Java runtime, 17 or later")
    version = re.findall(r"<kafka.version>(.+)</kafka.version>", POM.read_text())[0]
    cache = Path(os.environ.get("MIEN_TEST_KAFKA_JARS", Path.home() / f".cache/mien-tests/kafka-{version}"))
    if not cache.is_dir():
        with _locked(cache.with_name(f"{cache.name}.lock")):
            if not cache.is_dir():
                _download(cache)
    return cache


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the system releases it if this one ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(cache: Path) -> None:
    if shutil.which("mvn") is None:
        _unavailable(f"mvn is missing: install Maven, or put Kafka's jars into {cache}")
    with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
        command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        target = Path(folder) / "jars"
        done = subprocess.run(
            [*command, f"-DoutputDirectory={target}"],
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
        if done.returncode:
            _unavailable(f"Maven did not download Kafka's jars: {done.stdout.strip()[:300]}")
        target.rename(cache)


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(f"no Kafka broker: {reason}")


class Broker:
    """One broker with an open listener, and one with TLS and SCRAM-SHA-512 credentials.

    Two further open listeners advertise a wrong address to their clients. The broker looks for expired
    records every second. It keeps its ports and its data when it is killed and restarted. In a cluster `node`
    is its number and `controllers` has the port of every node's controller; see `cluster`.
    """

    def __init__(
        self, folder: Path, libraries: Path, node: int = 1, controllers: Mapping[int, int] | None = None
    ) -> None:
        self._folder = folder
        self._libraries = libraries
        self._process: subprocess.Popen[bytes] | None = None
        self._port, self._secure_port = (free_port() for _ in range(2))
        self._misnamed_port, self._misplaced_port = (free_port() for _ in range(2))
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
        """host:port of the secure listener."""
        return f"localhost:{self._secure_port}"

    @property
    def misnamed_address(self) -> str:
        """host:port of a listener that is advertised with a name that nobody can resolve."""
        return f"127.0.0.1:{self._misnamed_port}"

    @property
    def misplaced_address(self) -> str:
        """host:port of a listener that is advertised with a port on which nothing listens."""
        return f"127.0.0.1:{self._misplaced_port}"

    @property
    def data(self) -> Path:
        """The folder of its logs."""
        return self._folder / "data"

    @property
    def pid(self) -> int:
        """The process id of the running broker."""
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and not killed or stopped."""
        return self._process is not None

    def start(self) -> None:
        """Start it and wait until both listeners answer."""
        self.launch()
        self.wait_until_up()

    def launch(self) -> None:
        """Start it without waiting; a node of a cluster answers once a majority of nodes was launched."""
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
        """Send SIGKILL: a crash."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """Stop it in a controlled way; does nothing if it does not run."""
        if self._process is not None:
            self.resume()
            self._signal(signal.SIGTERM)
            self._wait()

    def stall(self) -> None:
        """Stop it from answering (SIGSTOP); every connection stays open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after a stall."""
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
        """Create a self-signed certificate for loopback, and the file with which a client trusts it."""
        common = ("-keystore", self._keystore, "-storepass", _STORE_PASSWORD, "-alias", "broker")
        names = ("-dname", "CN=localhost", "-ext", "SAN=DNS:localhost,IP:127.0.0.1", "-validity", "2")
        _keytool("-genkeypair", *common, *names, "-keyalg", "EC", "-storetype", "PKCS12")
        _keytool("-exportcert", *common, "-rfc", "-file", self.ca_file)

    @property
    def _keystore(self) -> Path:
        return self._folder / "broker.p12"

    def _properties(self, node: int, controllers: Mapping[int, int]) -> Mapping[str, object]:
        open_, secure = f"127.0.0.1:{self._port}", f"localhost:{self._secure_port}"
        listeners = f"PLAINTEXT://{open_},SASL_SSL://{secure}"
        wrong = f"MISNAMED://{UNKNOWN_HOST}:{self._misnamed_port},MISPLACED://127.0.0.1:{CLOSED_PORT}"
        return {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{port}" for n, port in controllers.items()),
            "listeners": (
                f"{listeners},MISNAMED://{self.misnamed_address},MISPLACED://{self.misplaced_address},"
                f"CONTROLLER://127.0.0.1:{controllers[node]}"
            ),
            "advertised.listeners": f"{listeners},{wrong}",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,MISNAMED:PLAINTEXT,MISPLACED:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.location": self._keystore,
            "ssl.keystore.password": _STORE_PASSWORD,
            "log.dirs": self.data,
            "log.retention.check.interval.ms": CHECK_MS,
            "log.initial.task.delay.ms": CHECK_MS,
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
    """The brokers of one cluster, not yet launched; each has its own folder below `folder`."""
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
