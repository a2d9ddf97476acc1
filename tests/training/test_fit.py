"""From data to published files: a tiny run per architecture, export, figures, model card."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from inference.classifier import Classifier
from inference.errors import ModelError
from inference.model_file import read_checksums
from tests.support.training_runs import tiny
from training.classifier.architectures import ARCHITECTURES, architecture, build
from training.classifier.card import options, publish, worthwhile
from training.classifier.evaluate import evaluate
from training.classifier.export import TOLERANCE, export, export_run, parity
from training.classifier.inputs import network_input
from training.classifier.network import build_network
from training.classifier.recipes import RECIPES, TASKS, Config, Task, recipe
from training.classifier.train import fit
from training.classifier.validation import load_keras
from training.data.datasets import EXPRESSIONS, GENDERS, HEADS
from training.errors import RunError, UnknownArchitecture
from training.measure.costs import counts
from training.pages.classifier_charts import CHARTS
from training.runs.run_folder import (
    CURVES_FILE,
    HISTORY_FILE,
    MODEL_FILE,
    ONNX_FILES,
    PARTS,
    create_run,
    metrics_file,
    read_history,
    write_json,
)

WIDTHS = recipe("mien").widths


@pytest.fixture(scope="module")
def run(data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained and exported run of the network that ships, with traced functions as in production."""
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
        outputs = build_network(config, "mixed_bfloat16").output
        assert {head: output.shape[1] for head, output in outputs.items()} == WIDTHS
        assert {output.dtype for output in outputs.values()} == {"float32"}


def test_an_unknown_architecture_is_refused_with_the_known_ones() -> None:
    for refuse in (lambda: recipe("resnet"), lambda: build("resnet", WIDTHS, 0.1)):
        with pytest.raises(
            UnknownArchitecture, match="'resnet' is unknown; known: mien, residual, lite0, paper_cnn"
        ):
            refuse()


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("arch", [arch for arch in ARCHITECTURES if arch != "mien"])
def test_every_architecture_trains_its_heads_and_exports(
    arch: str, data: Path, cache: Path, tmp_path: Path
) -> None:
    """One epoch; the HDF5 file is evaluated on its heads only, and ONNX gives the same logits."""
    task: Task = "both" if arch == "paper_cnn" else "emotion"
    model = load_keras(fit(tiny(arch, task=task), data, tmp_path / "run", cache, resume=False))
    network = architecture(arch)
    shape = (4, network.size, network.size) if network.frames is None else (4, network.frames, 48, 48)
    pictures = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert set(model.output_names) == set(TASKS[task])
    assert export(model, {}, tmp_path / "model.onnx", pictures) <= TOLERANCE
    figures = evaluate(tmp_path / "run" / MODEL_FILE, data, cache)
    assert "gender" in figures["headline"] if task == "both" else "gender" not in figures["headline"]
    counted = counts(tmp_path / "model.onnx")
    assert counted["parameters"] == pytest.approx(model.count_params(), rel=0.04)
    assert counted["mmacs"] > 0


