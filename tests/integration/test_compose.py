"""`compose.yaml` as it is, on a real engine: it comes up, outlives a worker and the broker, grows, and goes.

`make compose-test` runs this; the tests stand in the order of a day's events and share the containers.
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
"""In every password: what a URL, a shell or an options string would trip over."""

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
        """A finished `docker compose ARGUMENTS` with the demo's profile."""
        project = ("-f", COMPOSE, "-p", self.project, "--env-file", self.variables)
        return self.engine.docker("compose", *project, "--profile", "demo", *arguments, seconds=seconds)

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-a", "-q", service).split()

    def seen(self, container: str, field: str) -> str:
        return self.engine.docker("inspect", "--format", f"{{{{{field}}}}}", container)

    def healthy(self, service: str) -> bool:
        states = [self.seen(each, ".State.Health.Status") for each in self.containers(service)]
        return bool(states) and set(states) == {"healthy"}

    def inside(self, service: str, *command: object, index: int = 1) -> str:
        return self.compose("exec", "-T", f"--index={index}", service, *command)

    def visits(self, since: float = 0) -> int:
        """Visits that began after a time, as the database has them."""
        query = f"select count(*) from visits where first_seen > {round(since * 1e6)}"
        return int(self.inside("postgres", "psql", "-U", "postgres", "-d", "mien", "-tAc", query))

    def kill(self, container: str) -> None:
        """SIGKILL from outside, as when memory runs out: the engine was not told to stop it."""
        command = f"kill -9 {self.seen(container, '.State.Pid')}"
        alone = ("--rm", "--pid=host", "--network=none", "--user=0", "--entrypoint=sh")
        self.engine.docker("run", *alone, MIEN, "-c", command)

    def fetched(self, url: str, index: int = 1) -> str:
        """What a worker gets from an address."""
        script = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=10).read().decode())"
        return self.inside("inference", "python", "-c", script, index=index)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    port = free_port()
    variables = tmp_path_factory.mktemp("compose") / "variables"
    names = re.findall(r"^([A-Z_]+)=$", (ROOT / "compose.env.example").read_text(), re.M)
    # Double quotes, since one of the characters is the single quote.
    word = HOSTILE.replace('"', '\\"')
    lines = [f'{name}="{word}{secrets.token_hex(8)}"' for name in names]
    variables.write_text("\n".join([*lines, f"DASHBOARD_PORT={port}", ""]))
    wanted = {each["image"] for each in SERVICES.values() if each["image"] != MIEN} | {BASE}
    with engine() as found:
        stands_in = not found.has(BASE)
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
                if stands_in:  # What was built on a stand-in is nobody's to run later.
                    found.tried("rmi", "--no-prune", MIEN)
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


def goes_on(stack: Stack) -> None:
    """Everything is healthy again, and people who come from now on are counted."""
    wait_until(lambda: all(map(stack.healthy, SERVING)), "every service healthy")
    now = time.time()
    wait_until(lambda: stack.visits(since=now) > 0, "new visits")


