"""Training of the detector: one run from photographs to a Keras model, in a given time."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from inference.detector import Detector
from training.detector import scenes
from training.detector.distillation import with_hard_places, with_soft_scores
from training.detector.losses import DetectionLoss
from training.detector.mistakes import find_mistakes
from training.detector.network import DEPTH, WIDTHS, build, check_numbers
from training.detector.start import read_start, scaled, start_from
from training.detector.synthesis import LEAST_FACES, Synthesis
from training.detector.targets import FINEST_STRIDE, assign
from training.errors import DatasetError, RunError
from training.runs.averaging import AdamW
from training.runs.onnx_file import start_file
from training.runs.precision import computing_in
from training.runs.run_folder import (
    CHECKPOINT,
    Row,
    completed_epochs,
    create_run,
    read_history,
    read_stored_config,
    replacing,
    spent,
    steps_done,
    write_history,
)
from training.runs.schedule import Annealing
from training.runs.watching import FiniteLoss

MODEL_FILE = "model.keras"


@dataclass(frozen=True)
class DetectorConfig:
    """Everything that decides how a run goes."""

    widths: tuple[int, ...] = WIDTHS
    """Filters at strides 2, 4, 8, 16 and 32."""
    depth: int = DEPTH
    """Convolutions at each of the strides 8, 16 and 32 after the one that halves the sides."""
    finest_stride: int = FINEST_STRIDE
    """Stride of the finest grid: 8, or 4 for smaller faces."""
    quality: bool = True
    """Whether the target score of a cell falls with the overlap of its box; see `losses.DetectionLoss`."""
    teacher: str | None = None
    """The table that `mien train detector label` wrote; labels alone where None."""
    photographs: tuple[str, ...] = ()
    """Folders of further photographs with boxes; see `training.data.importers.faces`."""
    start_from: str | None = None
    """A detector's float32 ONNX file, or a run, whose weights the run starts with, as far as they fit, and
    whose mistakes in photographs without faces it sees again and again."""
    size: int = 256
    """Side of the training pictures."""
    batch: int = 96
    samples: int = 2_000_000
    """Pictures after which the run is over."""
    minutes: float | None = 80.0
    """Wall-clock time after which the run is over, if it is not before; 0 or None: no limit."""
    samples_per_round: int = 24_000
    """Pictures between two checkpoints."""
    learning_rate: float = 2e-3
    """The highest rate of AdamW."""
    warmup: float = 0.02
    """Share of the run in which the learning rate rises."""
    weight_decay: float = 5e-4
    ema: float = 0.998
    """How much of the averaged weights each step keeps, at most; see `training.runs.averaging`."""
    precision: str = "mixed_bfloat16"
    seed: int = 1


class Batches(keras.utils.PyDataset):
    """Batches of pictures (n, s, s, 1) float32 -1..1 and targets (n, cells, 6), never the same twice."""

    def __init__(self, synthesis: Synthesis, config: DetectorConfig, round_number: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._synthesis, self._config, self._round = synthesis, config, round_number

    def __len__(self) -> int:
        return max(1, self._config.samples_per_round // self._config.batch)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng((self._config.seed, self._round, index))
        size, finest = self._config.size, self._config.finest_stride
        samples = [self._synthesis.sample(rng) for _ in range(self._config.batch)]
        pictures = scaled(np.stack([sample.pixels for sample in samples]))
        return pictures, np.stack([assign(*sample.arrays(), size, size, finest) for sample in samples])

    def on_epoch_end(self) -> None:
        """Continue with other samples."""
        self._round += 1


class Rounds(keras.callbacks.Callback):
    """After each round: weights with the optimizer's state, one row of history, one line for the user."""

    def __init__(self, run: Path, history: list[Row], annealing: Annealing, console: Console) -> None:
        super().__init__()
        self._run, self._history, self._annealing, self._console = run, history, annealing, console
        self._started, self._steps = time.monotonic(), 0
        columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("detector", total=1.0)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Show the bar."""
        self._progress.start()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Count the step, and move the bar."""
        self._steps = batch + 1
        self._progress.update(self._task, completed=self._annealing.progress)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write them; an interrupted run continues after the last round that was written."""
        with replacing(self._run / CHECKPOINT) as partial:
            self.model.save_weights(partial)
        seconds, self._started = time.monotonic() - self._started, time.monotonic()
        loss = float((logs or {})["loss"])
        done = {"round": epoch + 1, "seconds": round(seconds, 1), "steps": self._steps}
        self._history.append(done | {"loss": round(loss, 4)})
        write_history(self._run, self._history)
        self._console.print(f"round {epoch + 1}/{self.params['epochs']}   loss {loss:.3f}   {seconds:.0f} s")

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Take the bar away."""
        self._progress.stop()


