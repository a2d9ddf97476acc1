"""The faults, each on a stage of its own while cameras film and workers work."""

from __future__ import annotations

import random
import shutil
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

from storage.writer import Writer
from tests.chaos.cameras import Recording, Studio, republish
from tests.chaos.crew import Crew
from tests.chaos.ground import Ground, Stage, wait_until
from tests.chaos.oracle import Verdict, judge
from tests.chaos.poison import Poison
from tests.chaos.visits import Seen, compare
from tests.support.brokers import cluster
from tests.support.postgres import Server

_IN_FLIGHT_SECONDS = 0.25
"""A commit that a killed worker had sent is carried out all the same: it is no sign of resumption."""

_LONGEST_STOP_SECONDS = 10.0
_SEED = 5
_MB = 1 << 20


class Impossible(RuntimeError):
    """This ground does not have what a scenario needs."""


@dataclass
class Play:
    """A scenario that runs; faults note what they find here.

    `resumed`: seconds from each fault to the next row of every camera. `away`: seconds for which the broken
    part was away, which do not count as such.
    """

    ground: Ground
    stage: Stage
    studio: Studio
    crew: Crew
    faults: int = 0
    resumed: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    poison: Poison = field(default_factory=Poison)
    notes: list[str] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(_SEED))

    def settle(self) -> None:
        """Wait until every worker has cameras, and rows of all cameras come."""
        wait_until(self.crew.is_ready, "a partition for every worker")
        self.stage.wait_for_rows()
        time.sleep(self.chance.random())

    def has_caught_up(self) -> bool:
        """Whether everything that was acknowledged is counted."""
        results = sum(
            rows["analysed"] + rows["stale"] + rows["failed"] for rows in self.stage.counted().values()
        )
        published = sum(map(len, self.studio.acknowledged.values())) + self.poison.by_camera.total()
        return results >= published

    def note_resumption(self, began: float) -> None:
        """Wait for rows of all cameras; `began` is the time.monotonic() of the fault, or of its end."""
        self.faults += 1
        time.sleep(_IN_FLIGHT_SECONDS)
        self.resumed.append(self.stage.wait_for_rows() - began)


Fault = Callable[[Play], None]


def perform(
    ground: Ground, name: str, fault: Fault, *, undisturbed: bool = True, **stage: Any
) -> dict[str, Any]:
    """Run a fault, judge, and compare with the undisturbed run of the same recording; plain data."""
    began = time.monotonic()
    with ground.stage(name, **stage) as made:
        studio = Studio(made.cluster)
        with Crew(made.folder, made.variables) as crew:
            play = Play(ground, made, studio, crew)
            wait_until(crew.is_ready, "a partition for every worker")
            with studio:
                play.settle()
                fault(play)
            wait_until(play.has_caught_up, "the workers to catch up")
        studio.tell(Writer(made.engine))
        made.drain()
        verdict = judge(made, studio, play.poison.by_camera)
        verdict.violations += play.violations + play.poison.check(made.cluster)
        verdict.violations += [f"a worker ended by itself: {last_line(log)}" for log in crew.lost]
        if play.poison.lying:
            play.notes += [f"{kind}: {said}" for kind, said in play.poison.reasons(made.cluster).items()]
        found = visits(made)
    row = _row(play, verdict)
    if undisturbed:
        row["visits"] = compare(_undisturbed(ground, studio.recording, verdict), found)._asdict()
    return row | {"seconds": round(time.monotonic() - began)}


def visits(stage: Stage) -> list[Seen]:
    """All visits of a database."""
    return [Seen(*row) for row in stage.rows("select camera_id, first_seen, last_seen from visits")]


def _undisturbed(ground: Ground, recording: Recording, verdict: Verdict) -> list[Seen]:
    """The visits of a run of `recording` in which nothing happens."""
    with ground.stage("undisturbed") as stage:
        republish(recording, stage.cluster)
        stage.drain()
        analysed = sum(rows["analysed"] for rows in stage.counted().values())
        if analysed != len(recording):
            verdict.violations.append(f"undisturbed: {len(recording)} published, {analysed} analysed")
        return visits(stage)


def _row(play: Play, verdict: Verdict) -> dict[str, Any]:
    resumed = play.resumed
    return asdict(verdict) | {
        "faults": play.faults,
        "dead_letters": len(play.poison.lying),
        "resumed_s": [round(each, 2) for each in resumed],
        "resume_p50_s": round(float(np.percentile(resumed, 50)), 2) if resumed else None,
        "resume_p95_s": round(float(np.percentile(resumed, 95)), 2) if resumed else None,
        "notes": play.notes,
    }


def _described(fault: Callable[..., None]) -> dict[str, Any]:
    """What the page says of a fault: its docstring."""
    return {"what": " ".join((fault.__doc__ or "").split())}


