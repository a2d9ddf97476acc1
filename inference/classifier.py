"""The face classifier: crops in, calibrated class probabilities out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bus.messages import EVERYTHING, Switches
from inference.errors import ModelError
from inference.model_file import ModelFile, load_model, shipped
from inference.model_metadata import ClassifierMetadata

UNKNOWN = "unknown"
EXPRESSION, GENDER = "expression", "gender"
"""Names of the heads, in the model's file and in `bus.messages.Switches`."""


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities (n, k) float32 of logits (n, k) divided by a temperature."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True)
class ClassifierHead:
    """One output of the classifier."""

    labels: tuple[str, ...]
    temperature: float
    """Divides the logits (Guo et al. 2017, doi:10.48550/arXiv.1706.04599)."""
    unknown_below: float
    """Top probability under which a face's label is "unknown"."""

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities (n, k) float32 of logits (n, k)."""
        return softmax(logits, self.temperature)

    def top_labels(self, probabilities: NDArray[np.float32]) -> tuple[str, ...]:
        """The most probable label of each row (n, k), or "unknown" if its probability is too low."""
        best = probabilities.argmax(axis=1)
        return tuple(
            self.labels[label] if row[label] >= self.unknown_below else UNKNOWN
            for label, row in zip(best, probabilities, strict=True)
        )


@dataclass(frozen=True)
class Classes:
    """The class probabilities of n faces; they add up to 1 per face and head."""

    expressions: NDArray[np.float32]
    """(n, number of expressions), (n, 0) where they were not estimated"""
    genders: NDArray[np.float32]
    """(n, number of genders), (n, 0) where they were not estimated"""
    expression_head: ClassifierHead
    gender_head: ClassifierHead

    def __len__(self) -> int:
        return len(self.expressions)

    @property
    def expression_labels(self) -> tuple[str, ...]:
        """Names of the columns of `expressions`."""
        return self.expression_head.labels

    @property
    def gender_labels(self) -> tuple[str, ...]:
        """Names of the columns of `genders`."""
        return self.gender_head.labels

    def top_expressions(self) -> tuple[str, ...]:
        """The expression label of each face, or "unknown"."""
        return self.expression_head.top_labels(self.expressions)

    def top_genders(self) -> tuple[str, ...]:
        """The gender label of each face, or "unknown"."""
        return self.gender_head.top_labels(self.genders)


class Classifier:
    """A classifier loaded from an ONNX file; threads may share it.

    Without a `path` it is the shipped one that this processor runs fastest; `own` allows a file that is not
    a shipped one. Raises ModelError for a file that is missing or altered, or whose metadata or graph are
    invalid.
    """

    def __init__(self, path: Path | None = None, threads: int = 1, own: bool = False) -> None:
        file = load_model(path or shipped("faces"), "classifier", threads, own)
        self.metadata = file.metadata
        self.expression_head = ClassifierHead(
            file.metadata.expression_labels,
            file.metadata.expression_temperature,
            file.metadata.expression_unknown_below,
        )
        self.gender_head = ClassifierHead(
            file.metadata.gender_labels,
            file.metadata.gender_temperature,
            file.metadata.gender_unknown_below,
        )
        _check_output(file, EXPRESSION, self.expression_head.labels)
        _check_output(file, GENDER, self.gender_head.labels)
        self._file = file
        self._session = file.session
        self._reduced: dict[str, ort.InferenceSession] = {}
        self._lock = threading.Lock()
        self._input = _find_input(file)
        self._widths = {output.name: int(output.shape[-1]) for output in file.session.get_outputs()}

    @property
    def size(self) -> int:
        """Side of the crops that the classifier takes, in pixels."""
        return self.metadata.input_size[0]

    def logits(self, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Raw outputs (n, classes) of every head of the file, by name, for crops (n, size, size) uint8.

        Raises ValueError for crops of another shape or type.
        """
        return self._run(self._session, tuple(self._widths), crops)

    def classify(self, crops: NDArray[np.uint8], switches: Switches = EVERYTHING) -> Classes:
        """Classes of n crops (n, size, size) uint8; n may be 0. What is switched off is not computed.

        Raises ValueError for crops of another shape or type.
        """
        wanted = [name for name in (EXPRESSION, GENDER) if getattr(switches, name)]
        logits = self._logits_of(wanted, crops)
        none = np.empty((len(crops), 0), np.float32)
        return Classes(
            self.expression_head.probabilities(logits[EXPRESSION]) if EXPRESSION in logits else none,
            self.gender_head.probabilities(logits[GENDER]) if GENDER in logits else none,
            self.expression_head,
            self.gender_head,
        )

    def _logits_of(self, wanted: Sequence[str], crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        if len(wanted) == 1:
            return self._run(self._session_of(wanted[0]), wanted, crops)
        return self.logits(crops) if wanted else {}

    def _session_of(self, head: str) -> ort.InferenceSession:
        """The session that computes one head alone, created when it is first needed."""
        with self._lock:
            if head not in self._reduced:
                self._reduced[head] = self._file.make_session([head])
            return self._reduced[head]

    def _run(
        self, session: ort.InferenceSession, heads: Sequence[str], crops: NDArray[np.uint8]
    ) -> dict[str, NDArray[np.float32]]:
        expected = (len(crops), self.size, self.size)
        if crops.shape != expected or crops.dtype != np.uint8:
            raise ValueError(f"crops are {crops.dtype} {crops.shape}, expected uint8 {expected}")
        if not len(crops):
            return {head: np.empty((0, self._widths[head]), np.float32) for head in heads}
        outputs = session.run(list(heads), {self._input: crops[..., None]})
        return dict(zip(heads, outputs, strict=True))


def _check_output(file: ModelFile[ClassifierMetadata], name: str, labels: tuple[str, ...]) -> None:
    """Raise ModelError unless the graph has an output of that name with one column per label."""
    shapes = {output.name: output.shape for output in file.session.get_outputs()}
    if name not in shapes or shapes[name][-1] != len(labels):
        raise ModelError(
            f"{file.path}: output {name!r} has shape {shapes.get(name)}, metadata field "
            f"'{name}_labels' names {len(labels)} classes; export the model again"
        )


def _find_input(file: ModelFile[ClassifierMetadata]) -> str:
    """The name of the graph's input; raises ModelError if it does not fit the metadata."""
    (pixels,) = file.session.get_inputs()
    height, width = file.metadata.input_size
    if pixels.type != "tensor(uint8)" or pixels.shape[1:] != [height, width, 1] or height != width:
        raise ModelError(
            f"{file.path}: input is {pixels.type} {pixels.shape}, metadata field 'input_size' "
            f"requires uint8 (n, {height}, {width}, 1), square; export the model again"
        )
    return str(pixels.name)
