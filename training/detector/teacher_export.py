"""The teacher as a file that the runtime loads, for recordings where time matters less than faces.

The graph of CenterFace gets a grey input and gives boxes, as every detector of Mien does; its weights stay
as they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, version_converter

from inference.detector import LONGEST_SIDE, Detector
from training.classifier.export import OPSET, save
from training.detector.export import UNMEASURED, level_fields, write_levels
from training.detector.levels import measure_levels
from training.detector.teacher import OUTPUTS, OVERLAP, STRIDE, read_teacher

NAME = "centerface"
DATASETS = ("WIDER FACE",)
LICENCE = "MIT (CenterFace, Xu et al. 2020); trained on WIDER FACE, which is for research use"


def export_teacher(path: Path, data: Path, out: Path) -> None:
    """Write CenterFace's file `path` as a detector of Mien, with score levels measured on the photographs.

    Input: uint8 (n, h, w, 1), h and w multiples of 32. Outputs: scores (n, cells), boxes (n, cells, 4) as
    x, y, w, h in input pixels. Only the best cell of its neighbours has a score. Raises RunError for a file
    that is missing or is another network, DatasetError for the photographs.
    """
    save(with_grey_input_and_boxes(read_teacher(path)), metadata(path), out)
    write_levels(out, measure_levels(Detector(out, own=True, threads=0), data))


def metadata(path: Path) -> dict[str, str]:
    """The metadata of the file, levels not yet measured."""
    return {
        "task": "detector",
        "name": NAME,
        "version": "1",
        "run": path.name,
        "datasets": json.dumps(DATASETS),
        "licence": LICENCE,
        "colour": "grey",
        "input_size": json.dumps([LONGEST_SIDE, LONGEST_SIDE]),
        "nms_overlap": str(OVERLAP),
    } | level_fields(UNMEASURED)


def with_grey_input_and_boxes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The teacher's graph between nodes that make its input and read its outputs."""
    inner = version_converter.convert_version(model, OPSET).graph
    weights = {each.name for each in inner.initializer}
    (picture,) = (each.name for each in inner.input if each.name not in weights)
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", "height", "width", 1])
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", "cells"]),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["n", "cells", 4]),
    ]
    graph = helper.make_graph(
        [*_make_input(picture), *inner.node, *_find_peaks(), *_decode_boxes()],
        NAME,
        [pixels],
        outputs,
        [*inner.initializer, *_constants()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def _constants() -> list[onnx.TensorProto]:
    values: dict[str, NDArray[Any]] = {
        "channel": np.array([1], np.int64),
        "last": np.array([3], np.int64),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "two": np.array(2, np.int64),
        "three": np.array(3, np.int64),
        "half": np.array(0.5, np.float32),
        "stride": np.array(STRIDE, np.float32),
        "as_rows": np.array([1, 1, -1, 1], np.int64),
        "as_columns": np.array([1, 1, 1, -1], np.int64),
        "flat": np.array([0, -1], np.int64),
        "flat_boxes": np.array([0, -1, 4], np.int64),
    }
    return [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]


def _make_input(picture: str) -> list[onnx.NodeProto]:
    """Grey pixels (n, h, w, 1) as three equal colours (n, 3, h, w), 0 to 255."""
    return [
        helper.make_node("Squeeze", ["pixels", "last"], ["grey"]),
        helper.make_node("Cast", ["grey"], ["grey_float"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["grey_float", "channel"], ["plane"]),
        helper.make_node("Concat", ["plane"] * 3, [picture], axis=1),
    ]


def _find_peaks() -> list[onnx.NodeProto]:
    """The heat map (n, 1, rows, columns) where no neighbour is higher, else 0, as scores (n, cells)."""
    heat = OUTPUTS[0]
    around: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]}
    return [
        helper.make_node("MaxPool", [heat], ["highest"], **around),
        helper.make_node("Equal", [heat, "highest"], ["peaks"]),
        helper.make_node("Cast", ["peaks"], ["peaks_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [heat, "peaks_float"], ["peak_scores"]),
        helper.make_node("Reshape", ["peak_scores", "flat"], ["scores"]),
    ]


def _decode_boxes() -> list[onnx.NodeProto]:
    """Log sizes and offsets (n, 2, rows, columns), vertical first, as boxes (n, cells, 4)."""
    heat, sizes, offsets, _ = OUTPUTS
    nodes = [
        helper.make_node("Shape", [heat], ["shape"]),
        helper.make_node("Split", [sizes], ["log_height", "log_width"], axis=1),
        helper.make_node("Split", [offsets], ["down", "right"], axis=1),
    ]
    for side, offset, axis, along, first in (
        ("height", "down", "two", "as_rows", "top"),
        ("width", "right", "three", "as_columns", "left"),
    ):
        nodes += [
            helper.make_node("Gather", ["shape", axis], [f"{side}_cells"]),
            helper.make_node("Range", ["zero", f"{side}_cells", "one"], [f"{side}_numbers"]),
            helper.make_node("Cast", [f"{side}_numbers"], [f"{side}_floats"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", [f"{side}_floats", along], [f"{side}_grid"]),
            helper.make_node("Add", [f"{side}_grid", offset], [f"{side}_moved"]),
            helper.make_node("Add", [f"{side}_moved", "half"], [f"{side}_centre_cells"]),
            helper.make_node("Mul", [f"{side}_centre_cells", "stride"], [f"{side}_centre"]),
            helper.make_node("Exp", [f"log_{side}"], [f"{side}_in_cells"]),
            helper.make_node("Mul", [f"{side}_in_cells", "stride"], [f"{side}_found"]),
            helper.make_node("Mul", [f"{side}_found", "half"], [f"{side}_half"]),
            helper.make_node("Sub", [f"{side}_centre", f"{side}_half"], [first]),
        ]
    return [
        *nodes,
        helper.make_node("Concat", ["left", "top", "width_found", "height_found"], ["planes"], axis=1),
        helper.make_node("Transpose", ["planes"], ["cells_last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["cells_last", "flat_boxes"], ["boxes"]),
    ]
