"""Pictures and vectors are found in bytes and texts, however they are written, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import time

import numpy as np
import pytest
from PIL import Image

from common.picture_traces import find_in_value, find_traces

RANDOM = random.Random(7)
PICTURE = Image.fromarray(np.random.default_rng(7).integers(0, 255, (48, 48), np.uint8).astype(np.uint8))


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    PICTURE.convert("RGB").save(file, kind)
    return file.getvalue()


KINDS = {"JPEG": "JPEG", "PNG": "PNG", "GIF": "GIF", "WEBP": "WebP", "BMP": "BMP", "TIFF": "TIFF"}


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_a_picture_is_found_as_bytes_and_in_every_encoding_of_text(kind: str, name: str) -> None:
    content = encoded(kind)
    text = base64.b64encode(content).decode()
    wrapped = "\n".join(text[n : n + 76] for n in range(0, len(text), 76))
    for value in (
        content,
        b"x" * 1001 + content,
        f"data:image/x;base64,{text}",
        f"frame{text}",
        json.dumps({"frame": wrapped}),
        base64.urlsafe_b64encode(content).decode(),
        f"hash {content.hex()}",
        content.hex().upper(),
        repr(content),
        content.decode("latin-1"),
        json.dumps(content.decode("latin-1")),
        [["a", {"b": content}]],
    ):
        assert any(name in trace for trace in find_in_value(value)), str(value)[:80]


@pytest.mark.parametrize("length", [32, 128, 512])
def test_a_vector_is_found_as_numbers_bytes_and_text(length: int) -> None:
    numbers = np.random.default_rng(3).normal(size=length).astype(np.float32)
    for value in (
        numbers.tolist(),
        numbers.tobytes(),
        numbers.astype(np.float64).tobytes(),
        json.dumps([round(float(each), 4) for each in numbers]),
        " ".join(f"{each:.6e}" for each in numbers),
        base64.b64encode(numbers.tobytes()).decode(),
    ):
        assert any("vector" in trace for trace in find_in_value(value)), str(value)[:80]


def test_ordinary_texts_and_random_bytes_are_no_traces() -> None:
    dice = np.random.default_rng(5)
    for number in range(300):
        assert find_in_value(hashlib.sha256(str(number).encode()).hexdigest()) == []
        assert find_in_value(base64.b64encode(dice.bytes(48)).decode()) == []
        assert find_in_value(dice.bytes(4096)) == []
    for text in (
        "2026-03-31 09:12:00 INFO visits 0.25 0.5 0.125 stored in 0.031 s",
        "rtsp://viewer:***@192.168.1.10/stream1?channel=1&subtype=0",
        json.dumps([[[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]] * 20),
        ", ".join(str(number) for number in range(500)),
        "BM is a text that begins with two letters of a format",
    ):
        assert find_in_value(text) == []


@pytest.mark.parametrize("letter", [b"1", b"a", b".", b"\\", b" ", b"0.1 ", b"\\x41"])
def test_no_input_takes_long(letter: bytes) -> None:
    started = time.process_time()
    find_traces(letter * ((1 << 20) // len(letter)))
    assert time.process_time() - started < 30
