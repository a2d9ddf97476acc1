"""Ship a trained classifier: file, figures, model card and checksum, all from one evaluation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from inference.model_file import MODELS, write_checksums
from training.errors import RunError
from training.export import ONNX_FILE
from training.recipes import Config, recipe
from training.runs import METRICS_FILES, read_config, read_history, write_json

NAME = "faces"

HEADLINES = {
    "fer2013": "FER2013 labels (head `fer2013`)",
    "ferplus_strict": "FER+ strict majority (head `expression`)",
    "ferplus_argmax": "FER+ argmax (head `expression`)",
    "gender": "FairFace perceived gender (head `gender`)",
}
F1S = {
    "fer2013": "macro-F1, FER2013 labels",
    "ferplus": "macro-F1, FER+ argmax",
}

CARD = Template("""\
# Face classifier `$file`

One look at one face crop: seven expressions and two perceived genders. Network `$arch`, grey
input $size x $size, $parameters parameters, $mmacs million multiply-adds, $bytes bytes.

**What it does not say.** An expression is not a feeling: people scowl when they concentrate and
smile when they are embarrassed (Barrett et al. 2019, doi:10.1177/1529100619832930). Perceived
gender is what raters saw in a picture; it is not a person's identity. One answer about one face is
wrong often; use the mean over many visits.

**Not to be used** to watch or judge workers, pupils or students, to identify anyone, or to decide
anything about a single person.

## Data

| data set | used for | licence |
|---|---|---|
| FER2013 Training (Goodfellow et al. 2013) | expressions | research use: weights trained on it inherit that |
| FER+ votes (Barsoum et al. 2016) | expressions | MIT |
| FairFace train (Karkkainen and Joo 2021) | perceived gender | CC BY 4.0; pictures made grey and smaller |

Three heads share one trunk. `expression`, which Mien shows, learns the distribution of FER+ votes;
rows that too few raters took for a face with one of the seven expressions have no part in it.
`fer2013` learns that data set's own labels, which disagree with the votes; it is in the file for that
benchmark alone. `gender` learns FairFace's labels. A tenth of FairFace's training split, chosen by a
hash of the file name, is never trained on, and neither are those rows of FER2013's Training part whose
very picture is in PublicTest or PrivateTest too.

## How it was selected

The weights are the exponential average at the end of the run: no epoch was chosen. The validation
pictures (PublicTest and the held-out tenth) decided that this model replaces the one before, set the
temperatures and the `unknown` thresholds. The test pictures (PrivateTest and
FairFace's validation split) decided nothing: they were opened once, for the column below.

## Figures

Measured through `inference/classifier.py` with the file that ships: single model, one crop, no
averaging. 95 % Wilson intervals.

$figures

$classes

$groups

Worst group on test pictures: $worst; gap to the best: $gap points.

$ages

### Small faces and inexact boxes (validation)

$robustness

### Calibration (test)

$calibration

"Right" is the share that the truth gives to the label: for expressions the FER+ votes, so that even a
perfect answer is rarely all right; for gender 0 or 1. A face is `unknown` to a head below the
threshold, where its label would be right to less than $wanted (isotonic regression of "right" on
confidence, on validation pictures).

### Costs

$costs

## Limits

- Expressions found worst: $weakest. Whatever rests on these alone means little.
- Perceived gender fails most among those aged $worst_age.
- FER2013's pictures come from web searches for emotion words: posed and exaggerated. Faces of people
  who shop are calmer; expect neutral and `unknown` to prevail.
- Profiles, covered faces and real shop cameras are not in these figures.

## Reproduce

With the data folder in the environment variable `MIEN_DATA`:

$commands

$epochs passes over FER2013 took $minutes minutes on a shared machine. Figures as JSON: `$json`.
""")


def publish(run: Path, models: Path = MODELS) -> Path:
    """Put a run's ONNX file, figures and card beside the runtime; returns the card.

    Raises RunError unless the run was exported and that very file evaluated on both parts.
    """
    onnx = run / ONNX_FILE
    for name in (ONNX_FILE, *METRICS_FILES.values()):
        if not (run / name).is_file():
            raise RunError(f"{run / name} is missing; export and evaluate the run first")
        if (run / name).stat().st_mtime < onnx.stat().st_mtime:
            raise RunError(f"{run / name} is older than {ONNX_FILE}; evaluate it again")
    metrics = {part: json.loads((run / name).read_text()) for part, name in METRICS_FILES.items()}
    shutil.copyfile(onnx, models / f"{NAME}.onnx")
    write_json(models / f"{NAME}.json", metrics)
    write_checksums(models)
    target = models / f"{NAME}.md"
    target.write_text(card(run, metrics))
    return target


def card(run: Path, metrics: Mapping[str, Any]) -> str:
    """The model card (Markdown) of a run evaluated on both parts."""
    config, history = read_config(run), read_history(run)
    validation, test = metrics["validation"], metrics["test"]
    costs, gender = test["costs"], test["gender"]
    return CARD.substitute(
        file=f"{NAME}.onnx",
        json=f"{NAME}.json",
        arch=config.arch,
        commands=commands(config, f"runs/{run.name}"),
        epochs=len(history),
        minutes=round(sum(row["seconds"] for row in history) / 60),
        size=test["model"]["size"],
        parameters=f"{costs['parameters']:,}",
        mmacs=costs["mmacs"],
        bytes=f"{costs['bytes']:,}",
        costs=cost_table(costs),
        figures=headline_table(metrics),
        classes=_classes(test),
        groups=_shares("perceived gender by race and gender (test)", gender["groups"]),
        ages=_shares("perceived gender by age (test)", gender["ages"]),
        robustness=robustness_table(validation["robustness"]),
        weakest=", ".join(_weakest(test["ferplus"]["per_class"], "recall", 2)),
        worst_age=_weakest(gender["ages"], None, 1)[0],
        worst=gender["worst_group"],
        gap=round(gender["gap"] * 100, 1),
        calibration=_calibration(test["calibration"]),
        wanted=" / ".join(f"{head['wanted']:.0%} ({name})" for name, head in test["calibration"].items()),
    )


def commands(config: Config, run: str) -> str:
    """What made and measured the run, as an indented block."""
    return f"""\
    mien train fit {options(config)} --out {run}
    mien train export {run}
    mien train evaluate {run}/{ONNX_FILE} --json {run}/{METRICS_FILES["validation"]}
    mien train evaluate {run}/{ONNX_FILE} --part test --json {run}/{METRICS_FILES["test"]}
    mien train publish {run}"""


def options(config: Config) -> str:
    """The options of `mien train fit` that differ from the architecture's recipe."""
    default = recipe(config.arch)
    changed = {"arch": config.arch} | {
        name: value for name, value in vars(config).items() if value != getattr(default, name)
    }
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in changed.items())


