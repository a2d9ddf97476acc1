"""Scaled mode: processes around a real broker and a real PostgreSQL, compared with `mien run`."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import streamlit as st

from common.access import LOCAL
from dashboard.live_pictures import read_live
from mien.settings import load
from storage.camera_history import OUTCOMES
from storage.processes import Process
from tests.support.brokers import Broker
from tests.support.buses import KAFKA
from tests.support.postgres import Server
from tests.support.processes import mien, running
from tests.support.recordings import recording

pytestmark = KAFKA
CLIPS = ("face-demographics-walking-and-pause.mp4", "head-pose-face-detection-female.mp4")


@dataclass
class Cluster:
    """Settings of scaled mode, its database, and how to start its commands."""

    folder: Path
    variables: dict[str, str]
    engine: sa.Engine

    def mien(self, *arguments: object, timeout: float = 180) -> str:
        """The output of a command, which must succeed."""
        done = mien(self.folder, *arguments, timeout=timeout, variables=self.variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def wait_for(self, sql: str, expected: list[tuple[Any, ...]], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while (found := self.rows(sql)) != expected:
            assert time.monotonic() < deadline, f"{sql}: {found}, expected {expected}"
            time.sleep(0.1)


@pytest.fixture
def cluster(tmp_path: Path, broker: Broker, postgresql_server: Server) -> Iterator[Cluster]:
    with postgresql_server.database() as name:
        url = postgresql_server.over_tcp(name)
        topic = f"frames-{tmp_path.name}"
        variables = {
            "MIEN_BUS": f"kafka://{broker.address}/{topic}?group={topic}",
            "MIEN_DATABASE": url.render_as_string(hide_password=False),
            "MIEN_PARTITIONS": "4",
        }
        engine = sa.create_engine(url)
        made = Cluster(tmp_path, variables, engine)
        made.mien("topics", "create")
        made.mien("db", "upgrade")
        yield made
        engine.dispose()


def test_a_recording_gives_the_same_visits_in_both_modes(cluster: Cluster) -> None:
    data = os.environ.get("MIEN_DATA")
    if not data:
        pytest.skip("MIEN_DATA names no folder with the clips")
    sources = [part for clip in CLIPS for part in ("--source", Path(data) / "videos" / clip)]
    assert mien(cluster.folder, "run", *sources, "--fast", timeout=180).returncode == 0
    cluster.mien("ingest", *sources, "--fast")
    cluster.mien("work", "--drain")
    alone = sa.create_engine(f"sqlite:///{cluster.folder / 'mien.db'}")
    expected, found = visits(alone), visits(cluster.engine)
    alone.dispose()
    assert len(expected) == 4
    assert found == expected


def visits(engine: sa.Engine) -> list[tuple[Any, ...]]:
    """All visits without their ids, times from the camera's first frame on, in microseconds."""
    with engine.connect() as connection:
        table = sa.Table("visits", sa.MetaData(), autoload_with=connection)
        rows = connection.execute(sa.select(table)).mappings().all()
    starts: dict[str, int] = {}
    for row in rows:
        starts[row["camera_id"]] = min(starts.get(row["camera_id"], row["first_seen"]), row["first_seen"])
    times = ("first_seen", "last_seen")
    compared = [name for name in table.c.keys() if name not in {"visit_id", *times}]  # noqa: SIM118
    return sorted(
        (
            *(row[name] - starts[row["camera_id"]] for name in times),
            *(round(row[name], 6) if isinstance(row[name], float) else row[name] for name in compared),
        )
        for row in rows
    )


def test_every_frame_is_counted_once_and_a_second_drain_adds_nothing(cluster: Cluster) -> None:
    source = recording(cluster.folder / "aisle.mp4", frames=60)
    cluster.mien("ingest", "--source", source, "--fast")
    cluster.mien("work", "--drain")
    counts = "select sum(captured)::int, sum(analysed)::int, sum(dropped)::int from camera_minutes"
    assert cluster.rows(counts) == [(60, 60, 0)]
    cluster.mien("work", "--drain")
    assert cluster.rows(counts) == [(60, 60, 0)]