@pytest.mark.parametrize(
    ("task", "folder", "truths"),
    [
        ("gender", "fairface", ["gender"]),
        ("emotion", "fer2013", ["fer2013", "ferplus_strict", "ferplus_argmax"]),
    ],
)
@pytest.mark.usefixtures("eagerly")
def test_a_single_task_needs_only_its_own_data_set(
    task: Task, folder: str, truths: list[str], data: Path, cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(data / folder, tmp_path / "data" / folder)
    path = fit(tiny("paper_logreg", task=task), tmp_path / "data", tmp_path / "run", cache, resume=False)
    assert set(load_keras(path).output_names) == set(TASKS[task])
    for part in PARTS:
        figures = evaluate(path, tmp_path / "data", cache, part)
        assert list(figures["headline"]) == truths
        assert list(figures["robustness"]["12 pixels"]) == truths


@pytest.mark.usefixtures("eagerly")
def test_a_frozen_trunk_keeps_its_weights_and_an_unfrozen_one_learns(
    data: Path, cache: Path, paper_cnn_run: Path, tmp_path: Path
) -> None:
    before = load_keras(paper_cnn_run / MODEL_FILE)
    for frozen, arch in ((True, "paper_cnn"), (False, "paper_cnn"), (True, "paper_lstm")):
        config = tiny(arch, task="gender", trunk=str(paper_cnn_run), frozen=frozen)
        after = load_keras(fit(config, data, tmp_path / f"{arch}-{frozen}", cache, resume=False))
        kept = [
            np.array_equal(old, new)
            for name in ("conv1", "conv3", "fc1", "fc2")
            for old, new in zip(
                before.get_layer(name).get_weights(), after.get_layer(name).get_weights(), strict=True
            )
        ]
        assert all(kept) if frozen else not any(kept)


@pytest.mark.usefixtures("eagerly")
def test_a_trunk_without_a_common_layer_is_refused(data: Path, cache: Path, tmp_path: Path) -> None:
    fit(tiny("paper_logreg", task="emotion"), data, tmp_path / "lender", cache, resume=False)
    config = tiny("mien", trunk=str(tmp_path / "lender"))
    with pytest.raises(RunError, match="no layer in common with mien"):
        fit(config, data, tmp_path / "run", cache, resume=False)
    assert not (tmp_path / "run").exists(), "the folder is free for the command with another trunk"


@pytest.mark.usefixtures("eagerly")
def test_a_trunk_whose_layers_have_other_weights_is_refused(
    data: Path, cache: Path, paper_cnn_run: Path, tmp_path: Path
) -> None:
    config = tiny("verma_triangular", trunk=str(paper_cnn_run))
    with pytest.raises(RunError, match=r"paper_cnn: its layer \w+ has other weights than that of verma_tri"):
        fit(config, data, tmp_path / "run", cache, resume=False)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (tiny("paper_logreg", task="emotion"), "was trained with --task emotion"),
        (tiny("paper_lstm"), "paper_lstm takes clips; the runtime needs a network of single pictures"),
    ],
)
def test_a_network_that_the_runtime_cannot_use_is_not_exported(
    config: Config, reason: str, data: Path, cache: Path, tmp_path: Path
) -> None:
    create_run(tmp_path / "run", config)
    with pytest.raises(RunError, match=reason):
        export_run(tmp_path / "run", data, cache, "1")


def test_the_run_stores_its_history_and_curves(run: Path) -> None:
    (row,) = read_history(run)
    for head in HEADS:
        assert np.isfinite(row[f"{head}_crossentropy"])
        assert np.isfinite(row[f"val_{head}_crossentropy"])
    assert (run / CURVES_FILE).stat().st_size > 10_000
    assert json.loads((run / "config.json").read_text())["arch"] == "mien"


@pytest.mark.usefixtures("eagerly")
def test_paper_cnn_learns_with_the_same_command_and_resumes_when_interrupted(
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


@pytest.mark.usefixtures("eagerly")
def test_hdf5_restores_the_same_network(run: Path, tmp_path: Path) -> None:
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
    assert parity(model, run / ONNX_FILES["float32"], crops(32)) <= TOLERANCE


@pytest.mark.usefixtures("eagerly")
def test_the_parity_check_detects_another_network(run: Path) -> None:
    keras.utils.set_random_seed(5)
    other = build("mien", WIDTHS, 0.4)
    assert parity(other, run / ONNX_FILES["float32"], crops(4)) > TOLERANCE


def test_the_file_has_its_metadata(run: Path) -> None:
    classifier = Classifier(run / ONNX_FILES["float32"], own=True)
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
        ("input_size", "[64, 64]", "metadata field 'input_size' requires"),
    ],
)
def test_a_file_with_invalid_metadata_is_refused(
    run: Path, tmp_path: Path, field: str, value: str | None, complaint: str
) -> None:
    model = onnx.load(run / ONNX_FILES["float32"])
    fields = {prop.key: prop.value for prop in model.metadata_props}
    kept = fields | {field: value} if value else {k: v for k, v in fields.items() if k != field}
    onnx.helper.set_model_props(model, kept)
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(ModelError) as refusal:
        Classifier(tmp_path / "changed.onnx", own=True)
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_int8_file_is_smaller_and_nearly_equal(run: Path) -> None:
    exact, small = (run / ONNX_FILES[precision] for precision in ("float32", "int8"))
    assert small.stat().st_size < exact.stat().st_size / 3
    before, after = (Classifier(path, own=True) for path in (exact, small))
    assert before.metadata == after.metadata
    assert before.gender_head == after.gender_head
    faces = crops(64)
    for head, logits in before.logits(faces).items():
        difference = np.abs(after.logits(faces)[head] - logits)
        assert 0 < difference.mean() < 0.1 * np.abs(logits).mean() + 0.02, head
    one, other = (counts(path) for path in (exact, small))
    assert one["parameters"] == other["parameters"]
    assert one["mmacs"] == other["mmacs"] == pytest.approx(94.05, abs=0.01)