def last_line(log: Path) -> str:
    """The end of a log, for a report."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no word"


def film(play: Play, seconds: float) -> None:
    """Nothing is broken: what the other rows are to be compared with."""
    play.settle()
    time.sleep(seconds)


def kill_workers(play: Play, times: int) -> None:
    """SIGKILL to the worker that is there for longest; another one starts at once."""
    for _ in range(times):
        play.settle()
        play.crew.take_oldest().kill()
        began = time.monotonic()
        play.crew.hire()
        play.note_resumption(began)


def kill_broker(play: Play, times: int) -> None:
    """SIGKILL to the only broker, which starts again 3 seconds later."""
    broker = play.ground.broker
    for _ in range(times):
        play.settle()
        broker.kill()
        time.sleep(3)
        broker.start()
        play.note_resumption(time.monotonic())


def restart_database(play: Play, *away: float) -> None:
    """PostgreSQL crashes (`pg_ctl stop -m immediate`) and starts again at once, or after a minute."""
    server = play.ground.server
    for seconds in away:
        play.settle()
        before = play.crew.memory_mb()
        server.stop("immediate")
        time.sleep(seconds)
        grown = play.crew.memory_mb() - before
        play.notes.append(f"away for {seconds:g} s: both workers together grew by {grown:.0f} MB")
        server.start()
        play.note_resumption(time.monotonic())


def storm(play: Play, rounds: int) -> None:
    """Workers join and leave at random, one to four of them, faster than the group can settle."""
    crew, chance = play.crew, play.chance
    stops = []
    for _ in range(rounds):
        time.sleep(chance.uniform(0.2, 3))
        if len(crew.hands) == 1 or (len(crew.hands) < 4 and chance.random() < 0.5):
            crew.hire()
        else:
            hand = crew.take_oldest()
            stops.append(hand.stop())
            if hand.process.returncode:
                play.violations.append(f"SIGTERM ended a worker with {hand.process.returncode}")
        play.faults += 1
    play.faults -= 1  # What follows waits for the last one.
    play.note_resumption(time.monotonic())
    if stops:
        play.notes.append(f"{len(stops)} workers left, the slowest {max(stops):.1f} s after SIGTERM")
        if max(stops) > _LONGEST_STOP_SECONDS:
            play.violations.append(f"a worker took {max(stops):.1f} s to end after SIGTERM")


def poison(play: Play, rounds: int) -> None:
    """Records of every kind that can never be processed, in every camera's partition."""
    play.settle()
    play.poison.pour(play.stage.cluster, rounds)
    play.faults = len(play.poison.lying) - 1
    play.note_resumption(time.monotonic())


def kill_one_of_three(play: Play, brokers: list[Any]) -> None:
    """SIGKILL to one of three brokers, each in turn; it comes back once the others have taken over.

    Each frame has three replicas, of which two must have it before it is acknowledged (`acks=all`).
    """
    for broker in brokers:
        wait_until(partial(_is_in_sync, play.stage, len(brokers)), "all replicas in sync")
        play.settle()
        broker.kill()
        play.note_resumption(time.monotonic())
        broker.start()


def _is_in_sync(stage: Stage, replicas: int) -> bool:
    """Whether every replica of the frames, and of the group's membership, is up to date."""
    with closing(KafkaAdminClient(**stage.cluster.connection())) as admin:
        topics = admin.describe_topics([stage.cluster.topic, "__consumer_offsets"])
    return all(len(part["isr_nodes"]) == replicas for topic in topics for part in topic["partitions"])


def three_brokers(ground: Ground) -> dict[str, Any]:
    """A cluster of three for `kill_one_of_three`."""
    folder = ground.folder / "three"
    brokers = cluster(folder, ground.jars, 3)
    for broker in brokers:
        broker.launch()
    try:
        for broker in brokers:
            broker.wait_until_up()
        addresses = ",".join(broker.address for broker in brokers)
        return _described(kill_one_of_three) | perform(
            ground, "three", partial(kill_one_of_three, brokers=brokers), brokers=addresses, copies=3
        )
    finally:
        for broker in brokers:
            broker.stop()


def fill_disk(play: Play, disk: Path, full: float) -> None:
    """No byte is left on the database's disk of 32 MB; room is made a while after a worker noticed."""
    play.settle()
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(_MB // 4)):
                pass
        except OSError as error:
            play.notes.append(f"{file.tell() / _MB:.0f} MB of ballast, then: {error.strerror}")
    wait_until(lambda: _complains(play.crew), "a worker that finds the disk full", 300)
    time.sleep(full)
    ballast.unlink()
    play.note_resumption(time.monotonic())


def _complains(crew: Crew) -> bool:
    return any(b"No space left on device" in hand.log.read_bytes() for hand in crew.hands)


def full_disk(ground: Ground, full: float) -> dict[str, Any]:
    """A tablespace on a small disk for `fill_disk`."""
    with _small_disk(ground.server) as disk:
        ground.server.execute(f"CREATE TABLESPACE small LOCATION '{disk / 'rows'}'")
        try:
            return _described(fill_disk) | perform(
                ground, "disk", partial(fill_disk, disk=disk, full=full), options="TABLESPACE small"
            )
        finally:
            ground.server.execute("DROP TABLESPACE small")


@contextmanager
def _small_disk(server: Server) -> Iterator[Path]:
    disk = server.folder / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if done.returncode:
        disk.rmdir()
        raise Impossible(f"a small disk cannot be mounted: {done.stderr.strip()}")
    try:
        (disk / "rows").mkdir()
        for path in (disk, disk / "rows"):
            shutil.chown(path, "postgres")
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def scenarios(quick: bool) -> Mapping[str, Callable[[Ground], dict[str, Any]]]:
    """The scenarios by name; `quick` breaks less often and for less long."""

    def fault(name: str, call: Callable[..., None], *given: Any, **named: Any) -> Any:
        def run(ground: Ground) -> dict[str, Any]:
            return _described(call) | perform(ground, name, lambda play: call(play, *given, **named))

        return run

    return {
        "none": fault("none", film, 10 if quick else 60),
        "worker killed (SIGKILL)": fault("worker", kill_workers, 5 if quick else 50),
        "broker killed and restarted": fault("broker", kill_broker, 1 if quick else 5),
        "one of three brokers killed": three_brokers,
        "PostgreSQL crashed and away": fault("database", restart_database, *((10,) if quick else (1, 60))),
        "workers joining and leaving": fault("storm", storm, 6 if quick else 30),
        "poison frames": fault("poison", poison, 2 if quick else 10),
        "disk full": partial(full_disk, full=5 if quick else 30),
    }
