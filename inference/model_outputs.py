"""Reduction of an ONNX model to some of its outputs, so that the runtime computes nothing for the others.

ONNX Runtime computes every node of a model, whichever outputs are requested. So the other outputs, and the
nodes that only they need, are removed from the file's content. It is a protocol buffer
(https://protobuf.dev/programming-guides/encoding), of which few fields matter (onnx.proto3). Models with
graphs inside of nodes (`If`, `Loop`) are not supported; Mien's have none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

_GRAPH = 7
"""Number of the field `ModelProto.graph`."""
_NODE, _OUTPUT = 1, 12
"""Numbers of fields of `GraphProto`."""
_NAME = 1
"""Number of the field `ValueInfoProto.name`."""
_NODE_INPUT, _NODE_OUTPUT = 1, 2
"""Numbers of fields of `NodeProto`."""
_LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}
"""Sizes of values by wire type."""


def keep_outputs(content: bytes, names: Collection[str]) -> bytes:
    """The content of a model that a session could load, with the outputs `names` alone.

    Raises ValueError where the model lacks one of them.
    """
    return b"".join(
        _field(_GRAPH, _reduce_graph(value, names)) if number == _GRAPH else whole
        for number, whole, value in _fields(content)
    )


def _reduce_graph(graph: bytes, names: Collection[str]) -> bytes:
    fields = list(_fields(graph))
    outputs = {_texts(value, _NAME)[0] for number, _, value in fields if number == _OUTPUT}
    if missing := set(names) - outputs:
        raise ValueError(f"output {min(missing)!r}: the model has none of that name")
    needed = set(names)
    kept: list[bytes] = []
    # Nodes are stored in the order of their computation, and before the outputs.
    for number, whole, value in reversed(fields):
        if number == _OUTPUT and _texts(value, _NAME)[0] not in names:
            continue
        if number == _NODE:
            if needed.isdisjoint(_texts(value, _NODE_OUTPUT)):
                continue
            needed.update(_texts(value, _NODE_INPUT))
        kept.append(whole)
    return b"".join(reversed(kept))


def _texts(message: bytes, field: int) -> list[str]:
    return [value.decode() for number, _, value in _fields(message) if number == field]


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, all bytes, and the value of each field, empty unless it has a length."""
    at = 0
    while at < len(message):
        start = at
        key, at = _read_number(message, at)
        number, kind = key >> 3, key & 7
        value = b""
        if kind == _LENGTH_DELIMITED:
            length, at = _read_number(message, at)
            value = message[at : at + length]
            at += length
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            _, at = _read_number(message, at)
        yield number, message[start:at], value


def _read_number(message: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and the position after it."""
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number, at


def _field(number: int, value: bytes) -> bytes:
    return _number(number << 3 | _LENGTH_DELIMITED) + _number(len(value)) + value


def _number(number: int) -> bytes:
    result = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        result.append(low | 0x80 if number else low)
        if not number:
            return bytes(result)
