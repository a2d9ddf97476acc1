"""Training of the detector: one run from photographs to a Keras model, in a given time.

The learning rate follows the larger of two fractions, of the samples and of the minutes that were
granted, so that a run on a busy machine still ends fully annealed.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from training.detector import scenes
from training.detector.losses import DetectionLoss
from training.detector.network import build
from training.detector.synthesis import Synthesis
from training.detector.targets import assign

CHECKPOINT = "checkpoint.weights.h5"
MODEL = "model.keras"
HISTORY = "history.csv"


@dataclass(frozen=True)
class DetectorConfig:
    """Everything that decides how a run goes."""

    widths: tuple[int, ...] = (16, 16, 32, 64, 96)
    size: int = 256
    batch: int = 48
    samples: int = 700_000
    minutes: float = 80.0
    samples_per_round: int = 12_000
    learning_rate: float = 2e-3
    warmup: float = 0.02
    weight_decay: float = 5e-4
    ema: float = 0.998
    precision: str = "float32"
    seed: int = 1


class Batches(keras.utils.PyDataset):
    """Batches of pictures (n, s, s, 1) float32 0..255 and targets (n, cells, 6), never the same twice."""

    def __init__(self, synthesis: Synthesis, config: DetectorConfig, round_number: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._synthesis, self._config, self._round = synthesis, config, round_number

    def __len__(self) -> int:
        return self._config.samples_per_round // self._config.batch

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng((self._config.seed, self._round, index))
        size = self._config.size
        pictures, targets = [], []
        for _ in range(self._config.batch):
            sample = self._synthesis.sample(rng)
            pictures.append(sample.pixels)
            targets.append(assign(*sample.arrays(), size, size))
        return np.stack(pictures)[..., None].astype(np.float32), np.stack(targets)

    def on_epoch_end(self) -> None:
        """Go on to other samples."""
        self._round += 1


class Annealing(keras.callbacks.Callback):
    """Warm-up, then half a cosine, by the larger of the fractions of samples and of minutes."""

    def __init__(self, config: DetectorConfig, samples_done: int, seconds_done: float) -> None:
        super().__init__()
        self._config, self._samples = config, samples_done
        self._started = time.monotonic() - seconds_done

    @property
    def progress(self) -> float:
        """How much of the run is over, 0 to 1."""
        minutes = (time.monotonic() - self._started) / 60
        return min(max(self._samples / self._config.samples, minutes / self._config.minutes), 1.0)

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Set the rate for the next step."""
        self._samples += self._config.batch
        rise = min(self._samples / (self._config.samples * self._config.warmup), 1.0)
        fall = 0.5 * (1 + math.cos(math.pi * self.progress))
        self.model.optimizer.learning_rate = self._config.learning_rate * rise * max(fall, 0.005)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Stop when the run is over."""
        if self.progress >= 1.0:
            self.model.stop_training = True


class Checkpoint(keras.callbacks.Callback):
    """After each round: the averaged weights with the optimizer's state, and one row of history."""

    def __init__(self, run: Path, config: DetectorConfig, history: list[dict[str, float]]) -> None:
        super().__init__()
        self._run, self._config, self._history = run, config, history
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write them; a run that is cut off goes on after the last round that was written."""
        partial = self._run / "partial.weights.h5"
        self.model.save_weights(partial)
        partial.replace(self._run / CHECKPOINT)
        seconds, self._started = time.monotonic() - self._started, time.monotonic()
        loss = float((logs or {})["loss"])
        samples = (epoch + 1) * self._config.samples_per_round
        row = {"round": epoch + 1, "samples": samples, "seconds": round(seconds, 1), "loss": round(loss, 4)}
        self._history.append(row)
        with (self._run / HISTORY).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, row.keys())
            writer.writeheader()
            writer.writerows(self._history)
        Console().print(f"{samples} samples   loss {loss:.3f}   {samples and seconds:.0f} s")


def fit(config: DetectorConfig, data: Path, run: Path) -> Path:
    """Train, or go on with, the run in the folder `run`; returns the final model's path."""
    run.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(config.seed)
    history = _read_history(run / HISTORY)
    synthesis = Synthesis(
        scenes.load_scenes(data, "train"),
        scenes.load_groceries(data, "train"),
        scenes.load_portraits(data),
        config.size,
    )
    model = compiled(config)
    if history:
        model.load_weights(run / CHECKPOINT)
    done = len(history)
    annealing = Annealing(
        config, done * config.samples_per_round, sum(row["seconds"] for row in history)
    )
    model.fit(
        Batches(synthesis, config, done),
        epochs=math.ceil(config.samples / config.samples_per_round),
        initial_epoch=done,
        callbacks=[
            annealing,
            keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
            keras.callbacks.TerminateOnNaN(),
            Checkpoint(run, config, history),
        ],
        verbose=0,
    )
    final = build(config.widths)
    final.set_weights(model.get_weights())
    final.save(run / MODEL)
    return run / MODEL


def compiled(config: DetectorConfig) -> keras.Model:
    """The network with its loss and optimizer, computing in the configured precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        model = build(config.widths)
    finally:
        keras.config.set_dtype_policy(before)
    optimizer = keras.optimizers.AdamW(
        config.learning_rate,
        weight_decay=config.weight_decay,
        use_ema=True,
        ema_momentum=config.ema,
        clipnorm=10.0,
    )
    model.compile(optimizer, loss=DetectionLoss(config.size))
    return model


def _read_history(path: Path) -> list[dict[str, float]]:
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
