"""Reads the weights in a file of PyTorch, without PyTorch, and runs nothing else that the file contains.

The format is that of `torch.save` before version 1.6: five pickled objects (magic number, version, sizes of
integers, the weights by name, keys of the stored arrays), then the arrays, each a count and its numbers.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from training.errors import RunError

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_TYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8"}


@dataclass(frozen=True)
class _Array:
    """A view of a stored array, whose numbers follow later; `offset` and `strides` are in numbers."""

    key: str
    type: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> _Array:
        """Another view of the same array."""
        return replace(self, offset=offset, shape=tuple(shape), strides=tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Knows the few names that weights need: any other is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the file stands for."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Array.view
        if module == "torch" and name in _TYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is not a part of weights")

    def persistent_load(self, pid: Any) -> Any:
        """A reference to a stored array."""
        _, kind, key, _, count, _ = pid
        return _Array(str(key), np.dtype(_TYPES[kind]), 0, (int(count),), (1,))


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays in the file by name; raises RunError for a file that is missing or has another format."""
    try:
        with path.open("rb") as stream:
            return _read(stream)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} holds no weights in PyTorch's format before version 1.6: {error}") from error


def _read(stream: BinaryIO) -> dict[str, NDArray[Any]]:
    magic, version, _, weights, keys = (_Unpickler(stream).load() for _ in range(5))
    if (magic, version) != (_MAGIC, _VERSION):
        raise ValueError("it begins otherwise")
    kinds = {each.key: each.type for each in weights.values()}
    stored = {key: _read_array(stream, kinds[key]) for key in keys}
    return {name: _select(stored[each.key], each) for name, each in weights.items()}


def _read_array(stream: BinaryIO, kind: np.dtype[Any]) -> NDArray[Any]:
    (count,) = np.frombuffer(stream.read(8), "<i8")
    return np.frombuffer(stream.read(int(count) * kind.itemsize), kind)


def _select(numbers: NDArray[Any], part: _Array) -> NDArray[Any]:
    if 0 in part.shape:
        return np.zeros(part.shape, part.type)
    last = part.offset + sum((n - 1) * step for n, step in zip(part.shape, part.strides, strict=True))
    if not 0 <= part.offset <= last < len(numbers):
        raise ValueError("an array is shorter than its shape")
    steps = tuple(step * numbers.itemsize for step in part.strides)
    return np.lib.stride_tricks.as_strided(numbers[part.offset :], part.shape, steps).copy()
