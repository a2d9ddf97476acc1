"""The metadata of model files: which values are accepted, and how an invalid one is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import ModelError
from inference.model_metadata import DetectorMetadata, parse_metadata

VALUES = {
    "task": "detector",
    "name": "some",
    "version": "1",
    "run": "a",
    "datasets": '["one", "two"]',
    "licence": "Apache-2.0",
    "colour": "grey",
    "input_size": "[64, 48]",
    "weak_score": "0.2",
    "face_score": "0.5",
    "sure_score": "0.9",
    "nms_overlap": "0.4",
}


def parse(**changed: str | None) -> DetectorMetadata:
    values = VALUES | changed
    given = {name: value for name, value in values.items() if value is not None}
    return parse_metadata(Path("m.onnx"), given, DetectorMetadata)


def test_valid_metadata_are_parsed() -> None:
    metadata = parse()
    assert metadata.datasets == ("one", "two")
    assert metadata.input_size == (64, 48)
    assert metadata.sure_score == 0.9


def test_unknown_fields_are_ignored() -> None:
    assert parse(other="value") == parse()


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("field", VALUES)
def test_a_missing_field_is_named(field: str, value: str | None) -> None:
    with pytest.raises(ModelError, match=f"m.onnx: metadata field '{field}' is missing; export"):
        parse(**{field: value})


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("task", "classifier", "detector"),
        ("colour", "rgb", "grey"),
        ("datasets", "FER2013", "a JSON list of different names"),
        ("datasets", "[]", "a JSON list of different names"),
        ("datasets", '["one", "one"]', "a JSON list of different names"),
        ("datasets", '["one", 2]', "a JSON list of different names"),
        ("datasets", '["one", ""]', "a JSON list of different names"),
        ("datasets", '"one"', "a JSON list of different names"),
        ("input_size", "[64]", "a JSON list [height, width]"),
        ("input_size", "[64, 0]", "a JSON list [height, width]"),
        ("input_size", "[64, 48.5]", "a JSON list [height, width]"),
        ("input_size", "[64, true]", "a JSON list [height, width]"),
        ("input_size", '{"height": 64}', "a JSON list [height, width]"),
        ("face_score", "much", "a number from 0 to 1"),
        ("face_score", "nan", "a number from 0 to 1"),
        ("face_score", "-0.1", "a number from 0 to 1"),
        ("face_score", "1.1", "a number from 0 to 1"),
    ],
)
def test_an_invalid_value_is_named_with_what_is_expected(field: str, value: str, expected: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse(**{field: value})
    message = f"m.onnx: metadata field {field!r} is {value!r}, expected {expected}; export the model again"
    assert str(caught.value).startswith(message)
