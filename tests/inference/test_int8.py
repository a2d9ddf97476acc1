"""The INT8 files that ship: this processor's fast kernels give what exact arithmetic gives."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import pytest

import ingest.demo
from inference.model_file import MODELS, make_session_options

HEADS = Path(ingest.demo.__file__).parent / "people.webp"


def heads() -> np.ndarray:
    """The demo's drawn people, grey: many faces in one picture."""
    picture = cv2.imread(str(HEADS), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def outputs(name: str, pixels: np.ndarray, *, exact: bool) -> dict[str, np.ndarray]:
    """The outputs of a model; exactly: without optimisation every quantised layer computes in float32."""
    options = make_session_options(1)
    if exact:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(MODELS / name, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, {"pixels": pixels}), strict=True))


def crops() -> np.ndarray:
    """Pieces (n, 48, 48, 1) of the demo's people, and of noise, which has the greatest contrast."""
    picture = heads()
    rows = [
        picture[top : top + 96, left : left + 96]
        for top in range(0, picture.shape[0] - 96, 96)
        for left in range(0, picture.shape[1] - 96, 96)
    ]
    faces = [cv2.resize(row, (48, 48), interpolation=cv2.INTER_AREA) for row in rows[:200]]
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 48), np.uint8)
    return np.concatenate([np.stack(faces), noise, 255 * (noise > 127)]).astype(np.uint8)[..., None]


def test_the_classifier_does_not_saturate() -> None:
    fast, exact = (outputs("faces.int8.onnx", crops(), exact=exact) for exact in (False, True))
    for head, logits in exact.items():
        np.testing.assert_allclose(fast[head], logits, atol=0.4)


@pytest.mark.parametrize("contrast", [1.0, 3.0])
def test_the_detector_does_not_saturate(contrast: float) -> None:
    picture = cv2.resize(heads(), (640, 640), interpolation=cv2.INTER_AREA).astype(np.float64)
    stretched = ((picture - 127) * contrast + 127).clip(0, 255).astype(np.uint8)
    pixels = stretched[None, ..., None]
    fast, exact = (outputs("detector.int8.onnx", pixels, exact=exact) for exact in (False, True))
    np.testing.assert_allclose(fast["scores"], exact["scores"], atol=0.05)
    sure = exact["scores"][0] > 0.3
    np.testing.assert_allclose(fast["boxes"][0][sure], exact["boxes"][0][sure], atol=2.0)
