"""Model metadata: the fields that an ONNX file carries, as validated pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json, ValidationError

from inference.errors import ModelError

FIX = "export the model again with `mien train`"


def _refuse_repeats(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("a name is repeated")
    return names


# The descriptions complete the error message "metadata field ... is ..., expected ...".
Text = Annotated[str, Field(min_length=1, description="text")]
Name = Annotated[str, Field(min_length=1, strict=True)]
Names = Annotated[
    Json[Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_refuse_repeats)]],
    Field(description="a JSON list of different names"),
]
Side = Annotated[int, Field(gt=0, strict=True)]
Size = Annotated[Json[tuple[Side, Side]], Field(description="a JSON list [height, width]")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, description="a number from 0 to 1")]
Temperature = Annotated[
    float, Field(ge=0.05, le=20, allow_inf_nan=False, description="a number from 0.05 to 20")
]


class ModelMetadata(BaseModel):
    """The fields that every model has."""

    model_config = ConfigDict(frozen=True)

    task: str
    name: Text
    """Architecture."""
    version: Text
    run: Text
    """Id of the training run."""
    datasets: Names
    licence: Text
    colour: Literal["grey"] = Field(description="grey")
    """One channel of luminance."""
    input_size: Size
    """Height and width in pixels."""


class ClassifierMetadata(ModelMetadata):
    """The fields of a face classifier; its heads are described at `ClassifierHead`."""

    task: Literal["classifier"] = Field(description="classifier")
    expression_labels: Names
    expression_temperature: Temperature
    expression_unknown_below: Share
    gender_labels: Names
    gender_temperature: Temperature
    gender_unknown_below: Share


class DetectorMetadata(ModelMetadata):
    """The fields of a face detector; its scores are described at `ScoreLevels`."""

    task: Literal["detector"] = Field(description="detector")
    weak_score: Share
    face_score: Share
    sure_score: Share
    nms_overlap: Share
    """Largest intersection over union of two faces that are both kept."""


M = TypeVar("M", bound=ModelMetadata)


def parse_metadata(path: Path, values: Mapping[str, str], schema: type[M]) -> M:
    """Validate the metadata of the file at `path`; fields that `schema` does not have are ignored.

    Raises ModelError with file, field, value and fix for the first field that is missing or invalid.
    """
    given = {name: value for name, value in values.items() if value}
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        if field not in given:
            raise ModelError(f"{path}: metadata field {field!r} is missing; {FIX}") from None
        expected = schema.model_fields[field].description
        raise ModelError(
            f"{path}: metadata field {field!r} is {given[field]!r}, expected {expected}; {FIX}"
        ) from None
