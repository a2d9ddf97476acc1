"""What a run shows and leaves after each epoch: a progress bar, one line, and the curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.pages.chart_style import CALM, INK, STRONG, bare
from training.runs.folder import CURVES_FILE, Row


def by_head(logs: Mapping[str, float] | None, heads: Sequence[str]) -> dict[str, float]:
    """The measures of an epoch under the names of their heads; Keras leaves out the name of a lone head."""
    values = dict(logs or {})
    if len(heads) > 1:
        return values
    for measure in ("accuracy", "crossentropy"):
        for part in ("", "val_"):
            values[f"{part}{heads[0]}_{measure}"] = values.pop(f"{part}{measure}")
    return values


class Bar(keras.callbacks.Callback):
    """A bar over the batches of an epoch, and a line of accuracies when it is through."""

    def __init__(self, heads: Sequence[str], console: Console) -> None:
        super().__init__()
        self._heads, self._console = heads, console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Show the bar."""
        self._progress.start()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Start it over."""
        self._task = self._progress.add_task(f"epoch {epoch + 1}", total=self.params["steps"])

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Some batches further."""
        self._progress.update(self._task, completed=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Say how accurate each head is in training and on validation pictures."""
        values = by_head(logs, self._heads)
        self._progress.remove_task(self._task)
        figures = "   ".join(
            f"{head} {values[f'{head}_accuracy']:.1%}, validation {values[f'val_{head}_accuracy']:.1%}"
            for head in self._heads
        )
        self._console.print(f"epoch {epoch + 1}/{self.params['epochs']}   {figures}")

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Take the bar away."""
        self._progress.stop()


def draw_curves(run: Path, history: Sequence[Row], heads: Sequence[str]) -> Path:
    """Draw accuracy and cross-entropy by epoch, training against validation, as a PNG."""
    figure = Figure(figsize=(4.5 * len(heads), 6), layout="constrained")
    axes = figure.subplots(2, len(heads), squeeze=False)
    epochs = [row["epoch"] for row in history]
    for column, head in enumerate(heads):
        for axis, measure in zip(axes[:, column], ("accuracy", "crossentropy"), strict=True):
            name = f"{head}_{measure}"
            axis.plot(epochs, [row[name] for row in history], color=CALM, label="training")
            validation = [row[f"val_{name}"] for row in history]
            axis.plot(epochs, validation, color=STRONG, label="validation")
            axis.set_title(f"{head}: {measure.replace('crosse', 'cross-e')}", color=INK, loc="left")
            bare(axis)
            axis.legend(frameon=False)
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    target = run / CURVES_FILE
    figure.savefig(target, dpi=120)
    return target
