"""Upkeep that is repeated until a signal, also while the database is unavailable."""

from __future__ import annotations

import signal
import threading
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from common.clock import wall_clock_us
from mien.loops.run import Pipeline
from mien.settings import Settings
from mien.upkeep import Progress, UpkeepEnded, maintain_if_owner, repeat, until_stopped
from storage import tables
from storage.day_partitions import DAY_US
from storage.engine import open_database
from storage.errors import DatabaseUnavailable
from storage.writer import Writer
from tests.support.databases import results, rows, visit
from tests.support.processes import free_port, mien, running


def test_maintain_repeats_serves_its_liveness_and_stops_on_sigterm(tmp_path: Path) -> None:
    url, port = f"sqlite:///{tmp_path}/a.db", free_port()
    assert mien(tmp_path, "db", "upgrade", "--database", url).returncode == 0
    variables = {"MIEN_DATABASE": url, "MIEN_HEALTH_PORT": str(port)}
    with running(tmp_path, "db", "maintain", "--every", "1", variables=variables) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(6)]
        assert lines.count("deleted nothing\n") >= 2
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, process.stdout.read()


def test_an_interval_under_a_second_is_refused(tmp_path: Path) -> None:
    refused = mien(tmp_path, "db", "maintain", "--every", "0")
    assert refused.returncode == 2
    assert "--every" in refused.stderr


def test_the_loop_retries_while_the_database_is_unavailable_and_ends_on_other_errors() -> None:
    stop, beats = threading.Event(), [0]
    outcomes: list[Exception | None] = [
        DatabaseUnavailable("connection refused"),
        None,
        KeyError("x"),
    ]
    done = []

    def upkeep(_: Progress) -> None:
        outcome = outcomes[len(done)]
        done.append(outcome)
        if outcome is not None:
            raise outcome

    def beat() -> None:
        beats[0] += 1

    with pytest.raises(KeyError):
        repeat(upkeep, 0.05, stop, beat)
    assert len(done) == 3
    assert beats[0] >= 2


def test_the_loop_ends_at_once_when_the_event_is_set() -> None:
    stop = threading.Event()
    started = time.monotonic()
    repeat(lambda _: stop.set(), 3600, stop, lambda: None)
    assert time.monotonic() - started < 10


def test_the_heart_beats_within_an_upkeep_and_a_stop_ends_it_between_two_transactions() -> None:
    stop, beats = threading.Event(), [0]

    def beat() -> None:
        beats[0] += 1
        if beats[0] == 5:
            stop.set()

    def endless(progress: Progress) -> None:
        while True:
            progress()

    repeat(endless, 3600, stop, beat)
    assert beats[0] == 5


def test_an_upkeep_of_a_run_calls_the_tick_and_ends_with_the_run() -> None:
    stop, ticks = threading.Event(), [0]

    def tick() -> None:
        ticks[0] += 1
        if ticks[0] == 5:
            stop.set()

    def endless(progress: Progress) -> None:
        while True:
            progress()

    parts: Any = SimpleNamespace(ended=threading.Event(), any_finished=False, check=lambda: None)
    Pipeline(parts, parts, parts, endless)._wait(stop, tick)
    assert ticks[0] >= 5


def test_the_upkeep_of_a_history_is_continued_after_a_stop(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    settings, now = Settings(timezone="UTC", keep_visits_days=5), wall_clock_us()
    writer = Writer(engine)
    for days in range(1, 9):
        writer.write(results([visit(f"v{days}", closed=True, first_seen=now - days * DAY_US)]), {})
    stop, steps = threading.Event(), [0]

    def count_steps() -> None:
        steps[0] += 1
        # The purge has one step for each table, the roll-up one for each day.
        if len(rows(engine, tables.camera_days)) == 2:
            stop.set()

    with pytest.raises(UpkeepEnded):
        maintain_if_owner(engine, settings, until_stopped(stop, count_steps))
    assert len(rows(engine, tables.visits)) == 5, "the purge was complete"
    assert steps[0] > 3
    assert len(rows(engine, tables.camera_days)) == 2
    maintain_if_owner(engine, settings, lambda: None)
    assert len(rows(engine, tables.camera_days)) > 2
    purging = threading.Event()
    purging.set()
    with pytest.raises(UpkeepEnded):
        maintain_if_owner(engine, settings, until_stopped(purging, lambda: None))
    engine.dispose()


def test_cameras_of_the_configuration_can_be_registered_repeatedly(tmp_path: Path) -> None:
    (tmp_path / "mien.yaml").write_text("cameras:\n  - {id: door, source: 'demo://entrance', name: Door}\n")
    first = mien(tmp_path, "cameras", "sync")
    assert (first.returncode, first.stdout) == (0, "registered door\n")
    assert mien(tmp_path, "cameras", "pause", "door", "--reason", "renovation").returncode == 0
    (tmp_path / "mien.yaml").write_text("cameras:\n  - {id: door, source: 'demo://shelf', name: Back}\n")
    assert mien(tmp_path, "cameras", "sync").returncode == 0
    listed = mien(tmp_path, "cameras", "list").stdout
    assert "Back" in listed
    assert "demo://shelf" in listed
    assert "renovation" in listed, "a pause of an operator stays"


def test_a_configuration_without_cameras_is_reported(tmp_path: Path) -> None:
    done = mien(tmp_path, "cameras", "sync")
    assert done.returncode == 0
    assert "names no cameras" in done.stdout
