"""A classifier that starts with the weights of an exported one, and its training faces."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the extra train")

import keras
import onnx

from tests.support.training_data import portrait, write_data, write_picture
from tests.support.training_runs import tiny
from training.classifier.architectures import build
from training.classifier.batches import ClassifierBatches, draw_chances, gender_training_set
from training.classifier.export import data_sources, export, metadata
from training.classifier.recipes import Config
from training.classifier.start import start_from
from training.classifier.train import fit, load_training_data
from training.data.datasets import GENDERS, HEADS, FairFace, join_people
from training.errors import RunError
from training.runs.quantise import quantise
from training.runs.run_folder import create_run

WIDTHS = {name: len(classes) for name, classes in HEADS.items()}
SIDE = 48


def faces(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE), np.uint8)


@pytest.fixture(scope="module")
def given() -> keras.Model:
    """A network whose weights, and statistics of normalisation, are not those that it began with."""
    keras.utils.set_random_seed(0)
    model = build("mien", WIDTHS, 0.1)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "norm" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.fixture(scope="module")
def file(given: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "model.onnx"
    export(given, metadata("mien", "1", "a", SIDE, {}), path, faces(4))
    return path


def test_a_network_starts_with_the_outputs_of_the_file(given: keras.Model, file: Path) -> None:
    keras.utils.set_random_seed(1)
    model = build("mien", WIDTHS, 0.0)
    pictures = faces(64)[..., None].astype(np.float32)
    start_from(model, file, pictures)
    for training in (False, True):
        found = model(pictures, training=training)
        for head, logits in given(pictures, training=False).items():
            # In training, a batch's own statistics differ slightly from the ones of all pictures.
            np.testing.assert_allclose(np.asarray(found[head]), np.asarray(logits), atol=2e-3, rtol=2e-3)


def test_a_run_gives_its_exported_file(given: keras.Model, file: Path) -> None:
    model = build("mien", WIDTHS, 0.0)
    start_from(model, file.parent, faces(8)[..., None].astype(np.float32))
    np.testing.assert_array_equal(
        np.asarray(model.get_layer("gender").kernel), np.asarray(given.get_layer("gender").kernel)
    )


def test_heads_that_the_network_lacks_are_left_out(given: keras.Model, file: Path) -> None:
    model = build("mien", {"gender": len(GENDERS)}, 0.0)
    start_from(model, file, faces(8)[..., None].astype(np.float32))
    assert model.output_names == ["gender"]


def test_layers_that_a_file_cannot_give_are_not_left_random(file: Path) -> None:
    with pytest.raises(RunError, match=r"the weights of fc1 of pathar_depth4 cannot be taken from an ONNX f"):
        start_from(build("pathar_depth4", WIDTHS, 0.0), file, faces(8)[..., None].astype(np.float32))


def test_files_of_other_networks_are_refused(file: Path, tmp_path: Path) -> None:
    pictures = faces(8)[..., None].astype(np.float32)
    with pytest.raises(RunError, match="holds no convolution conv0a of residual in float32"):
        start_from(build("residual", WIDTHS, 0.0), file, pictures)
    quantise(file, tmp_path / "small.onnx", [pictures.astype(np.uint8)])
    with pytest.raises(RunError, match=r"small.onnx: holds no convolution conv1b of mien in float32"):
        start_from(build("mien", WIDTHS, 0.0), tmp_path / "small.onnx", pictures)
    with pytest.raises(RunError, match=r"none.onnx: cannot be read as an ONNX file"):
        start_from(build("mien", WIDTHS, 0.0), tmp_path / "none.onnx", pictures)


@pytest.mark.usefixtures("eagerly")
def test_a_run_starts_with_the_file(
    given: keras.Model, file: Path, data: Path, cache: Path, tmp_path: Path
) -> None:
    config = tiny("mien", start_from=str(file), learning_rate=0.0, weight_decay=0.0)
    trained = keras.models.load_model(fit(config, data, tmp_path / "run", cache, resume=False))
    for name in ("expression", "fer2013", "gender"):
        kernels = [np.asarray(each.get_layer(name).kernel) for each in (trained, given)]
        np.testing.assert_allclose(*kernels, atol=1e-6)


def test_a_file_names_the_data_of_its_start(file: Path) -> None:
    plain = data_sources(Config())
    assert data_sources(Config(utkface=True)) == (*plain, "UTKFace")
    grown = file.with_name("grown.onnx")
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {"datasets": json.dumps(["FairFace", "UTKFace"])})
    onnx.save(model, grown)
    assert data_sources(Config(start_from=str(file))) == plain
    assert data_sources(Config(start_from=str(grown))) == (*plain, "UTKFace")


def test_utkface_is_named_through_a_trunk_and_the_start_of_a_teacher(file: Path, tmp_path: Path) -> None:
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {"datasets": json.dumps(["UTKFace"])})
    onnx.save(model, tmp_path / "grown.onnx")
    create_run(tmp_path / "trunk", Config(utkface=True))
    create_run(tmp_path / "teacher", Config(start_from=str(tmp_path / "grown.onnx")))
    assert "UTKFace" in data_sources(Config(trunk=str(tmp_path / "trunk")))
    assert "UTKFace" in data_sources(Config(teachers=(str(tmp_path / "teacher"),)))


def people(races: list[str], genders: list[int]) -> FairFace:
    count = len(races)
    return FairFace(
        np.zeros((count, 96, 96), np.uint8),
        np.tile(np.array([16, 16, 64, 64], np.float32), (count, 1)),
        np.array(genders, np.int64),
        np.full(count, "20-29"),
        np.array(races),
        np.array([f"{row}.jpg" for row in range(count)]),
    )


class TestBalance:
    MANY = people(["White"] * 90 + ["Black"] * 10, [0] * 100)

    @pytest.mark.parametrize(("balance", "rare"), [(1.0, 0.5), (0.5, 0.25), (0.0, 0.1)])
    def test_rare_groups_are_drawn_more_often(self, balance: float, rare: float) -> None:
        chances = draw_chances(self.MANY, balance)
        assert chances.sum() == pytest.approx(1)
        assert chances[90:].sum() == pytest.approx(rare)

    def test_groups_differ_by_gender_too(self) -> None:
        chances = draw_chances(people(["White"] * 4, [0, 0, 0, 1]), 1.0)
        np.testing.assert_allclose(chances, [1 / 6, 1 / 6, 1 / 6, 1 / 2])

    def test_batches_follow_the_chances(self) -> None:
        config = Config(task="gender", gender_batch=100, balance=1.0, mixup=0.0, gender_smoothing=0.0)
        marked = join_people(self.MANY, people([], []))
        marked.images[90:] = 255
        batches = ClassifierBatches([gender_training_set(marked, config)], config, epoch=0)
        bright = [
            float((batches[0][0].mean(axis=(1, 2, 3)) > 127).mean())
            for _ in range(8)
            if batches.on_epoch_end() is None
        ]
        assert 0.35 < np.mean(bright) < 0.65


def test_utkface_adds_faces_with_a_gender(tmp_path: Path) -> None:
    data, cache = write_data(tmp_path / "data"), tmp_path / "cache"
    for number, gender in enumerate((0, 1, 1)):
        write_picture(data / "utkface" / f"30_{gender}_0_{number}.jpg", portrait(number))
    config = tiny("mien", task="gender")
    (plain,), validation = load_training_data(config, data, cache)
    (more,), same = load_training_data(replace(config, utkface=True), data, cache)
    assert len(more.images) == len(plain.images) + 3
    assert more.targets["gender"][-3:].argmax(axis=1).tolist() == [1, 0, 0]
    np.testing.assert_array_equal(same[0], validation[0])
