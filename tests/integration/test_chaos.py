"""A short part of `make chaos`, and that its oracle does notice."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from bus.messages import CameraMinute, minute_of
from storage.writer import Writer
from tests.chaos import scenarios
from tests.chaos.cameras import CAMERAS, Studio, wall_clock_us
from tests.chaos.ground import Ground
from tests.chaos.oracle import judge
from tests.support.brokers import Broker, jars
from tests.support.buses import KAFKA, eventually
from tests.support.postgres import Server

pytestmark = KAFKA


@pytest.fixture
def ground(tmp_path: Path, broker: Broker, postgresql_server: Server) -> Ground:
    return Ground(tmp_path, broker, postgresql_server, jars())


def test_workers_that_are_killed_lose_and_double_nothing(ground: Ground) -> None:
    row = scenarios.perform(ground, "worker", partial(scenarios.kill_workers, times=3), undisturbed=False)
    assert row["violations"] == []
    assert (row["lost"], row["doubled"], row["faults"]) == (0, 0, 3)
    assert row["analysed"] > 0
    assert row["resume_p95_s"] < 60


def test_a_database_that_is_away_and_frames_of_no_use_cost_nothing_else(ground: Ground) -> None:
    def fault(play: scenarios.Play) -> None:
        scenarios.restart_database(play, 5)
        scenarios.poison(play, 1)

    row = scenarios.perform(ground, "away", fault, undisturbed=False)
    assert row["violations"] == []
    assert row["dead_letters"] == 8 * len(CAMERAS)
    assert row["failed"] == 6 * len(CAMERAS), "two of the eight kinds do not say whose they are"


def test_the_oracle_notices_what_is_lost_doubled_invented_or_not_counted(ground: Ground) -> None:
    with ground.stage("oracle") as stage:
        with Studio(stage.cluster) as studio:
            eventually(lambda: len(studio.recording) > 20, "frames are published")
        writer = Writer(stage.engine)
        studio.tell(writer)
        assert any("0 counted in the database" in each for each in judge(stage, studio).violations)
        stage.drain()
        assert judge(stage, studio).violations == []

        minute = minute_of(wall_clock_us())
        writer.count(CameraMinute("till", minute, analysed=1))
        doubled = judge(stage, studio)
        assert (doubled.lost, doubled.doubled, len(doubled.violations)) == (0, 1, 2)
        writer.count(CameraMinute("till", minute, analysed=-2))
        assert judge(stage, studio).lost == 1
        writer.count(CameraMinute("till", minute, analysed=1))
        assert judge(stage, studio).violations == []

        studio.acknowledged["shelf"].add(10_000)
        assert any("acknowledged frames are not in Kafka" in v for v in judge(stage, studio).violations)
        studio.acknowledged["shelf"].remove(10_000)
        studio.drops["shelf"] += Counter({"buffer full": 1})
        assert any("dropped" in violation for violation in judge(stage, studio).violations)

        writer.count(CameraMinute("shelf", minute, dropped={"buffer full": 1}))
        twice = judge(stage, studio)
        assert twice.doubled == 1, "a frame that is in Kafka was dropped as well"
        assert any("analysed, stale, failed or dropped" in violation for violation in twice.violations)
