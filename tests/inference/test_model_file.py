"""Which model files are loaded and which are refused, on the files that ship."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inference import model_file
from inference.detector import Detector
from inference.errors import ModelError
from inference.model_file import MODELS, Fields, check, load_model, parse, read_checksums, shipped

FIELDS = {
    "task": "detector",
    "name": "some",
    "version": "1",
    "run": "a",
    "datasets": '["one", "two"]',
    "licence": "Apache-2.0",
    "colour": "grey",
    "input_size": "[64, 48]",
}


def fields(**changed: str | None) -> Fields:
    values = FIELDS | changed
    return Fields(Path("m.onnx"), {name: value for name, value in values.items() if value is not None})


def test_every_shipped_model_is_what_the_list_says() -> None:
    listed = read_checksums(MODELS)
    assert set(listed) == {path.name for path in MODELS.glob("*.onnx")}
    for name in listed:
        check(MODELS / name, (MODELS / name).read_bytes())


def test_an_altered_model_is_refused() -> None:
    path = MODELS / "detector.onnx"
    with pytest.raises(ModelError, match=r"detector.onnx: SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64} in"):
        check(path, path.read_bytes() + b" ")


def test_a_model_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ModelError, match=r"expected an entry in checksums\.json"):
        check(MODELS / "other.onnx", b"")


def test_a_model_from_elsewhere_has_to_be_allowed(tmp_path: Path) -> None:
    copy = shutil.copy(MODELS / "detector.onnx", tmp_path / "mine.onnx")
    with pytest.raises(ModelError, match="not a shipped model; allow your own models to use it"):
        Detector(copy)
    assert Detector(copy, own=True).metadata.task == "detector"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none.onnx: No such file or directory"):
        load_model(tmp_path / "none.onnx", "detector", own=True)


def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("no model")
    with pytest.raises(ModelError, match="not a usable ONNX model") as caught:
        load_model(path, "detector", own=True)
    assert "\n" not in str(caught.value)


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(ModelError, match="'task' is 'classifier', expected detector"):
        load_model(MODELS / "faces.onnx", "detector")


def test_metadata_are_read() -> None:
    metadata = parse(fields(), "detector")
    assert metadata.datasets == ("one", "two")
    assert metadata.input_size == (64, 48)


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_may_be_missing(field: str) -> None:
    with pytest.raises(ModelError, match=f"m.onnx: metadata field '{field}' is missing; export"):
        parse(fields(**{field: None}), "detector")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("colour", "rgb"),
        ("datasets", "FER2013"),
        ("datasets", "[]"),
        ("datasets", '["one", "one"]'),
        ("datasets", '["one", 2]'),
        ("input_size", "[64]"),
        ("input_size", "[64, 0]"),
        ("input_size", "[64, 48.5]"),
        ("input_size", '{"height": 64}'),
    ],
)
def test_a_value_that_does_not_fit_is_named(field: str, value: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse(fields(**{field: value}), "detector")
    assert str(caught.value).startswith(f"m.onnx: metadata field {field!r} is {value!r}, expected ")


@pytest.mark.parametrize("value", ["much", "nan", "-0.1", "1.1", ""])
def test_numbers_have_bounds(value: str) -> None:
    with pytest.raises(ModelError, match="metadata field 'score'"):
        fields(score=value).number("score", 0, 1)


def test_a_list_of_checksums_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "checksums.json").write_text("{")
    with pytest.raises(ModelError, match=r"checksums.json: .*install Mien again"):
        read_checksums(tmp_path)


@pytest.mark.parametrize(
    ("fast", "files", "expected"),
    [
        (True, ("m.onnx", "m.int8.onnx"), "m.int8.onnx"),
        (False, ("m.onnx", "m.int8.onnx"), "m.onnx"),
        (True, ("m.onnx",), "m.onnx"),
    ],
)
def test_int8_is_taken_where_it_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: bool, files: tuple[str, ...], expected: str
) -> None:
    monkeypatch.setattr(model_file, "has_int8_dot_products", lambda: fast)
    for name in files:
        (tmp_path / name).touch()
    assert shipped("m", tmp_path) == tmp_path / expected


def test_both_detectors_tell_the_same_of_themselves() -> None:
    exact, small = (Detector(MODELS / name) for name in ("detector.onnx", "detector.int8.onnx"))
    assert exact.metadata == small.metadata
