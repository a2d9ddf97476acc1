"""Prefetching: the same batches in order, and no process that outlives the run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.support.processes import wait_for_end
from tests.support.training_runs import tiny
from training.classifier import prefetch
from training.classifier.batches import ClassifierBatches
from training.classifier.prefetch import Prefetcher
from training.classifier.train import fit, load_training_data, open_batches
from training.errors import RunError
from training.runs.run_folder import read_history

CONFIG = replace(tiny("mien"), epochs=2)


def batches(data: Path, cache: Path) -> ClassifierBatches:
    learnt, _ = load_training_data(CONFIG, data, cache)
    return ClassifierBatches(learnt, CONFIG, 0)


def test_batches_of_several_processes_arrive_in_order_from_the_first_step() -> None:
    with Prefetcher(lambda step: (step, os.getpid()), first=5, workers=3) as made:
        steps, processes = zip(*islice(made, 12), strict=True)
    assert steps == tuple(range(5, 17))
    assert len(set(processes)) == 3
    assert os.getpid() not in processes


def test_processes_make_the_same_batches_as_a_thread(data: Path, cache: Path) -> None:
    alone = batches(data, cache)
    epoch = len(alone)
    with open_batches(batches(data, cache), 0, workers=2) as steps:
        made = list(islice(steps, 2 * epoch))
    for step, (pictures, targets, weights) in enumerate(made):
        if step % epoch == 0:
            alone.on_epoch_begin()
        expected = alone[step % epoch]
        assert np.array_equal(pictures, expected[0])
        for head in targets:
            assert np.array_equal(targets[head], expected[1][head])
            assert np.array_equal(weights[head], expected[2][head])


@pytest.mark.usefixtures("eagerly")
def test_a_run_can_use_processes_and_learns_the_same(data: Path, cache: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, arch="paper_logreg")
    for workers in (0, 2):
        fit(config, data, tmp_path / f"{workers}", cache, resume=False, workers=workers)
    alone, helped = (read_history(tmp_path / f"{workers}") for workers in (0, 2))
    assert len(alone) == 2
    for mine, theirs in zip(alone, helped, strict=True):
        assert mine | {"seconds": 0} == pytest.approx(theirs | {"seconds": 0}, abs=2e-4)


def test_processes_end_with_the_context() -> None:
    with Prefetcher(lambda step: os.getpid(), first=0, workers=2) as made:
        processes = set(islice(made, 2))
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_process_that_fails_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(step: int) -> int:
        if step == 3:
            raise ValueError("no such picture")
        return step

    monkeypatch.setattr(prefetch, "CHECK_SECONDS", 0.2)
    with (
        Prefetcher(fail, first=0, workers=2) as made,
        pytest.raises(RunError, match="a batch process ended"),
    ):
        list(islice(made, 10))
    assert "no such picture" in capfd.readouterr().err


PROGRAM = """
import time
from itertools import islice
from training.classifier.prefetch import Prefetcher
import os
with Prefetcher(lambda step: os.getpid(), first=0, workers=2) as made:
    print(*islice(made, 2), flush=True)
    time.sleep(600)
"""


def test_no_process_outlives_a_training_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as training:
        assert training.stdout
        processes = [int(pid) for pid in training.stdout.readline().split()]
        training.kill()
    assert len(set(processes)) == 2
    for pid in processes:
        wait_for_end(pid)
