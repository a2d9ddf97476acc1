"""Hyper-parameter search: many short runs, compared on the validation split only.

The first run uses the recipe unchanged; Optuna's tree-structured Parzen estimator (Bergstra et al. 2011)
draws the others. Median pruning: a run ends early if at some epoch it is worse than the median of the
earlier runs. The test split is not used.
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
from training.errors import Diverged, RunError
from training.runs.progress import name_by_head
from training.runs.run_folder import HISTORY_FILE, as_stored, read_history, write_json

STUDY_FILE, RESULTS_FILE = "study.db", "trials.json"

RANGES: Mapping[str, tuple[float, float, bool]] = {
    "learning_rate": (1e-4, 1e-2, True),
    "weight_decay": (1e-5, 0.2, True),
    "dropout": (0.0, 0.6, False),
    "mixup": (0.0, 0.4, False),
}
"""Lowest and highest value of each searched number, and whether it is drawn on a logarithmic scale."""

STARTUP_TRIALS = 4
"""Complete runs before the first pruning."""
WARMUP_SHARE = 0.25
"""Share of a run's epochs in which it is not pruned."""

_RUN_ATTRIBUTE = "run"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class TrialResult:
    """One run; `accuracy` is the mean over its heads on the validation split after the last epoch, 0..1."""

    number: int
    config: Config
    pruned: bool
    curve: tuple[float, ...]
    """The accuracy after each epoch."""

    @property
    def accuracy(self) -> float:
        """The last value of the curve; 0 for a run that diverged in its first epoch."""
        return self.curve[-1] if self.curve else 0.0


class TrialReporter(keras.callbacks.Callback):
    """Reports the accuracy to a trial after each epoch, and ends the run if the trial is pruned."""

    def __init__(self, trial: optuna.Trial, config: Config) -> None:
        super().__init__()
        self._trial, self._config = trial, config
        self.pruned = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Report the mean validation accuracy of the heads."""
        row = name_by_head(logs, self._config.heads)
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
    on_trial_start: Callable[[int, Config], None] = lambda number, config: None,
) -> list[TrialResult]:
    """Run trials until the folder `out` holds `trials` of them, and return all, the best first.

    `base` has all values that are not searched; `on_trial_start` is called before each run. An interrupted
    run resumes after its last checkpoint. Raises RunError if the folder holds a search and `resume` is not
    set, or if the search has another `base`; otherwise what `training.classifier.train.fit` raises.
    """
    with _open_study(base, out, resume) as study:
        while (finished := len(study.get_trials(states=_FINISHED))) < trials:
            # A resumed search, which also has failed trials, draws the same values.
            study.sampler = optuna.samplers.TPESampler(seed=base.seed + finished)
            trial = study.ask()
            config = replace(base, **_suggest_values(trial))
            on_trial_start(finished, config)
            pruned = _run_trial(trial, config, data, out, cache)
            if pruned:
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, _curve(study.trials[trial.number])[-1])
        results = [_trial_result(base, trial) for trial in study.get_trials(states=_FINISHED)]
    write_json(out / RESULTS_FILE, [asdict(each) for each in results])
    return sorted(results, key=lambda each: (each.pruned, -each.accuracy))


def accuracy(row: Mapping[str, float], config: Config) -> float:
    """The mean validation accuracy over the heads after an epoch, 0..1."""
    return sum(float(row[f"val_{head}_accuracy"]) for head in config.heads) / len(config.heads)


def _run_trial(trial: optuna.Trial, config: Config, data: Path, out: Path, cache: Path) -> bool:
    """Train one network, resuming if it was interrupted; returns whether it was pruned, or diverged."""
    keras.utils.clear_session()
    folder = out / trial.user_attrs.get(_RUN_ATTRIBUTE, f"{trial.number:03}")
    trial.set_user_attr(_RUN_ATTRIBUTE, folder.name)
    if (folder / HISTORY_FILE).exists():
        for row in read_history(folder):
            trial.report(accuracy(row, config), int(row["epoch"]) - 1)
    reporter = TrialReporter(trial, config)
    try:
        fit(config, data, folder, cache, resume=True, callbacks=[reporter])
    except Diverged:
        return True
    return reporter.pruned


@contextmanager
def _open_study(base: Config, out: Path, resume: bool) -> Iterator[optuna.Study]:
    """The study in a folder, new or resumed; its file is closed at the end."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # TensorFlow warns about repeated tracing, which is expected for one network after the other.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    path = out / STUDY_FILE
    if path.exists() and not resume:
        raise RunError(f"{out} holds a search already; pass --resume to continue it")
    out.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=base.arch,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(
                STARTUP_TRIALS, n_warmup_steps=round(WARMUP_SHARE * base.epochs)
            ),
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


def _suggest_values(trial: optuna.Trial) -> dict[str, Any]:
    """The values of a trial."""
    return {
        name: _round(trial.suggest_float(name, least, most, log=log))
        for name, (least, most, log) in RANGES.items()
    }


def _round(value: float) -> float:
    """Three digits, so that the printed values are those of the run."""
    return float(f"{value:.3g}")


def _trial_result(base: Config, trial: FrozenTrial) -> TrialResult:
    chosen: dict[str, Any] = {name: _round(value) for name, value in trial.params.items()}
    return TrialResult(trial.number, replace(base, **chosen), trial.state == TrialState.PRUNED, _curve(trial))


def _curve(trial: FrozenTrial) -> tuple[float, ...]:
    return tuple(value for _, value in sorted(trial.intermediate_values.items()))
