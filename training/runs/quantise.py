"""An ONNX model in 8-bit integers: the same graph, smaller and faster, calibrated on real pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Pictures(CalibrationDataReader):
    """Feeds the graph's only input."""

    def __init__(self, name: str, batches: Iterable[NDArray[np.uint8]]) -> None:
        self._name, self._batches = name, iter(batches)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch, None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def quantise(source: Path, target: Path, batches: Iterable[NDArray[np.uint8]]) -> None:
    """Write the INT8 twin of an ONNX file, metadata included, and return nothing.

    Each of the `batches` is what the graph takes, such as uint8 (n, h, w, 1): a few hundred pictures
    that show what is to be expected. Weights are quantised per channel, activations by the range that
    the pictures span, in pairs of QuantizeLinear and DequantizeLinear.

    The first convolution stays in float32, because onnxruntime's INT8 kernel needs ten times as long for one
    input channel, and so does everything after the last activation: outputs lose most and cost least.
    """
    with TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        quantize_static(
            prepared,
            target,
            _Pictures(graph.input[0].name, batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Relu"],
            nodes_to_quantize=_hidden(graph),
        )
    model = onnx.load(target)
    del model.metadata_props[:]
    model.metadata_props.extend(onnx.load(source).metadata_props)
    onnx.save(model, target)


def _hidden(graph: onnx.GraphProto) -> list[str]:
    """Names of the convolutions of more than one channel that lead to a Relu, and of these Relus."""
    channels = {weights.name: weights.dims[1] for weights in graph.initializer if len(weights.dims) == 4}
    relus = {node.input[0]: node for node in graph.node if node.op_type == "Relu"}
    pairs = [
        (node, relus[node.output[0]])
        for node in graph.node
        if node.op_type == "Conv" and node.output[0] in relus and channels[node.input[1]] > 1
    ]
    return [node.name for pair in pairs for node in pair]