def fit(config: DetectorConfig, data: Path, run: Path, resume: bool = False) -> Path:
    """Train the run in the folder `run`, or continue it; returns the final model's path.

    Raises DatasetError, RunError for numbers that make no network and for a folder that is in use or was made
    with another configuration, or Diverged.
    """
    check_numbers(config.widths, config.depth, config.finest_stride)
    keras.utils.set_random_seed(config.seed)
    synthesis = load_synthesis(data, config.size, config.teacher, config.photographs)
    start = None
    if config.start_from is not None:
        start = read_start(Path(config.start_from))
        started_with = Detector(start_file(Path(config.start_from)), own=True)
        synthesis.add_hard(find_mistakes(started_with, synthesis.empty))
    history = completed_epochs(run, config, resume)
    model = compiled(config)
    if history:
        model.load_weights(run / CHECKPOINT)
    elif start is not None:
        rng = np.random.default_rng(config.seed)
        start_from(model, start, scaled(np.stack([synthesis.sample(rng).pixels for _ in range(256)])))
    batches = Batches(synthesis, config, len(history))
    rounds = math.ceil(config.samples / (len(batches) * config.batch))
    annealing = Annealing(
        config.learning_rate,
        rounds * len(batches),
        config.minutes,
        config.warmup,
        steps_done(history, len(batches)),
        spent(history),
    )
    create_run(run, config)  # Not before: options that cannot be used leave nothing behind.
    # Keras puts the averaged weights into the model when the run ends, whatever ends it. Until then the model
    # and its checkpoints hold the weights that are trained, and the optimizer holds the average.
    model.fit(
        batches,
        # Every batch is random already; in another order a resumed run would differ.
        shuffle=False,
        epochs=rounds,
        initial_epoch=len(history),
        callbacks=[
            annealing,
            FiniteLoss(),
            Rounds(run, history, annealing, Console()),
        ],
        verbose=0,
    )
    final = build(config.widths, config.depth, config.finest_stride)
    final.set_weights(model.get_weights())
    with replacing(run / MODEL_FILE) as partial:
        final.save(partial)
    return run / MODEL_FILE


def load_synthesis(
    data: Path, size: int, teacher: str | None = None, further: Sequence[str] = ()
) -> Synthesis:
    """Samples from the photographs of the train part; raises DatasetError, for too few of a kind as well.

    `teacher` is the table of what the teacher sees in them, with which faces get soft scores and goods
    get places that look like faces. `further` are folders of photographs with boxes, whose faces get soft
    scores if the table has any of their folder.
    """
    scenes.check_folders([Path(folder) for folder in further])
    photographs = scenes.load_scenes(data, "train")
    goods = scenes.load_groceries(data, "train")
    seen: dict[str, list[tuple[float, ...]]] = {}
    if teacher is not None:
        seen = scenes.marked_faces(Path(teacher))
        photographs = [with_soft_scores(scene, seen) for scene in photographs]
        goods = [with_hard_places(scene, seen) for scene in goods]
    for folder in further:
        taken = scenes.load_further(Path(folder), data)
        if scenes.has_labels_of(seen, Path(folder)):
            taken = [with_soft_scores(scene, seen) for scene in taken]
        photographs += taken
    synthesis = Synthesis(photographs, goods, scenes.load_portraits(data), size)
    counts = {
        "sure faces in scenes": (len(synthesis.faces), LEAST_FACES),
        "scenes without faces": (len(synthesis.face_free), 1),
        "photographs of goods": (len(synthesis.groceries), 1),
        "portraits": (len(synthesis.portraits), 1),
    }
    for kind, (found, least) in counts.items():
        if found < least:
            raise DatasetError(f"{data}: {found} {kind} to train on, at least {least} are needed")
    return synthesis


def read_config(run: Path) -> DetectorConfig:
    """The configuration of a run; raises RunError where there is none."""
    values = read_stored_config(run)
    try:
        photographs = tuple(values.get("photographs", ()))
        return DetectorConfig(**values | {"widths": tuple(values["widths"]), "photographs": photographs})
    except (TypeError, KeyError) as error:
        raise RunError(f"{run} is not a detector's training run: {error}") from error


def samples_seen(run: Path) -> int:
    """How many pictures a run has trained on; its last round may have been cut off by time."""
    config = read_config(run)
    full = max(1, config.samples_per_round // config.batch)
    return steps_done(read_history(run), full) * config.batch


def compiled(config: DetectorConfig) -> keras.Model:
    """The network with its loss, its optimizer and its state, computing in the configured precision."""
    with computing_in(config.precision):
        model = build(config.widths, config.depth, config.finest_stride)
    optimizer = AdamW(
        config.learning_rate,
        weight_decay=config.weight_decay,
        use_ema=True,
        ema_momentum=config.ema,
        clipnorm=10.0,
    )
    model.compile(optimizer, loss=DetectionLoss(config.size, config.finest_stride, config.quality))
    # A checkpoint is loaded into this state, and a step that need not make it is traced sooner.
    model.optimizer.build(model.trainable_variables)
    return model
