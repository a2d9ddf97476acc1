"""What a classifier costs: parameters, multiplications, bytes, processor time per face."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from inference.model_file import session_options

REPEATS = 60


def costs(path: Path) -> dict[str, float]:
    """The `counts` of an ONNX file, and its CPU milliseconds per face, or clip, alone and in sixteens.

    Times are those of the network on one thread, median of 60 runs, by the process's own clock, so that
    other work on the machine counts little.
    """
    session = ort.InferenceSession(path, session_options(threads=1))
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
    """Shapes of constants by the name under which the layers take them, from integers or not."""
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
    (taken,) = session.get_inputs()
    pixels = np.random.default_rng(0).integers(0, 256, (batch, *taken.shape[1:])).astype(np.uint8)
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        session.run(None, {taken.name: pixels})
        times.append(time.process_time() - start)
    return round(float(np.median(times)) * 1e3 / batch, 3)
