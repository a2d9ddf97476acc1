"""A file in the form of CenterFace's that takes what is bright for a face of one size."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

STRIDE = 4


def write_teacher(path: Path, size: float = 40.0) -> Path:
    """Write it; every face that it sees has the side `size`, in pixels as it sees the picture."""
    heat = np.full((1, 3, STRIDE, STRIDE), 1 / (3 * STRIDE**2), np.float32)
    weights = {
        "bright": heat * 0.2,
        "dark": np.array([-30.0], np.float32),
        "nothing": np.zeros((2, 3, STRIDE, STRIDE), np.float32),
        "size": np.full(2, math.log(size / STRIDE), np.float32),
        "centre": np.zeros(2, np.float32),
        "points": np.zeros((10, 3, STRIDE, STRIDE), np.float32),
    }
    sides = {"kernel_shape": [STRIDE, STRIDE], "strides": [STRIDE, STRIDE]}
    nodes = [
        helper.make_node("Conv", ["input.1", "bright", "dark"], ["logits"], **sides),
        helper.make_node("Sigmoid", ["logits"], ["537"]),
        helper.make_node("Conv", ["input.1", "nothing", "size"], ["538"], **sides),
        helper.make_node("Conv", ["input.1", "nothing", "centre"], ["539"], **sides),
        helper.make_node("Conv", ["input.1", "points"], ["540"], **sides),
    ]
    graph = helper.make_graph(
        nodes,
        "teacher",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [10, 3, 32, 32])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [10, channels, 8, 8])
            for name, channels in (("537", 1), ("538", 2), ("539", 2), ("540", 10))
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path