def test_visits_of_live_cameras_are_stored_and_sigterm_stops_all_processes(cluster: Cluster) -> None:
    for name in ("entrance", "shelf"):
        cluster.mien("cameras", "add", name, f"demo://{name}")
    online = "select count(*) from camera_states where state = 'online'"
    seen = "select count(distinct camera_id) from visits"
    with (
        running(cluster.folder, "ingest", variables=cluster.variables) as cameras,
        running(cluster.folder, "work", variables=cluster.variables) as worker,
    ):
        cluster.wait_for(online, [(2,)])
        cluster.wait_for(seen, [(2,)])
        for process in (cameras, worker):
            process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            assert process.wait(30) == 0, process.stdout.read() if process.stdout else ""
            assert time.monotonic() - started < 12
    partitions = cluster.rows("select partition from cameras order by 1")
    assert partitions == [(0,), (1,)], "each camera has a partition of its own"


def test_a_live_picture_comes_from_the_worker_that_analyses_the_camera_also_after_a_rebalance(
    cluster: Cluster,
) -> None:
    cluster.mien("cameras", "add", "entrance", "demo://entrance")
    settings = load(database=cluster.variables["MIEN_DATABASE"])

    def watch(other_than: Process | None = None) -> Process:
        """The worker whose picture of the camera the dashboard gets."""
        deadline = time.monotonic() + 120
        while True:
            answer = read_live(settings, LOCAL, "entrance", other_than)
            if answer.picture and answer.analysed_by != other_than and answer.picture.age_s < 30:
                assert answer.analysed_by
                return answer.analysed_by
            assert time.monotonic() < deadline, answer
            time.sleep(0.2)

    with (
        running(cluster.folder, "ingest", variables=cluster.variables),
        running(cluster.folder, "work", variables=cluster.variables) as one,
        running(cluster.folder, "work", variables=cluster.variables) as other,
    ):
        first = watch()
        workers = {process.pid: process for process in (one, other)}
        pid = int(first.name.rpartition(" ")[2])
        assert pid in workers, "not the process that captures"
        workers.pop(pid).send_signal(signal.SIGTERM)
        second = watch(other_than=first)
        assert int(second.name.rpartition(" ")[2]) in workers
    secrets = [row[0] for row in cluster.rows("select token from processes where token <> ''")]
    assert first.token not in secrets, "erased when its process ended"
    st.cache_resource.clear()


ACCOUNTS = f"select sum(captured)::int, sum({' + '.join(OUTCOMES)})::int from camera_minutes"


def test_a_worker_stops_in_time_while_the_database_hangs_and_no_frame_is_lost_or_counted_twice(
    cluster: Cluster, postgresql_server: Server
) -> None:
    for name in ("entrance", "shelf"):
        cluster.mien("cameras", "add", name, f"demo://{name}")
    with running(cluster.folder, "ingest", variables=cluster.variables) as cameras:
        with running(cluster.folder, "work", variables=cluster.variables) as worker:
            cluster.wait_for("select count(distinct camera_id) from visits", [(2,)])
            with hanging(postgresql_server):
                time.sleep(1)  # It writes several times a second.
                assert_stops(worker)
        assert_stops(cameras)
    cluster.mien("work", "--drain")
    ((captured, counted),) = cluster.rows(ACCOUNTS)
    assert captured == counted > 0
    cluster.mien("db", "check")


def test_captures_stop_in_time_while_the_database_hangs(cluster: Cluster, postgresql_server: Server) -> None:
    cluster.mien("cameras", "add", "entrance", "demo://entrance")
    with running(cluster.folder, "ingest", variables=cluster.variables) as cameras:
        cluster.wait_for("select count(*) from camera_states where state = 'online'", [(1,)])
        with hanging(postgresql_server):
            time.sleep(1)
            assert_stops(cameras)


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    server.stall()
    try:
        yield
    finally:
        server.resume()


def assert_stops(process: subprocess.Popen[str]) -> str:
    """SIGTERM stops the process within seconds; returns its output."""
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=11)
    assert process.returncode == 0, output
    return output


def test_the_embedded_bus_is_refused_with_a_fix(tmp_path: Path) -> None:
    done = mien(tmp_path, "work")
    assert done.returncode == 2
    assert "MIEN_BUS=kafka://" in done.stderr
