"""The faults: each is injected into a deployment of its own while cameras publish and workers process."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from kafka import KafkaAdminClient

from bus.leases import LEASE_S
from storage.writer import Writer
from tests.chaos.cameras import CameraGroup, Recording, republish
from tests.chaos.captures import CaptureGroup
from tests.chaos.environment import Deployment, Environment, wait_until
from tests.chaos.oracle import WORKER_OUTCOMES, Verdict, check_captures, check_counts
from tests.chaos.poison import Poison
from tests.chaos.topic import read_dead_letters
from tests.chaos.visits import VisitTime, compare
from tests.chaos.workers import WorkerGroup
from tests.support.brokers import cluster
from tests.support.postgres import Server

_IN_FLIGHT_SECONDS = 0.25
"""The database executes a commit that a worker sent before it was killed: such rows are no recovery."""

_LONGEST_STOP_SECONDS = 10.0
_SEED = 5
_MB = 1 << 20


class Unsupported(RuntimeError):
    """This machine lacks something that a scenario needs."""


@dataclass(kw_only=True)
class FaultRun:
    """Workers while faults are injected; faults record their measurements here.

    `resumed`: seconds from each fault to the next row of every camera; where a server was unavailable, from
    the moment it answered again.
    """

    environment: Environment
    deployment: Deployment
    workers: WorkerGroup
    faults: int = 0
    resumed: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rng: random.Random = field(default_factory=lambda: random.Random(_SEED))

    def wait_until_ready(self) -> None:
        """Wait until every worker has a partition and rows of all cameras arrive, and up to a second more."""
        wait_until(self.workers.is_ready, "a partition for every worker")
        self.deployment.wait_for_rows()
        time.sleep(self.rng.random())

    def record_recovery(self, began: float) -> None:
        """Wait for rows of all cameras; `began` is the time.monotonic() of the fault, or of its end."""
        self.faults += 1
        time.sleep(_IN_FLIGHT_SECONDS)
        self.resumed.append(self.deployment.wait_for_rows() - began)


@dataclass(kw_only=True)
class CaptureRun(FaultRun):
    """A running scenario with `mien ingest` processes, which capture the registered cameras."""

    captures: CaptureGroup


@dataclass(kw_only=True)
class ScenarioRun(FaultRun):
    """A running scenario with cameras that publish by themselves."""

    cameras: CameraGroup
    poison: Poison = field(default_factory=Poison)

    def has_caught_up(self) -> bool:
        """Whether every acknowledged frame is counted."""
        results = sum(
            rows[outcome] for rows in self.deployment.frame_counts().values() for outcome in WORKER_OUTCOMES
        )
        published = sum(map(len, self.cameras.acknowledged.values())) + self.poison.by_camera().total()
        return results >= published


Fault = Callable[[ScenarioRun], None]


def run_scenario(
    environment: Environment, name: str, fault: Fault, *, undisturbed: bool = True, **options: Any
) -> dict[str, Any]:
    """Inject a fault, check the counts, compare the visits with an undisturbed run of the same recording.

    `undisturbed`: whether to compare. `options`: see `Environment.deployment`. Returns plain data.
    """
    began = time.monotonic()
    with environment.deployment(name, **options) as deployment:
        cameras = CameraGroup(deployment.cluster)
        with WorkerGroup(deployment.folder, deployment.variables) as workers:
            run = ScenarioRun(
                environment=environment, deployment=deployment, workers=workers, cameras=cameras
            )
            wait_until(workers.is_ready, "a partition for every worker")
            with cameras:
                run.wait_until_ready()
                fault(run)
            wait_until(run.has_caught_up, "the workers to catch up")
        cameras.store_counts(Writer(deployment.engine))
        deployment.drain()
        verdict = check_counts(deployment, cameras, run.poison)
        verdict.violations += run.violations + run.poison.check(deployment.cluster)
        verdict.violations += [f"a worker ended by itself: {last_line(log)}" for log in workers.failed_logs]
        if run.poison.sent:
            reasons = run.poison.reasons(deployment.cluster)
            run.notes += [f"{kind}: {reason}" for kind, reason in reasons.items()]
        found = visit_times(deployment)
        dead_letters = len(read_dead_letters(deployment.cluster))
    row = _row(run, verdict, dead_letters)
    if undisturbed:
        expected = _undisturbed_visits(environment, cameras.recording, verdict)
        row["visits"] = compare(expected, found)._asdict()
    return row | {"seconds": round(time.monotonic() - began)}


def run_capture_scenario(
    environment: Environment, name: str, fault: Callable[[CaptureRun], None]
) -> dict[str, Any]:
    """Inject a fault into `mien ingest` processes, and check the counts. Returns plain data."""
    began = time.monotonic()
    with environment.deployment(name) as deployment:
        with WorkerGroup(deployment.folder, deployment.variables) as workers:
            with CaptureGroup(deployment) as captures:
                run = CaptureRun(
                    environment=environment, deployment=deployment, workers=workers, captures=captures
                )
                run.wait_until_ready()
                fault(run)
            wait_until(workers.is_ready, "a partition for every worker")
        deployment.drain()
        verdict = check_captures(deployment, run.notes)
        failed = [*workers.failed_logs, *captures.failed_logs]
        verdict.violations += run.violations
        verdict.violations += [f"a process ended by itself: {last_line(log)}" for log in failed]
        dead_letters = len(read_dead_letters(deployment.cluster))
    return _row(run, verdict, dead_letters) | {"seconds": round(time.monotonic() - began)}


def visit_times(deployment: Deployment) -> list[VisitTime]:
    """All visits in the database of a deployment."""
    rows = deployment.rows("select camera_id, first_seen, last_seen from visits")
    return [VisitTime(*row) for row in rows]


def _undisturbed_visits(environment: Environment, recording: Recording, verdict: Verdict) -> list[VisitTime]:
    """The visits of a run of `recording` without any fault."""
    with environment.deployment("undisturbed") as deployment:
        republish(recording, deployment.cluster)
        deployment.drain()
        analysed = sum(rows["analysed"] for rows in deployment.frame_counts().values())
        if analysed != len(recording):
            verdict.violations.append(f"undisturbed: {len(recording)} published, {analysed} analysed")
        return visit_times(deployment)


def _row(run: FaultRun, verdict: Verdict, dead_letters: int) -> dict[str, Any]:
    resumed = run.resumed
    return asdict(verdict) | {
        "faults": run.faults,
        "dead_letters": dead_letters,
        "resumed_s": [round(each, 2) for each in resumed],
        "resume_p50_s": round(float(np.percentile(resumed, 50)), 2) if resumed else None,
        "resume_p95_s": round(float(np.percentile(resumed, 95)), 2) if resumed else None,
        "notes": run.notes,
    }


def _description(fault: Callable[..., None]) -> dict[str, Any]:
    """The description of a fault on the page: its docstring."""
    return {"what": " ".join((fault.__doc__ or "").split())}


def last_line(log: Path) -> str:
    """The last line of a log, for a report."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "its log is empty"


