"""A short part of `make chaos`, and proof that the oracle detects violations."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from bus.messages import CameraMinute, minute_of
from common.clock import wall_clock_us
from storage.writer import Writer
from tests.chaos import scenarios
from tests.chaos.cameras import CAMERAS, CameraGroup
from tests.chaos.environment import Environment
from tests.chaos.oracle import check_counts
from tests.chaos.poison import KINDS
from tests.support.brokers import Broker, jars
from tests.support.buses import KAFKA, eventually
from tests.support.postgres import Server

pytestmark = [*KAFKA, pytest.mark.timeout(900)]


@pytest.fixture
def environment(tmp_path: Path, broker: Broker, postgresql_server: Server) -> Environment:
    return Environment(tmp_path, broker, postgresql_server, jars())


def test_killed_workers_lose_and_double_nothing(environment: Environment) -> None:
    row = scenarios.run_scenario(
        environment, "worker", partial(scenarios.kill_workers, times=3), undisturbed=False
    )
    assert row["violations"] == []
    assert (row["lost"], row["doubled"], row["faults"]) == (0, 0, 3)
    assert row["analysed"] > 0
    assert row["resume_p95_s"] < 60


def test_captures_that_are_killed_or_suspended_lose_and_double_nothing(environment: Environment) -> None:
    row = scenarios.run_kill_captures(environment, times=2)
    assert row["violations"] == []
    assert (row["lost"], row["doubled"], row["faults"]) == (0, 0, 2)
    assert row["produced"] > 0
    assert row["resume_p95_s"] < 60


def test_a_database_outage_and_poison_records_lose_no_other_frames(environment: Environment) -> None:
    def inject(run: scenarios.ScenarioRun) -> None:
        scenarios.restart_database(run, 5)
        scenarios.send_poison(run, 1)

    row = scenarios.run_scenario(environment, "outage", inject, undisturbed=False)
    assert row["violations"] == []
    assert row["dead_letters"] >= (len(KINDS) - 3) * len(CAMERAS), "three kinds may be stale before decoding"
    assert row["failed"] == row["dead_letters"] - 2 * len(CAMERAS), "two kinds do not name their camera"


def test_the_oracle_detects_lost_doubled_invented_and_uncounted_frames(environment: Environment) -> None:
    with environment.deployment("oracle") as deployment:
        with CameraGroup(deployment.cluster) as cameras:
            eventually(lambda: len(cameras.recording) > 20, "frames are published")
        writer = Writer(deployment.engine)
        cameras.store_counts(writer)
        uncounted = check_counts(deployment, cameras).violations
        assert any("0 counted in the database" in each for each in uncounted)
        deployment.drain()
        assert check_counts(deployment, cameras).violations == []

        minute = minute_of(wall_clock_us())
        writer.count(CameraMinute("till", minute, analysed=1))
        doubled = check_counts(deployment, cameras)
        assert (doubled.lost, doubled.doubled, len(doubled.violations)) == (0, 1, 2)
        writer.count(CameraMinute("till", minute, analysed=-2))
        assert check_counts(deployment, cameras).lost == 1
        writer.count(CameraMinute("till", minute, analysed=1))
        assert check_counts(deployment, cameras).violations == []

        cameras.acknowledged["shelf"].add(10_000)
        violations = check_counts(deployment, cameras).violations
        assert any("acknowledged frames are not in Kafka" in each for each in violations)
        cameras.acknowledged["shelf"].remove(10_000)
        cameras.drops["shelf"] += Counter({"buffer full": 1})
        assert any("dropped" in each for each in check_counts(deployment, cameras).violations)

        writer.count(CameraMinute("shelf", minute, dropped={"buffer full": 1}))
        twice = check_counts(deployment, cameras)
        assert twice.doubled == 1, "a frame that is in Kafka is also counted as dropped"
        assert any("with an outcome" in each for each in twice.violations)