def headline_table(metrics: Mapping[str, Any]) -> str:
    """How often each head is right on the pictures of both parts (Markdown)."""
    rows = [
        (name, *_share(metrics["validation"]["headline"][key]), *_share(metrics["test"]["headline"][key]))
        for key, name in HEADLINES.items()
    ]
    f1 = []
    for key, name in F1S.items():
        known, tested = (f"{metrics[part][key]['macro_f1']:.3f}" for part in METRICS_FILES)
        f1.append((name, known, "", "", tested, "", ""))
    columns = ("right %", "validation", "95 %", "n", "test", "95 %", "n")
    return table(columns, rows + f1)


def robustness_table(cases: Mapping[str, Any]) -> str:
    """How often each head is right on degraded crops (Markdown)."""
    rows = [
        (name, *(" (".join(_share(case[key])[:2]) + ")" for key in HEADLINES)) for name, case in cases.items()
    ]
    return table(("right % (95 %)", *HEADLINES.values()), rows)


def cost_table(costs: Mapping[str, Any]) -> str:
    """What a face costs, on one thread (Markdown)."""
    columns = ("parameters", "million multiply-adds", "bytes", "ms per face, one at a time", "ms in sixteens")
    counts = f"{costs['parameters']:,}", str(costs["mmacs"]), f"{costs['bytes']:,}"
    return table(columns, [(*counts, str(costs["batch_1_ms"]), str(costs["batch_16_ms"]))])


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _classes(figures: Mapping[str, Any]) -> str:
    def cells(truth: str, name: str) -> tuple[str, ...]:
        found = figures[truth]["per_class"][name]
        return *_share(found["recall"]), f"{found['f1']:.3f}"

    rows = [
        (name, *cells("ferplus", name), *cells("fer2013", name)) for name in figures["ferplus"]["per_class"]
    ]
    by_votes, by_labels = (f"{truth}: found %" for truth in ("FER+ argmax", "FER2013"))
    columns = ("expression (test)", by_votes, "95 %", "n", "F1", by_labels, "95 %", "n", "F1")
    return table(columns, rows)


def _shares(title: str, figures: Mapping[str, Any]) -> str:
    return table((title, "right %", "95 %", "n"), [(name, *_share(f)) for name, f in figures.items()])


def _weakest(figures: Mapping[str, Any], name: str | None, count: int) -> list[str]:
    values = {key: (f[name] if name else f)["value"] for key, f in figures.items()}
    return sorted(values, key=lambda key: float(values[key]))[:count]


def _calibration(heads: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            f"{head['temperature']:.3f}",
            f"{head['ece_before']:.3f}",
            f"{head['ece_after']:.3f}",
            f"{head['unknown_below']:.3f}",
            f"{head['coverage']['value']:.1%}",
            _percent(head["agreement_known"]),
            _percent(head["agreement_unknown"]),
        )
        for name, head in heads.items()
    ]
    columns = ("head", "temperature", "ECE before", "after", "threshold", "known", "right", "else")
    return table(columns, rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _share(figure: Mapping[str, Any]) -> tuple[str, str, str]:
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:.1f}", f"{low:.1f}-{high:.1f}", str(figure["n"])