def run_undisturbed(run: ScenarioRun, seconds: float) -> None:
    """No fault: the row that the other rows are compared with."""
    run.wait_until_ready()
    time.sleep(seconds)


def kill_workers(run: ScenarioRun, times: int) -> None:
    """SIGKILL to the worker that has run for longest; another one starts at once."""
    for _ in range(times):
        run.wait_until_ready()
        run.workers.remove_oldest().kill()
        began = time.monotonic()
        run.workers.start_worker()
        run.record_recovery(began)


def kill_captures(run: CaptureRun, times: int) -> None:
    """SIGKILL to the `mien ingest` with the most cameras; another one starts at once.

    Every second time it gets SIGSTOP instead, and SIGCONT after the others have taken its cameras over.
    """
    for number in range(times):
        run.wait_until_ready()
        busiest = run.captures.busiest()
        began = time.monotonic()
        if number % 2:
            run.captures.suspend(busiest)
            time.sleep(LEASE_S)
            run.record_recovery(began)
            busiest.resume()
        else:
            run.captures.processes.remove(busiest)
            busiest.kill()
            run.captures.start()
            run.record_recovery(began)


def kill_broker(run: ScenarioRun, times: int) -> None:
    """SIGKILL to the only broker, which restarts 3 seconds later."""
    broker = run.environment.broker
    for _ in range(times):
        run.wait_until_ready()
        broker.kill()
        time.sleep(3)
        broker.start()
        run.record_recovery(time.monotonic())


def restart_database(run: ScenarioRun, *outages: float) -> None:
    """PostgreSQL crashes (`pg_ctl stop -m immediate`) and restarts at once, or after a minute."""
    server = run.environment.server
    for seconds in outages:
        run.wait_until_ready()
        before = run.workers.memory_mb()
        server.stop("immediate")
        time.sleep(seconds)
        growth = run.workers.memory_mb() - before
        run.notes.append(f"unavailable for {seconds:g} s: both workers together grew by {growth:.0f} MB")
        server.start()
        run.record_recovery(time.monotonic())


def change_workers(run: ScenarioRun, rounds: int) -> None:
    """Workers join and leave at random, one to four of them, faster than the group can rebalance."""
    group = run.workers
    stops = []
    for _ in range(rounds):
        time.sleep(run.rng.uniform(0.2, 3))
        if len(group.workers) == 1 or (len(group.workers) < 4 and run.rng.random() < 0.5):
            group.start_worker()
        else:
            worker = group.remove_oldest()
            stops.append(worker.stop())
            # Until Python runs, the signal ends the process itself: it has done nothing yet.
            has_begun = worker.log.stat().st_size > 0
            if worker.process.returncode not in {0, *([] if has_begun else [-signal.SIGTERM])}:
                run.violations.append(f"SIGTERM ended a worker with exit code {worker.process.returncode}")
        run.faults += 1
    run.faults -= 1  # `record_recovery` counts the last one.
    run.record_recovery(time.monotonic())
    if stops:
        run.notes.append(f"{len(stops)} workers left, the slowest {max(stops):.1f} s after SIGTERM")
        if max(stops) > _LONGEST_STOP_SECONDS:
            run.violations.append(f"a worker took {max(stops):.1f} s to end after SIGTERM")


