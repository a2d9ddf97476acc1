"""Batches that processes make ahead of time: the same ones, in order, and no process that outlives them."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.support.training_data import tiny
from training.classifier import ahead
from training.classifier.ahead import Ahead
from training.classifier.batches import Batches
from training.classifier.train import fit, load, prepared
from training.errors import RunError
from training.runs.folder import read_history

CONFIG = replace(tiny("mien"), epochs=2)


def batches(data: Path, cache: Path) -> Batches:
    learnt, _ = load(CONFIG, data, cache)
    return Batches(learnt, CONFIG, 0)


def test_what_several_processes_make_comes_in_order_from_where_it_begins() -> None:
    with Ahead(lambda step: (step, os.getpid()), first=5, workers=3) as made:
        steps, processes = zip(*islice(made, 12), strict=True)
    assert steps == tuple(range(5, 17))
    assert len(set(processes)) == 3
    assert os.getpid() not in processes


def test_processes_make_the_batches_that_a_thread_would_make(data: Path, cache: Path) -> None:
    alone = batches(data, cache)
    epoch = len(alone)
    with prepared(batches(data, cache), 1, workers=2) as steps:
        made = list(islice(steps, epoch))
    alone.on_epoch_end()
    for index, (pictures, targets, weights) in enumerate(made):
        expected = alone[index]
        assert np.array_equal(pictures, expected[0])
        for head in targets:
            assert np.array_equal(targets[head], expected[1][head])
            assert np.array_equal(weights[head], expected[2][head])


def test_a_run_can_be_fed_by_processes(data: Path, cache: Path, tmp_path: Path) -> None:
    fit(replace(CONFIG, arch="paper_logreg"), data, tmp_path / "run", cache, resume=False, workers=2)
    assert len(read_history(tmp_path / "run")) == 2


def test_processes_end_with_the_run(data: Path, cache: Path) -> None:
    with Ahead(lambda step: os.getpid(), first=0, workers=2) as made:
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

    monkeypatch.setattr(ahead, "PATIENCE", 0.2)
    with (
        Ahead(fail, first=0, workers=2) as made,
        pytest.raises(RunError, match="a process that makes batches has ended"),
    ):
        list(islice(made, 10))
    assert "no such picture" in capfd.readouterr().err
