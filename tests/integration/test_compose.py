"""`compose.yaml`, unchanged, on a real engine: it starts, survives killed containers, scales and is removed.

`make compose-test` runs this. The tests share the containers and run in the order of this file.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from tests.support.browser import chromium, visit
from tests.support.containers import Engine, engine, images
from tests.support.processes import free_port

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
MIEN = SERVICES["migrate"]["image"]
BASE = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)[0]
BOARD = json.loads((ROOT / "compose/grafana/boards/mien.json").read_text())
SERVING = {"kafka", "postgres", "ingest", "inference", "maintain", "dashboard"}
HOSTILE = "@:/?#%&' \"+"
"""Part of every password: characters that a URL, a shell or an options string must escape."""

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.environ.get("MIEN_TEST_COMPOSE") != "1", reason="containers: `make compose-test`"),
]


@dataclass(frozen=True, slots=True)
class Stack:
    """The containers of one project."""

    engine: Engine
    project: str
    variables: Path
    port: int
    has_grafana: bool

    def compose(self, *arguments: object, seconds: float = 600) -> str:
        """Run `docker compose ARGUMENTS` with the profile `demo` and return its output."""
        project = ("-f", COMPOSE, "-p", self.project, "--env-file", self.variables)
        return self.engine.docker("compose", *project, "--profile", "demo", *arguments, seconds=seconds)

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-a", "-q", service).split()

    def inspect(self, container: str, field: str) -> str:
        return self.engine.docker("inspect", "--format", f"{{{{{field}}}}}", container)

    def is_healthy(self, service: str) -> bool:
        states = [self.inspect(each, ".State.Health.Status") for each in self.containers(service)]
        return bool(states) and set(states) == {"healthy"}

    def execute(self, service: str, *command: object, index: int = 1) -> str:
        return self.compose("exec", "-T", f"--index={index}", service, *command)

    def visits(self, since: float = 0) -> int:
        """The number of visits in the database that began after a time."""
        query = f"select count(*) from visits where first_seen > {round(since * 1e6)}"
        return int(self.execute("postgres", "psql", "-U", "postgres", "-d", "mien", "-tAc", query))

    def kill(self, container: str) -> None:
        """Send SIGKILL from outside, as when memory runs out: the engine has not stopped the container."""
        command = f"kill -9 {self.inspect(container, '.State.Pid')}"
        alone = ("--rm", "--pid=host", "--network=none", "--user=0", "--entrypoint=sh")
        self.engine.docker("run", *alone, MIEN, "-c", command)

    def fetch(self, url: str, index: int = 1) -> str:
        """The response that a worker receives from a URL."""
        script = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=10).read().decode())"
        return self.execute("inference", "python", "-c", script, index=index)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    port = free_port()
    variables = tmp_path_factory.mktemp("compose") / "variables"
    names = re.findall(r"^([A-Z_]+)=$", (ROOT / "compose.env.example").read_text(), re.M)
    # Double quotes, since one of the characters is the single quote.
    escaped = HOSTILE.replace('"', '\\"')
    lines = [f'{name}="{escaped}{secrets.token_hex(8)}"' for name in names]
    # A group of 10 visits takes many minutes to appear: its slots have to be over, and the next group's too.
    variables.write_text("\n".join([*lines, f"DASHBOARD_PORT={port}", "MIEN_SUPPRESS_BELOW=1", ""]))
    wanted = {each["image"] for each in SERVICES.values() if each["image"] != MIEN} | {BASE}
    with engine() as found:
        substituted = not found.has(BASE)
        with images(found, wanted) as missing:
            assert missing <= {SERVICES["grafana"]["image"]}
            made = Stack(found, f"mien-test-{secrets.token_hex(4)}", variables, port, not missing)
            try:
                made.compose("up", "--build", "--wait", "--wait-timeout", 600, seconds=1500)
                yield made
            finally:
                if request.session.testsfailed:
                    (variables.parent / "log").write_text(made.compose("ps", "-a") + made.compose("logs"))
                made.compose("--profile", "observability", "down", "-v", "--remove-orphans")
                if substituted:  # An image that was built on a substitute must not be used later.
                    found.run("rmi", "--no-prune", MIEN)
        left = [
            found.docker(*command, "-q", "--filter", f"label=com.docker.compose.project={made.project}")
            for command in (("ps", "-a"), ("volume", "ls"), ("network", "ls"))
        ]
        assert left == ["", "", ""]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)


def wait_for_recovery(stack: Stack) -> None:
    """Wait until every service is healthy and a visit that begins now is counted."""
    wait_until(lambda: all(map(stack.is_healthy, SERVING)), "every service healthy")
    now = time.time()
    wait_until(lambda: stack.visits(since=now) > 0, "new visits")


def test_a_missing_password_stops_the_start_and_is_named(stack: Stack, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text(stack.variables.read_text().replace("WRITER_PASSWORD=", "OTHER="))
    refused = stack.engine.run("compose", "-f", COMPOSE, "--env-file", empty, "config")
    assert refused.returncode != 0
    assert "WRITER_PASSWORD" in refused.stderr
    assert "compose.env.example" in refused.stderr


def test_every_container_has_minimal_privileges(stack: Stack) -> None:
    for service in SERVING:
        (container,) = stack.containers(service)
        assert stack.is_healthy(service), service
        assert stack.inspect(container, ".HostConfig.ReadonlyRootfs") == "true"
        status = dict(
            line.split(":\t", 1)
            for line in stack.execute(service, "cat", "/proc/1/status").splitlines()
            if ":\t" in line
        )
        assert "0" not in status["Uid"].split(), f"{service} runs as root"
        assert int(status["CapBnd"], 16) == 0, f"{service} has capabilities"
        assert status["NoNewPrivs"] == "1"
        published = json.loads(stack.inspect(container, "json .HostConfig.PortBindings") or "{}") or {}
        mine = {"8501/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]}
        assert published == (mine if service == "dashboard" else {})
    shell = stack.engine.run("run", "--rm", "--entrypoint=sh", MIEN, "-c", "id -u; command -v gcc cc ld")
    assert shell.stdout.split() == ["10001"], "no root, no compiler"


def test_a_dashboard_cannot_delete_results_and_a_writer_cannot_change_tables(stack: Stack) -> None:
    script = (
        "import os, psycopg, sys; "
        "connection = psycopg.connect(os.environ['MIEN_DATABASE']); connection.execute(sys.argv[1])"
    )
    for service, statement in (
        ("dashboard", "DELETE FROM visits"),
        ("inference", "DROP TABLE visits"),
        ("ingest", "CREATE TABLE intruder (id int)"),
    ):
        with pytest.raises(AssertionError, match="InsufficientPrivilege"):
            stack.execute(service, "python", "-c", script, statement)


def test_the_dashboard_shows_visits_and_their_number_grows(stack: Stack) -> None:
    with chromium() as browser, visit(browser, f"http://127.0.0.1:{stack.port}") as seen:
        seen.wait_for_text("Visits")
        before = seen.wait_for_figure("Visits", other_than="0")
        seen.wait_for_charts(3)
        assert int(seen.wait_for_figure("Visits", other_than=before)) > int(before)
        assert seen.figure("Cameras online") == "3 / 3"
        assert seen.errors == []
        assert seen.foreign == []


def test_prometheus_answers_every_query_of_the_grafana_board(stack: Stack) -> None:
    names = () if stack.has_grafana else ("prometheus",)
    stack.compose("--profile", "observability", "up", "--no-build", "--wait", *names)
    expressions = {target["expr"] for panel in BOARD["panels"] for target in panel["targets"]}

    def unanswered() -> set[str]:
        return {each for each in expressions if not query(each)}

    def query(expression: str) -> list[object]:
        answer = json.loads(stack.fetch(f"http://prometheus:9090/api/v1/query?query={quote(expression)}"))
        assert answer["status"] == "success", expression
        found: list[object] = answer["data"]["result"]
        return found

    # The counter of drops has no value before the first drop.
    wait_until(lambda: all("mien_drops" in each for each in unanswered()), "an answer to every panel")
    assert len(query("up == 1")) == 3


def test_a_killed_worker_restarts(stack: Stack) -> None:
    (worker,) = stack.containers("inference")
    stack.kill(worker)
    wait_until(lambda: stack.inspect(worker, ".RestartCount") == "1", "the worker restarted")
    wait_for_recovery(stack)


def test_a_killed_broker_restarts_and_no_other_container_does(stack: Stack) -> None:
    (broker,) = stack.containers("kafka")
    others = [container for service in sorted(SERVING - {"kafka"}) for container in stack.containers(service)]
    starts = [stack.inspect(each, ".State.StartedAt") for each in others]
    stack.kill(broker)
    wait_until(lambda: stack.inspect(broker, ".RestartCount") == "1", "the broker restarted")
    wait_for_recovery(stack)
    assert [stack.inspect(each, ".State.StartedAt") for each in others] == starts


def test_three_workers_share_the_cameras(stack: Stack) -> None:
    before = {service: stack.containers(service) for service in SERVING}
    stack.compose("up", "--no-build", "--wait", "--scale", "inference=3")
    workers = stack.containers("inference")
    assert len(workers) == 3
    assert set(before["inference"]) < set(workers)
    assert {service: stack.containers(service) for service in SERVING - {"inference"}} == {
        service: containers for service, containers in before.items() if service != "inference"
    }

    def partitions(index: int) -> int:
        return stack.fetch("http://127.0.0.1:9464/metrics", index).count("mien_lag_records{")

    wait_until(lambda: all(map(partitions, (1, 2, 3))), "every worker has a partition")
    wait_for_recovery(stack)


def test_the_database_is_consistent_afterwards(stack: Stack) -> None:
    output = stack.execute("maintain", "mien", "db", "check")
    assert output.count("ok  ") == len(output.splitlines())
