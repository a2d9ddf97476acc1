"""Distillation: what teachers do to the targets, and a run that learns from another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.classifier import softmax
from training import datasets
from training.batches import Batches, Source, expression_source, gender_source
from training.card import commands
from training.errors import RunError
from training.importers import load_fairface, load_fer2013
from training.inputs import fer_pictures, network_input
from training.recipes import Config, recipe
from training.runs import MODEL_FILE, read_config
from training.teachers import taught
from training.train import fit
from training.validation import load_keras


@pytest.fixture(scope="module")
def teacher(data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    fit(tiny("paper_cnn"), data, folder, cache, resume=False)
    return folder


def tiny(arch: str, **changes: object) -> Config:
    return replace(recipe(arch), epochs=1, expression_batch=7, gender_batch=8, **changes)


def sources(data: Path, cache: Path, config: Config) -> list[Source]:
    faces = datasets.unseen(load_fer2013(data, cache))
    return [
        expression_source(faces, config),
        gender_source(load_fairface(data, cache, "train"), config),
    ]


def test_an_answer_is_blended_with_a_label_and_stands_alone_at_its_weight(
    data: Path, cache: Path, teacher: Path
) -> None:
    config = tiny("mien", teachers=(str(teacher),), taught=0.25)
    before = sources(data, cache, config)
    after = taught(before, config)
    model = load_keras(teacher / MODEL_FILE)
    pictures = fer_pictures(datasets.unseen(load_fer2013(data, cache)), 48)
    views = [model(network_input(seen), training=False) for seen in (pictures, pictures[:, :, ::-1])]
    answers = {
        head: np.mean([softmax(np.asarray(view[head]), 1.0) for view in views], axis=0)
        for head in datasets.HEADS
    }
    for head in ("expression", "fer2013"):
        blended = 0.75 * before[0].targets[head] + 0.25 * answers[head]
        assert after[0].targets[head] == pytest.approx(blended, abs=1e-5)
    assert after[0].targets["gender"] == pytest.approx(0.25 * answers["gender"], abs=1e-5)
    assert after[1].targets["gender"].sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert after[1].targets["expression"].sum(axis=1) == pytest.approx(0.25, abs=1e-5)
    _, _, weights = Batches(after, replace(config, mixup=0.0), 0)[0]
    assert weights["gender"] == pytest.approx([0.25] * 7 + [1.0] * 8, abs=1e-5)


def test_two_teachers_teach_their_mean(data: Path, cache: Path, teacher: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    fit(tiny("paper_logreg", seed=2), data, other, cache, resume=False)
    one, two, both = (
        taught(sources(data, cache, config), config)[0].targets["gender"]
        for names in ((teacher,), (other,), (teacher, other))
        for config in [tiny("mien", teachers=tuple(map(str, names)))]
    )
    assert both == pytest.approx((one + two) / 2, abs=1e-5)


def test_without_teachers_the_targets_are_the_labels(data: Path, cache: Path) -> None:
    config = tiny("mien")
    before = sources(data, cache, config)
    assert taught(before, config) == before


def test_a_run_that_was_taught_says_by_whom_and_how_to_repeat_it(
    data: Path, cache: Path, teacher: Path, tmp_path: Path
) -> None:
    config = tiny("paper_cnn", teachers=(str(teacher),))
    fit(config, data, tmp_path / "student", cache, resume=False)
    assert read_config(tmp_path / "student") == config
    first, second, *_ = commands(config, "runs/student").splitlines()
    assert first.strip().endswith(f"--out {teacher}")
    assert f"--teacher {teacher}" in second


@pytest.mark.parametrize(
    ("arch", "task", "complaint"),
    [
        ("paper_lstm", "gender", "its network sees clips"),
        ("paper_logreg", "gender", "none of the heads expression, fer2013"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused(
    data: Path, cache: Path, tmp_path: Path, arch: str, task: str, complaint: str
) -> None:
    fit(tiny(arch, task=task), data, tmp_path / "teacher", cache, resume=False)
    config = tiny("mien", task="emotion", teachers=(str(tmp_path / "teacher"),))
    with pytest.raises(RunError, match=complaint):
        taught(sources(data, cache, config)[:1], config)


def test_a_teacher_that_is_no_run_is_refused_before_anything_is_written(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    config = tiny("mien", teachers=(str(tmp_path / "nobody"),))
    with pytest.raises(RunError, match="nobody is not a training run"):
        fit(config, data, tmp_path / "run", cache, resume=False)
    assert not (tmp_path / "run").exists()
