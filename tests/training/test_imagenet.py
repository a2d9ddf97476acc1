"""Weights of ImageNet, read from a file of PyTorch into the teacher `lite0`."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the extra train")

import keras

from tests.support.torch_file import write_torch_file
from tests.support.training_runs import tiny
from training.classifier.architectures import build
from training.classifier.imagenet import load_imagenet
from training.classifier.torch_file import read_weights
from training.classifier.train import fit
from training.errors import RunError

HEADS = {"gender": 2}
PARTS = {"expand": ("expand_conv", "bn0"), "depthwise": ("depthwise_conv", "bn1")}
PARTS |= {"project": ("project_conv", "bn2")}


def convolutions(model: keras.Model) -> list[keras.layers.Layer]:
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return [each for each in model.layers if isinstance(each, kinds)]


def weights_like(model: keras.Model) -> dict[str, np.ndarray]:
    """Random weights under the names of the file, for three colours."""
    rng = np.random.default_rng(0)
    found: dict[str, np.ndarray] = {"_fc.bias": rng.random(1000, np.float32)}
    for layer in convolutions(model):
        high, wide, inputs, outputs = layer.kernel.shape
        match layer.name.split("_"):
            case [name]:
                convolution, norm = f"_conv_{name}", {"stem": "_bn0", "head": "_bn1"}[name]
                shape = (outputs, 3 if name == "stem" else inputs, high, wide)
            case [block, part]:
                names = [f"_blocks.{block.removeprefix('block')}._{each}" for each in PARTS[part]]
                convolution, norm = names
                shape = (inputs, 1, high, wide) if part == "depthwise" else (outputs, inputs, high, wide)
        found[f"{convolution}.weight"] = rng.normal(0, 0.1, shape).astype(np.float32)
        for each in ("weight", "bias", "running_mean", "running_var"):
            count = inputs if "depthwise" in convolution else outputs
            found[f"{norm}.{each}"] = rng.random(count, np.float32)
        found[f"{norm}.num_batches_tracked"] = np.array(7)
    return found


@pytest.fixture(scope="module")
def lite() -> keras.Model:
    return build("lite0", HEADS, 0.1)


@pytest.fixture(scope="module")
def file(lite: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_torch_file(tmp_path_factory.mktemp("weights") / "lite0.pth", weights_like(lite))


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    given = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(5), "c": np.zeros((0, 2))}
    found = read_weights(write_torch_file(tmp_path / "a.pth", given))
    assert found.keys() == given.keys()
    for name, values in given.items():
        np.testing.assert_array_equal(found[name], values)


def test_every_layer_gets_its_weights(lite: keras.Model, file: Path) -> None:
    given = weights_like(lite)
    load_imagenet(lite, file)
    stem = np.asarray(lite.get_layer("stem").kernel)
    np.testing.assert_allclose(stem[:, :, 0, 4], given["_conv_stem.weight"][4].sum(axis=0), rtol=1e-5)
    wide = np.asarray(lite.get_layer("block3_depthwise").kernel)
    np.testing.assert_array_equal(wide[:, :, 9, 0], given["_blocks.3._depthwise_conv.weight"][9, 0])
    narrow = np.asarray(lite.get_layer("block15_project").kernel)
    np.testing.assert_array_equal(narrow[0, 0], given["_blocks.15._project_conv.weight"][:, :, 0, 0].T)
    for name, norm in (("head", "_bn1"), ("block0_depthwise", "_blocks.0._bn1")):
        layer = lite.get_layer(f"{name}_norm")
        for values, each in zip(
            (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance),
            ("weight", "bias", "running_mean", "running_var"),
            strict=True,
        ):
            np.testing.assert_array_equal(np.asarray(values), given[f"{norm}.{each}"])


@pytest.mark.usefixtures("eagerly")
def test_a_run_starts_with_the_weights(
    data: Path, cache: Path, file: Path, lite: keras.Model, tmp_path: Path
) -> None:
    config = tiny("lite0", task="gender", imagenet=str(file), learning_rate=0.0, weight_decay=0.0)
    trained = keras.models.load_model(fit(config, data, tmp_path / "run", cache, resume=False))
    load_imagenet(lite, file)
    for name in ("stem", "block7_expand", "block12_depthwise"):
        kernels = [np.asarray(each.get_layer(name).kernel) for each in (trained, lite)]
        np.testing.assert_allclose(*kernels, atol=1e-6)


def test_weights_of_another_network_are_refused(lite: keras.Model, file: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="of lite0, not of mien; pass --arch lite0"):
        load_imagenet(build("mien", HEADS, 0.1), file)
    other = write_torch_file(tmp_path / "b.pth", {"_conv_stem.weight": np.zeros((8, 3, 3, 3))})
    with pytest.raises(RunError, match=r"b.pth is not EfficientNet-Lite0: stem: "):
        load_imagenet(lite, other)


def test_damaged_files_are_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none.pth cannot be read: No such file"):
        read_weights(tmp_path / "none.pth")
    whole = file.read_bytes()
    newer = write_torch_file(tmp_path / "newer.pth", {"a": np.zeros(2)}, version=1002).read_bytes()
    for damaged in (b"", b"PK\x03\x04 a newer file", whole[:200], whole[: len(whole) // 2], newer):
        (tmp_path / "damaged.pth").write_bytes(damaged)
        with pytest.raises(RunError, match=r"damaged.pth holds no weights in PyTorch's format"):
            read_weights(tmp_path / "damaged.pth")


def test_a_file_that_would_run_a_program_is_refused(tmp_path: Path) -> None:
    class Program:
        def __reduce__(self) -> tuple[object, ...]:
            return subprocess.check_call, (["touch", str(tmp_path / "ran")],)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Program()))
    with pytest.raises(RunError, match=r"check_call is not a part of weights"):
        read_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