def send_poison(run: ScenarioRun, rounds: int) -> None:
    """Records of every kind that can never be processed, in the partition of every camera."""
    run.wait_until_ready()
    run.poison.send(run.deployment.cluster, rounds)
    run.faults = len(run.poison.sent) - 1
    run.record_recovery(time.monotonic())


def kill_one_of_three(run: ScenarioRun, brokers: list[Any]) -> None:
    """SIGKILL to one of three brokers, each in turn; it restarts once the others have taken over.

    Each frame has three replicas, of which two must have it before it is acknowledged (`acks=all`).
    """
    for broker in brokers:
        wait_until(partial(_is_in_sync, run.deployment, len(brokers)), "all replicas in sync")
        run.wait_until_ready()
        broker.kill()
        run.record_recovery(time.monotonic())
        broker.start()


def _is_in_sync(deployment: Deployment, replicas: int) -> bool:
    """Whether every replica of the frames, and of the group's membership, is up to date."""
    with closing(KafkaAdminClient(**deployment.cluster.connection())) as admin:
        topics = admin.describe_topics([deployment.cluster.topic, "__consumer_offsets"])
    return all(len(part["isr_nodes"]) == replicas for topic in topics for part in topic["partitions"])


def run_three_brokers(environment: Environment) -> dict[str, Any]:
    """Start a cluster of three brokers and run `kill_one_of_three`."""
    brokers = cluster(environment.folder / "three", environment.jars, 3)
    for broker in brokers:
        broker.launch()
    try:
        for broker in brokers:
            broker.wait_until_up()
        addresses = ",".join(broker.address for broker in brokers)
        return _description(kill_one_of_three) | run_scenario(
            environment, "three", partial(kill_one_of_three, brokers=brokers), brokers=addresses, copies=3
        )
    finally:
        for broker in brokers:
            broker.stop()


def fill_disk(run: ScenarioRun, disk: Path, full: float) -> None:
    """No byte is left on the database's disk of 32 MB; space is freed a while after a worker reported it."""
    run.wait_until_ready()
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(_MB // 4)):
                pass
        except OSError as error:
            run.notes.append(f"{file.tell() / _MB:.0f} MB of ballast, then: {error.strerror}")
    wait_until(lambda: _reports_full_disk(run.workers), "a worker that reports the full disk", 300)
    time.sleep(full)
    ballast.unlink()
    run.record_recovery(time.monotonic())


def _reports_full_disk(group: WorkerGroup) -> bool:
    return any(b"No space left on device" in worker.log.read_bytes() for worker in group.workers)


def run_full_disk(environment: Environment, full: float) -> dict[str, Any]:
    """Create a tablespace on a small disk and run `fill_disk`."""
    with _small_disk(environment.server) as disk:
        environment.server.execute(f"CREATE TABLESPACE small LOCATION '{disk / 'rows'}'")
        try:
            return _description(fill_disk) | run_scenario(
                environment, "disk", partial(fill_disk, disk=disk, full=full), options="TABLESPACE small"
            )
        finally:
            environment.server.execute("DROP TABLESPACE small")


@contextmanager
def _small_disk(server: Server) -> Iterator[Path]:
    disk = server.folder / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if done.returncode:
        disk.rmdir()
        raise Unsupported(f"a small disk cannot be mounted: {done.stderr.strip()}")
    try:
        (disk / "rows").mkdir()
        for path in (disk, disk / "rows"):
            shutil.chown(path, "postgres")
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def run_kill_captures(environment: Environment, times: int) -> dict[str, Any]:
    """Run `kill_captures`."""
    fault = partial(kill_captures, times=times)
    return _description(kill_captures) | run_capture_scenario(environment, "ingest", fault)


def scenarios(quick: bool) -> Mapping[str, Callable[[Environment], dict[str, Any]]]:
    """The scenarios by name; `quick`: fewer and shorter faults."""

    def fault(name: str, inject: Callable[..., None], *arguments: Any) -> Any:
        def run(environment: Environment) -> dict[str, Any]:
            injected = run_scenario(environment, name, lambda scenario: inject(scenario, *arguments))
            return _description(inject) | injected

        return run

    return {
        "none": fault("none", run_undisturbed, 10 if quick else 60),
        "worker killed (SIGKILL)": fault("worker", kill_workers, 5 if quick else 50),
        "ingest killed or suspended": partial(run_kill_captures, times=3 if quick else 30),
        "broker killed and restarted": fault("broker", kill_broker, 1 if quick else 5),
        "one of three brokers killed": run_three_brokers,
        "PostgreSQL crashed and unavailable": fault(
            "database", restart_database, *((10,) if quick else (1, 60))
        ),
        "workers joining and leaving": fault("storm", change_workers, 6 if quick else 30),
        "poison frames": fault("poison", send_poison, 2 if quick else 10),
        "disk full": partial(run_full_disk, full=5 if quick else 30),
    }
