"""Distillation: the teachers' share of the loss, and a run with teachers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.classifier import softmax
from tests.support.training_runs import fit_eagerly, tiny
from training.classifier.batches import ClassifierBatches
from training.classifier.card import commands
from training.classifier.network import build_network
from training.classifier.recipes import Config, read_config
from training.classifier.teachers import teacher_shares, with_teachers
from training.classifier.train import compile_model, fit, load_training_data
from training.classifier.validation import load_keras
from training.data import datasets
from training.errors import RunError
from training.runs.run_folder import MODEL_FILE, create_run

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def teacher(paper_cnn_run: Path) -> Path:
    return paper_cnn_run


@pytest.fixture(scope="module")
def gender_teacher(data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "gender_teacher"
    fit_eagerly(tiny("paper_logreg", task="gender", seed=2), data, folder, cache)
    return folder


def first_batch(data: Path, cache: Path, config: Config) -> tuple:
    learnt, _ = load_training_data(config, data, cache)
    return ClassifierBatches(learnt, config, 0)[0]


def crossentropy(targets: np.ndarray, logits: np.ndarray) -> np.ndarray:
    return -(targets * np.log(softmax(np.asarray(logits), 1.0))).sum(axis=1)


@pytest.mark.parametrize("teachers", [["teacher"], ["teacher", "gender_teacher"]])
def test_the_loss_combines_labels_and_the_teachers_mean_output_on_the_same_view(
    teachers: list[str], data: Path, cache: Path, request: pytest.FixtureRequest
) -> None:
    runs = [request.getfixturevalue(name) for name in teachers]
    config = tiny("paper_logreg", teachers=tuple(map(str, runs)), taught=0.25, gender_weight=1.0)
    student = build_network(config, "float32")
    shares = teacher_shares(config)
    model = with_teachers(student, config, shares)
    compile_model(model, config, shares)
    pictures, targets, weights = first_batch(data, cache, config)
    assert pictures.dtype == np.uint8
    found = model.test_on_batch(pictures, targets, weights, return_dict=True)["loss"]
    answers = [load_keras(run / MODEL_FILE).predict_on_batch(pictures) for run in runs]
    own = student.predict_on_batch(pictures)
    expected = 0.0
    for head in datasets.HEADS:
        mean = np.mean([softmax(answer[head], 1.0) for answer in answers if head in answer], axis=0)
        labels = np.average(crossentropy(targets[head], own[head]), weights=weights[head])
        expected += 0.75 * labels + 0.25 * crossentropy(mean, own[head]).mean()
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_head_without_a_teacher_learns_only_from_labels(gender_teacher: Path) -> None:
    config = tiny("mien", teachers=(str(gender_teacher),), taught=0.25)
    assert teacher_shares(config) == {"expression": 0.0, "fer2013": 0.0, "gender": 0.25}


def test_without_teachers_the_student_is_not_wrapped() -> None:
    config = tiny("paper_logreg")
    student = build_network(config, "float32")
    assert with_teachers(student, config, teacher_shares(config)) is student
    assert set(teacher_shares(config).values()) == {0.0}


def test_only_the_student_is_trained_and_saved(
    data: Path, cache: Path, teacher: Path, tmp_path: Path
) -> None:
    before = (teacher / MODEL_FILE).read_bytes()
    config = tiny("paper_cnn", teachers=(str(teacher), str(teacher)), trunk=str(teacher))
    student = load_keras(fit(config, data, tmp_path / "student", cache, resume=False))
    lender = load_keras(teacher / MODEL_FILE)
    assert [layer.name for layer in student.layers] == [layer.name for layer in lender.layers]
    assert not np.array_equal(*(each.get_layer("conv1").get_weights()[0] for each in (student, lender)))
    assert (teacher / MODEL_FILE).read_bytes() == before


def test_the_commands_of_a_run_with_teachers_repeat_the_teachers_too(
    data: Path, cache: Path, teacher: Path, tmp_path: Path
) -> None:
    config = tiny("paper_cnn", teachers=(str(teacher),))
    fit(config, data, tmp_path / "student", cache, resume=False)
    assert read_config(tmp_path / "student") == config
    first, second, *_ = commands(config, str(tmp_path / "student")).splitlines()
    assert first.strip().startswith("mien train fit --arch paper_cnn")
    assert first.strip().endswith(f"--out {teacher}")
    assert f"--teacher {teacher}" in second


def test_the_commands_of_a_run_name_another_backend(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text('{"backend": "jax"}')
    assert commands(tiny("mien"), str(tmp_path)).strip().startswith("KERAS_BACKEND=jax mien train fit")


@pytest.mark.parametrize(
    ("arch", "task", "complaint"),
    [
        ("paper_lstm", "gender", "paper_lstm takes other pictures than mien"),
        ("mane_simple_cnn", "emotion", "mane_simple_cnn takes other pictures than mien"),
        ("paper_logreg", "gender", "none of the heads expression, fer2013"),
    ],
)
def test_an_unsuitable_teacher_is_refused(tmp_path: Path, arch: str, task: str, complaint: str) -> None:
    create_run(tmp_path / "teacher", tiny(arch, task=task))
    config = tiny("mien", task="emotion", teachers=(str(tmp_path / "teacher"),))
    with pytest.raises(RunError, match=complaint):
        teacher_shares(config)


def test_a_teacher_that_is_not_a_run_is_refused_before_anything_is_written(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    config = tiny("mien", teachers=(str(tmp_path / "nobody"),))
    with pytest.raises(RunError, match="nobody is not a training run"):
        fit(config, data, tmp_path / "run", cache, resume=False)
    assert not (tmp_path / "run").exists()
