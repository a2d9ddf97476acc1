"""Files of weights as PyTorch wrote them before version 1.6, without PyTorch."""

from __future__ import annotations

import pickle
import struct
import sys
import types
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C


class _Reference:
    """A stored array, pickled as a reference to it."""

    def __init__(self, key: str, kind: type, count: int) -> None:
        self.id = ("storage", kind, key, "cpu", count, None)


class _Tensor:
    """A view of a stored array, pickled as a call."""

    def __init__(self, *arguments: object) -> None:
        self._arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self._arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, each: object) -> object:
        return each.id if isinstance(each, _Reference) else None


def write_torch_file(path: Path, weights: Mapping[str, NDArray[Any]], version: int = 1001) -> Path:
    """Write the weights in rows of C order; returns the path."""
    storages = {kind: type(kind, (), {"__module__": "torch"}) for kind in ("FloatStorage", "LongStorage")}
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name, each in storages.items():
        setattr(torch, name, each)

    def _rebuild_tensor_v2() -> None:
        """Only its name is written."""

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    tensors, arrays = OrderedDict(), {}
    for number, (name, values) in enumerate(weights.items()):
        is_float = values.dtype.kind == "f"
        arrays[str(number)] = values.astype("<f4" if is_float else "<i8")
        kind = storages["FloatStorage" if is_float else "LongStorage"]
        steps = tuple(step // values.itemsize for step in np.array(values).strides)
        stored = _Reference(str(number), kind, values.size)
        tensors[name] = _Tensor(stored, 0, values.shape, steps, False, OrderedDict())
    with mock.patch.dict(sys.modules, {"torch": torch, "torch._utils": utils}), path.open("wb") as stream:
        for each in (MAGIC, version, {"little_endian": True}, tensors, list(arrays)):
            _Pickler(stream, 2).dump(each)
        for array in arrays.values():
            stream.write(struct.pack("<q", array.size) + array.tobytes())
    return path
