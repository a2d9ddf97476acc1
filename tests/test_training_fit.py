"""From made data to a file that ships: one tiny fit per architecture, then export, figures, card."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from inference.classifier import Classifier
from inference.errors import ModelError
from inference.model_file import read_checksums
from tests.training_data import write_data
from training.architectures import ARCHITECTURES, build
from training.card import options, publish
from training.datasets import EXPRESSIONS, GENDERS, HEADS
from training.errors import RunError, UnknownArchitecture
from training.evaluate import evaluate
from training.export import ONNX_FILE, TOLERANCE, export_run, parity
from training.recipes import RECIPES, Config, recipe
from training.runs import CURVES_FILE, HISTORY_FILE, METRICS_FILES, MODEL_FILE, read_history, write_json
from training.train import WIDTHS, build_in, fit, network_input
from training.validation import load_keras


def tiny(arch: str, **changes: object) -> Config:
    return replace(recipe(arch), epochs=1, expression_batch=7, gender_batch=8, **changes)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fitted and exported run of the network that ships."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    fit(tiny("mien"), data, folder, cache, resume=False)
    export_run(folder, data, cache, "1")
    return folder


def crops(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 48, 48)).astype(np.uint8)


def test_every_architecture_has_a_recipe_and_heads_in_float32() -> None:
    assert set(RECIPES) == set(ARCHITECTURES)
    for arch in ARCHITECTURES:
        config = recipe(arch)
        assert config.arch == arch
        outputs = build_in("mixed_bfloat16", config).output
        assert {head: output.shape[1] for head, output in outputs.items()} == WIDTHS
        assert {output.dtype for output in outputs.values()} == {"float32"}


def test_an_unknown_architecture_is_refused_with_those_that_there_are() -> None:
    for refuse in (lambda: recipe("resnet"), lambda: build("resnet", WIDTHS, 0.1)):
        with pytest.raises(UnknownArchitecture, match="'resnet' is unknown; known: mien, paper_cnn"):
            refuse()


def test_the_run_leaves_its_history_and_curves(run: Path) -> None:
    (row,) = read_history(run)
    for head in HEADS:
        assert np.isfinite(row[f"{head}_crossentropy"])
        assert np.isfinite(row[f"val_{head}_crossentropy"])
    assert (run / CURVES_FILE).stat().st_size > 10_000
    assert json.loads((run / "config.json").read_text())["arch"] == "mien"


def test_paper_cnn_learns_by_the_same_command_and_goes_on_when_cut_off(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    config, folder = replace(tiny("paper_cnn", learning_rate=3e-3), epochs=5), tmp_path / "run"
    path = fit(config, data, folder, cache, resume=False)
    history = read_history(folder)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert history[-1]["gender_crossentropy"] < 0.8 * history[0]["gender_crossentropy"]
    assert load_keras(path).count_params() == 1_150_672
    with pytest.raises(RunError, match="holds a run already; pass --resume"):
        fit(config, data, folder, cache, resume=False)
    with pytest.raises(RunError, match="resume with the same options"):
        fit(replace(config, seed=2), data, folder, cache, resume=True)
    rows = (folder / HISTORY_FILE).read_text().splitlines()
    (folder / HISTORY_FILE).write_text("\n".join(rows[:-1]) + "\n")
    fit(config, data, folder, cache, resume=True)
    again = read_history(folder)
    assert again[:4] == history[:4]
    assert again[4]["epoch"] == 5
    assert again[4]["gender_crossentropy"] < 0.8 * history[0]["gender_crossentropy"]


def test_hdf5_gives_back_the_same_network(run: Path, tmp_path: Path) -> None:
    model = load_keras(run / MODEL_FILE)
    model.save(tmp_path / "again.h5")
    again = load_keras(tmp_path / "again.h5")
    pictures = network_input(crops(4))
    for head, logits in model.predict_on_batch(pictures).items():
        assert np.array_equal(logits, again.predict_on_batch(pictures)[head])
    with pytest.raises(RunError, match="is not a trained model"):
        load_keras(run / "config.json")


def test_onnx_gives_the_logits_of_keras(run: Path) -> None:
    model = load_keras(run / MODEL_FILE)
    assert parity(model, Classifier(run / ONNX_FILE, own=True), crops(32)) <= TOLERANCE


def test_a_shipped_head_of_another_network_is_noticed(run: Path) -> None:
    keras.utils.set_random_seed(5)
    other = build("mien", WIDTHS, 0.4)
    assert parity(other, Classifier(run / ONNX_FILE, own=True), crops(4)) > TOLERANCE


def test_the_file_says_what_it_is(run: Path) -> None:
    classifier = Classifier(run / ONNX_FILE, own=True)
    assert classifier.metadata.name == "mien"
    assert classifier.metadata.run == "tiny"
    assert classifier.expression_head.labels == EXPRESSIONS
    assert classifier.gender_head.labels == GENDERS
    assert set(classifier.logits(crops(2))) == set(HEADS)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("expression_labels", None, "metadata field 'expression_labels' is missing"),
        ("expression_labels", '["anger", "joy"]', "names 2 classes"),
        ("gender_temperature", "0", "metadata field 'gender_temperature' is '0', expected a number"),
        ("gender_unknown_below", "often", "metadata field 'gender_unknown_below' is 'often'"),
        ("task", "detector", "metadata field 'task' is 'detector', expected classifier"),
        ("input_size", "[64, 64]", "metadata field 'input_size' says"),
    ],
)
def test_a_file_whose_metadata_do_not_fit_is_refused(
    run: Path, tmp_path: Path, field: str, value: str | None, complaint: str
) -> None:
    model = onnx.load(run / ONNX_FILE)
    fields = {prop.key: prop.value for prop in model.metadata_props}
    kept = fields | {field: value} if value else {k: v for k, v in fields.items() if k != field}
    onnx.helper.set_model_props(model, kept)
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(ModelError) as refusal:
        Classifier(tmp_path / "changed.onnx", own=True)
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_figures_and_card_come_from_the_file_that_ships(
    run: Path, data: Path, cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"validation\.json is missing; export and evaluate"):
        publish(run, tmp_path)
    figures = {part: evaluate(run / ONNX_FILE, data, cache, part) for part in METRICS_FILES}
    counts = {
        part: [found["headline"][name]["n"] for name in ("fer2013", "ferplus_argmax", "gender")]
        for part, found in figures.items()
    }
    assert counts == {"validation": [21, 21, 7], "test": [21, 21, 12]}
    for part, name in METRICS_FILES.items():
        write_json(run / name, figures[part])
    card = publish(run, tmp_path).read_text()
    for name, share in figures["test"]["headline"].items():
        assert f"{share['value'] * 100:.1f}" in card, name
    assert "--arch mien --epochs 1" in card
    assert read_checksums(tmp_path).keys() == {"faces.onnx"}
    assert json.loads((tmp_path / "faces.json").read_text()).keys() == {"validation", "test"}
    os.utime(run / ONNX_FILE, (2e9, 2e9))
    with pytest.raises(RunError, match=r"is older than model\.onnx; evaluate it again"):
        publish(run, tmp_path)


def test_figures_of_hdf5_and_onnx_agree(run: Path, data: Path, cache: Path) -> None:
    ours, theirs = (evaluate(run / name, data, cache) for name in (MODEL_FILE, ONNX_FILE))
    for part in ("headline", "fer2013", "ferplus", "gender"):
        assert ours[part] == theirs[part]


def test_a_card_names_what_differs_from_the_recipe() -> None:
    assert options(replace(recipe("mien"), minutes=80.0)) == "--arch mien --minutes 80.0"
