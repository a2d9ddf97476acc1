"""Model files that are loaded and that are refused, on the shipped files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inference import model_file
from inference.detector import Detector
from inference.errors import ModelError
from inference.model_file import MODELS, load_model, read_checksums, shipped, verify_checksum
from inference.model_metadata import ModelMetadata


def test_every_shipped_model_has_the_listed_checksum() -> None:
    listed = read_checksums(MODELS)
    assert set(listed) == {path.name for path in MODELS.glob("*.onnx")}
    for name in listed:
        verify_checksum(MODELS / name, (MODELS / name).read_bytes())


def test_an_altered_model_is_refused() -> None:
    path = MODELS / "detector.onnx"
    with pytest.raises(ModelError, match=r"detector.onnx: SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64} in"):
        verify_checksum(path, path.read_bytes() + b" ")


def test_a_model_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ModelError, match=r"expected an entry in checksums\.json"):
        verify_checksum(MODELS / "other.onnx", b"")


def test_a_model_that_is_not_shipped_must_be_allowed(tmp_path: Path) -> None:
    copy = shutil.copy(MODELS / "detector.onnx", tmp_path / "mine.onnx")
    with pytest.raises(ModelError, match="not a shipped model; allow your own models to use it"):
        Detector(copy)
    assert Detector(copy, own=True).metadata.task == "detector"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none.onnx: No such file or directory"):
        load_model(tmp_path / "none.onnx", "detector", own=True)


def test_a_file_that_is_not_a_model_is_refused_with_a_message_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("no model")
    with pytest.raises(ModelError, match="not a usable ONNX model") as caught:
        load_model(path, "detector", own=True)
    assert "\n" not in str(caught.value)


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(ModelError, match="'task' is 'classifier', expected detector"):
        load_model(MODELS / "faces.onnx", "detector")


def test_a_damaged_list_of_checksums_is_named(tmp_path: Path) -> None:
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
def test_the_int8_model_is_used_where_it_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: bool, files: tuple[str, ...], expected: str
) -> None:
    monkeypatch.setattr(model_file, "runs_int8_faster", lambda: fast)
    for name in files:
        (tmp_path / name).touch()
    assert shipped("m", tmp_path) == tmp_path / expected


def test_both_detectors_have_the_same_common_metadata() -> None:
    exact, small = (Detector(MODELS / name) for name in ("detector.onnx", "detector.int8.onnx"))
    common = set(ModelMetadata.model_fields)
    assert exact.metadata.model_dump(include=common) == small.metadata.model_dump(include=common)
