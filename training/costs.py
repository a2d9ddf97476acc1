"""What a classifier costs: parameters, multiplications, bytes, processor time per face."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx

from inference.classifier import Classifier

REPEATS = 60


def costs(path: Path) -> dict[str, float]:
    """Parameters, millions of multiply-adds and bytes of an ONNX file; CPU milliseconds per face.

    Times are those of `Classifier.classify` on one thread, median of 60 runs, by the process's
    own clock, so that other work on the machine counts little.
    """
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    classifier = Classifier(path, threads=1, own=True)
    return {
        "parameters": sum(
            int(np.prod(weights.dims))
            for weights in graph.initializer
            if weights.data_type == onnx.TensorProto.FLOAT and weights.dims
        ),
        "mmacs": round(_multiply_adds(graph) / 1e6, 2),
        "bytes": path.stat().st_size,
        "batch_1_ms": _milliseconds(classifier, 1),
        "batch_16_ms": _milliseconds(classifier, 16),
    }


def _multiply_adds(graph: onnx.GraphProto) -> int:
    weights = {w.name: list(w.dims) for w in graph.initializer}
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


def _milliseconds(classifier: Classifier, batch: int) -> float:
    crops = np.random.default_rng(0).integers(0, 256, (batch, classifier.size, classifier.size))
    faces = crops.astype(np.uint8)
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        classifier.classify(faces)
        times.append(time.process_time() - start)
    return round(float(np.median(times)) * 1e3 / batch, 3)