def test_a_password_that_is_not_set_stops_everything_with_its_name(stack: Stack, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text(stack.variables.read_text().replace("WRITER_PASSWORD=", "OTHER="))
    refused = stack.engine.tried("compose", "-f", COMPOSE, "--env-file", empty, "config")
    assert refused.returncode != 0
    assert "WRITER_PASSWORD" in refused.stderr
    assert "compose.env.example" in refused.stderr


def test_every_container_is_confined(stack: Stack) -> None:
    for service in SERVING:
        (container,) = stack.containers(service)
        assert stack.healthy(service), service
        assert stack.seen(container, ".HostConfig.ReadonlyRootfs") == "true"
        status = dict(
            line.split(":\t", 1)
            for line in stack.inside(service, "cat", "/proc/1/status").splitlines()
            if ":\t" in line
        )
        assert "0" not in status["Uid"].split(), f"{service} runs as root"
        assert int(status["CapBnd"], 16) == 0, f"{service} has capabilities"
        assert status["NoNewPrivs"] == "1"
        published = json.loads(stack.seen(container, "json .HostConfig.PortBindings") or "{}") or {}
        mine = {"8501/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]}
        assert published == (mine if service == "dashboard" else {})
    tried = stack.engine.tried("run", "--rm", "--entrypoint=sh", MIEN, "-c", "id -u; command -v gcc cc ld")
    assert tried.stdout.split() == ["10001"], "no root, no compiler"


def test_a_reader_cannot_write_and_a_writer_cannot_alter(stack: Stack) -> None:
    script = (
        "import os, psycopg, sys; "
        "connection = psycopg.connect(os.environ['MIEN_DATABASE']); connection.execute(sys.argv[1])"
    )
    for service, statement in (
        ("dashboard", "SET TRANSACTION READ WRITE; DELETE FROM cameras"),
        ("inference", "DROP TABLE visits"),
        ("ingest", "CREATE TABLE mine (id int)"),
    ):
        with pytest.raises(AssertionError, match="InsufficientPrivilege"):
            stack.inside(service, "python", "-c", script, statement)


def test_figures_arrive_on_the_dashboard_and_grow(stack: Stack) -> None:
    with chromium() as browser, visit(browser, f"http://127.0.0.1:{stack.port}") as seen:
        seen.wait_for_text("Visits")
        before = seen.wait_for_figure("Visits", other_than="< 10")
        assert int(before) >= 10
        seen.wait_for_charts(3)
        assert int(seen.wait_for_figure("Visits", other_than=before)) > int(before)
        assert seen.figure("Cameras online") == "3 / 3"
        assert seen.errors == []
        assert seen.foreign == []


def test_the_board_finds_figures_in_prometheus(stack: Stack) -> None:
    names = () if stack.has_grafana else ("prometheus",)
    stack.compose("--profile", "observability", "up", "--no-build", "--wait", *names)
    expressions = {target["expr"] for panel in BOARD["panels"] for target in panel["targets"]}

    def unanswered() -> set[str]:
        return {each for each in expressions if not answer(each)}

    def answer(expression: str) -> list[object]:
        told = json.loads(stack.fetched(f"http://prometheus:9090/api/v1/query?query={quote(expression)}"))
        assert told["status"] == "success", expression
        found: list[object] = told["data"]["result"]
        return found

    # Nothing was dropped so far, perhaps.
    wait_until(lambda: all("mien_drops" in each for each in unanswered()), "an answer to every panel")
    assert len(answer("up == 1")) == 3


def test_a_worker_that_is_killed_comes_back(stack: Stack) -> None:
    (worker,) = stack.containers("inference")
    stack.kill(worker)
    wait_until(lambda: stack.seen(worker, ".RestartCount") == "1", "the worker started again")
    goes_on(stack)


def test_a_broker_that_is_killed_comes_back_and_nobody_else_has_to(stack: Stack) -> None:
    (broker,) = stack.containers("kafka")
    others = [container for service in sorted(SERVING - {"kafka"}) for container in stack.containers(service)]
    starts = [stack.seen(each, ".State.StartedAt") for each in others]
    stack.kill(broker)
    wait_until(lambda: stack.seen(broker, ".RestartCount") == "1", "the broker started again")
    goes_on(stack)
    assert [stack.seen(each, ".State.StartedAt") for each in others] == starts


def test_three_workers_share_the_cameras(stack: Stack) -> None:
    before = {service: stack.containers(service) for service in SERVING}
    stack.compose("up", "--no-build", "--wait", "--scale", "inference=3")
    workers = stack.containers("inference")
    assert len(workers) == 3
    assert set(before["inference"]) < set(workers)
    assert {service: stack.containers(service) for service in SERVING - {"inference"}} == {
        service: containers for service, containers in before.items() if service != "inference"
    }

    def lanes(index: int) -> int:
        return stack.fetched("http://127.0.0.1:9464/metrics", index).count("mien_lag_records{")

    wait_until(lambda: all(map(lanes, (1, 2, 3))), "every worker has lanes")
    goes_on(stack)


def test_the_database_is_sound_after_all_that(stack: Stack) -> None:
    told = stack.inside("maintain", "mien", "db", "check")
    assert told.count("ok  ") == len(told.splitlines())