def test_figures_and_card_come_from_the_published_files(
    run: Path, data: Path, cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"float32-validation\.json is missing; export and evaluate"):
        publish(run, tmp_path, tmp_path / "images")
    for precision, source in ONNX_FILES.items():
        for part in PARTS:
            write_json(run / metrics_file(precision, part), evaluate(run / source, data, cache, part))
    figures = json.loads((run / metrics_file("float32", "validation")).read_text())["headline"]
    assert [figures[name]["n"] for name in ("fer2013", "ferplus_argmax", "gender")] == [21, 21, 7]
    figures = json.loads((run / metrics_file("float32", "test")).read_text())["headline"]
    assert [figures[name]["n"] for name in ("fer2013", "ferplus_argmax", "gender")] == [21, 21, 12]
    card = publish(run, tmp_path, tmp_path / "images").read_text()
    for name, share in figures.items():
        assert f"| {share['value'] * 100:.1f} (" in card, name
    assert "mien train fit --arch mien --epochs 1" in card
    linked = re.findall(r"\]\((\S+\.png)\)", card)
    assert sorted(linked) == sorted(f"images/faces-{name}.png" for name in CHARTS)
    assert all((tmp_path / link).stat().st_size > 10_000 for link in linked)
    shipped = json.loads((tmp_path / "faces.json").read_text())
    assert {path.name for path in tmp_path.glob("*.onnx")} == read_checksums(tmp_path).keys()
    assert ("faces.int8.onnx" in read_checksums(tmp_path)) == ("int8" in shipped)
    os.utime(run / ONNX_FILES["float32"], (2e9, 2e9))
    with pytest.raises(RunError, match=r"is older than model\.onnx; evaluate it again"):
        publish(run, tmp_path, tmp_path / "images")


@pytest.mark.parametrize(
    ("right", "milliseconds", "expected"),
    [(0.897, 0.5, True), (0.95, 0.5, True), (0.896, 0.5, False), (0.9, 1.0, False)],
)
def test_int8_ships_if_it_is_faster_and_nearly_as_accurate(
    right: float, milliseconds: float, expected: bool
) -> None:
    def figures(value: float, time: float) -> dict[str, object]:
        headline = {"gender": {"value": value}, "fer2013": {"value": 0.7}}
        return {"validation": {"headline": headline, "costs": {"batch_1_ms": time}}}

    metrics = {"float32": figures(0.9, 1.0), "int8": figures(right, milliseconds)}
    assert worthwhile(metrics) is expected


def test_a_model_can_be_read_by_a_program_that_imports_only_the_reader(run: Path) -> None:
    program = "import sys; from pathlib import Path; from training.classifier.validation import load_keras; "
    read = f"{program}print(load_keras(Path(sys.argv[1])).count_params())"
    done = subprocess.run(
        [sys.executable, "-c", read, run / MODEL_FILE], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "1178672", done.stderr


@pytest.mark.usefixtures("eagerly")
def test_figures_of_hdf5_and_onnx_agree(run: Path, data: Path, cache: Path) -> None:
    ours, theirs = (evaluate(run / name, data, cache) for name in (MODEL_FILE, ONNX_FILES["float32"]))
    for part in ("headline", "fer2013", "ferplus", "gender"):
        assert ours[part] == theirs[part]
    assert ours["crossentropy"] == pytest.approx(theirs["crossentropy"], abs=1e-3)
    for head, found in ours["calibration"].items():
        again = theirs["calibration"][head]["risk_coverage"]
        assert found["risk_coverage"]["risk"] == pytest.approx(again["risk"], abs=1e-3)
        assert sum(each["faces"] for each in found["reliability_after"]) == found["coverage"]["n"]
    cells = ours["gender"]["cells"]
    assert sum(cell["n"] for cell in cells) == ours["headline"]["gender"]["n"]
    assert ours["gender"]["worst_cell"] is None


def test_a_card_names_what_differs_from_the_recipe() -> None:
    assert options(replace(recipe("mien"), minutes=80.0)) == "--arch mien --minutes 80.0"
    assert (
        options(replace(recipe("mien"), utkface=True, augment=False)) == "--arch mien --utkface --no-augment"
    )
