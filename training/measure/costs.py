"""Costs of a classifier: parameters, multiplications, bytes, processor time per face."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from inference.model_file import make_session_options

REPEATS = 60


def costs(path: Path) -> dict[str, float]:
    """The `counts` of an ONNX file, and CPU milliseconds per face or clip, in batches of 1 and of 16.

    Times are for the network on one thread: the median of 60 runs by the process clock, on which other work
    of the machine has little influence.
    """
    session = ort.InferenceSession(path, make_session_options(threads=1))
    return counts(path) | {f"batch_{n}_ms": _milliseconds(session, n) for n in (1, 16)}


def counts(path: Path) -> dict[str, float]:
    """Parameters, millions of multiply-adds and bytes of an ONNX file."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    return {
        "parameters": _parameters(graph),
        "mmacs": round(_multiply_adds(graph) / 1e6, 2),
        "bytes": path.stat().st_size,
    }


def _weights(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """Shapes of the constants by the name that layers use, quantised or not."""
    weights = {w.name: list(w.dims) for w in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    return weights


def _parameters(graph: onnx.GraphProto) -> int:
    weights = _weights(graph)
    used = {
        name
        for node in graph.node
        if node.op_type in ("Conv", "MatMul", "Gemm", "Add")
        for name in node.input
        if weights.get(name)
    }
    return sum(int(np.prod(weights[name])) for name in used)


def _multiply_adds(graph: onnx.GraphProto) -> int:
    weights = _weights(graph)
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in (*graph.value_info, *graph.output)
    }
    total = 0
    for node in graph.node:
        kernel = next((weights[name] for name in node.input if len(weights.get(name, ())) > 1), [])
        if node.op_type == "Conv":
            total += int(np.prod(kernel)) * int(np.prod(shapes[node.output[0]][2:]))
        elif node.op_type in ("MatMul", "Gemm"):
            total += int(np.prod(kernel))
    return total


def _milliseconds(session: ort.InferenceSession, batch: int) -> float:
    (network_input,) = session.get_inputs()
    pixels = np.random.default_rng(0).integers(0, 256, (batch, *network_input.shape[1:])).astype(np.uint8)
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        session.run(None, {network_input.name: pixels})
        times.append(time.process_time() - start)
    return round(float(np.median(times)) * 1e3 / batch, 3)
