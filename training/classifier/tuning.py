"""Search the numbers of a recipe: many short runs, judged by validation pictures alone.

The first run is the recipe as it is; the others are drawn by Optuna's tree-structured Parzen estimator
(Bergstra et al. 2011). A run that at some epoch is worse than half of those before it ends there. The test
pictures have no part in this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import optuna
from optuna.trial import FrozenTrial, TrialState

from training.classifier.recipes import Config
from training.classifier.train import fit
from training.errors import RunError
from training.runs.folder import HISTORY_FILE, as_stored, read_history, write_json
from training.runs.progress import by_head

STUDY_FILE, RESULTS_FILE = "study.db", "trials.json"

RANGES: Mapping[str, tuple[float, float, bool]] = {
    "learning_rate": (1e-4, 1e-2, True),
    "weight_decay": (1e-5, 0.2, True),
    "dropout": (0.0, 0.6, False),
    "mixup": (0.0, 0.4, False),
}
"""Least and most of what is searched, and whether its logarithm is drawn evenly."""

UNPRUNED = 4
"""Runs that go on to their end before any is given up, and share of a run's epochs that it always gets."""
SPARED = 0.25

_RUN = "run"
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Tried:
    """One run: `accuracy` is the mean over its heads on validation pictures after its last epoch, 0..1."""

    number: int
    config: Config
    pruned: bool
    curve: tuple[float, ...]
    """The accuracy after each epoch."""

    @property
    def accuracy(self) -> float:
        """The last one of the curve."""
        return self.curve[-1]


class Watch(keras.callbacks.Callback):
    """Tells a trial how its run goes after each epoch, and ends the run where that is not well enough."""

    def __init__(self, trial: optuna.Trial, config: Config) -> None:
        super().__init__()
        self._trial, self._config = trial, config
        self.pruned = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Report the mean validation accuracy of the heads."""
        row = by_head(logs, self._config.heads)
        self._trial.report(accuracy(row, self._config), epoch)
        if epoch + 1 < self._config.epochs and self._trial.should_prune():
            self.pruned = self.model.stop_training = True


def search(
    base: Config,
    trials: int,
    data: Path,
    out: Path,
    cache: Path,
    resume: bool,
    begun: Callable[[int, Config], None] = lambda number, config: None,
) -> list[Tried]:
    """Run trials in the folder `out` until it holds so many, and return all of them, the best first.

    `base` gives everything that is not searched; `begun` hears of each run before it starts. What was cut off
    goes on after its last epoch. Raises RunError for a folder that holds a search already, unless `resume` is
    set, and for one that is to go on with another `base`; otherwise what `training.classifier.train.fit` raises.
    """
    with _study(base, out, resume) as study:
        while len(study.get_trials(states=_ENDED)) < trials:
            # A seed for each trial, so that a search that was cut off draws what it would have drawn.
            study.sampler = optuna.samplers.TPESampler(seed=base.seed + len(study.trials))
            trial = study.ask()
            config = replace(base, **_drawn(trial))
            begun(len(study.get_trials(states=_ENDED)), config)
            pruned = _run(trial, config, data, out, cache)
            if pruned:
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, _curve(study.trials[trial.number])[-1])
        tried = [_tried(base, trial) for trial in study.get_trials(states=_ENDED)]
    write_json(out / RESULTS_FILE, [asdict(each) for each in tried])
    return sorted(tried, key=lambda each: (each.pruned, -each.accuracy))


def accuracy(row: Mapping[str, float], config: Config) -> float:
    """The mean over the heads of how often validation faces are right after an epoch, 0..1."""
    return sum(float(row[f"val_{head}_accuracy"]) for head in config.heads) / len(config.heads)


def _run(trial: optuna.Trial, config: Config, data: Path, out: Path, cache: Path) -> bool:
    """Fit one network, after its last epoch where it was cut off; whether it was given up."""
    keras.utils.clear_session()
    folder = out / trial.user_attrs.get(_RUN, f"{trial.number:03}")
    trial.set_user_attr(_RUN, folder.name)
    if (folder / HISTORY_FILE).exists():
        for row in read_history(folder):
            trial.report(accuracy(row, config), int(row["epoch"]) - 1)
    watch = Watch(trial, config)
    fit(config, data, folder, cache, resume=True, callbacks=[watch])
    return watch.pruned


@contextmanager
def _study(base: Config, out: Path, resume: bool) -> Iterator[optuna.Study]:
    """The study in a folder, new or as it was left; its file is closed in the end."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # It warns of functions that are traced again and again, as those of one network after the other are.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    path = out / STUDY_FILE
    if path.exists() and not resume:
        raise RunError(f"{out} holds a search already; pass --resume to go on with it")
    out.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=base.arch,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(UNPRUNED, n_warmup_steps=round(SPARED * base.epochs)),
            load_if_exists=True,
        )
        wanted = as_stored(base)
        before = study.user_attrs.get("base", wanted)
        if before != wanted:
            raise RunError(f"{path} has {before}, asked for {wanted}; resume with the same options")
        if not study.trials:
            study.set_user_attr("base", wanted)
            study.enqueue_trial({name: getattr(base, name) for name in RANGES})
        for trial in study.get_trials(states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
            study.enqueue_trial(trial.params, user_attrs=trial.user_attrs)
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _drawn(trial: optuna.Trial) -> dict[str, Any]:
    """What a trial is to try."""
    return {
        name: _rounded(trial.suggest_float(name, least, most, log=log))
        for name, (least, most, log) in RANGES.items()
    }


def _rounded(value: float) -> float:
    """Three digits, so that what is printed is what was trained."""
    return float(f"{value:.3g}")


def _tried(base: Config, trial: FrozenTrial) -> Tried:
    chosen: dict[str, Any] = {name: _rounded(value) for name, value in trial.params.items()}
    return Tried(trial.number, replace(base, **chosen), trial.state == TrialState.PRUNED, _curve(trial))


def _curve(trial: FrozenTrial) -> tuple[float, ...]:
    return tuple(value for _, value in sorted(trial.intermediate_values.items()))
