"""Publishing of a trained classifier: files, figures, model card and checksums from one evaluation."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from training.classifier.recipes import Config, learns_utkface, read_config, recipe
from training.data.datasets import HEADS
from training.errors import RunError
from training.measure.bias import MIN_FACES
from training.pages.classifier_charts import CHARTS, draw_charts
from training.pages.markdown import share_cells, table, with_interval
from training.runs.onnx_file import read_sources
from training.runs.publishing import FIGURES, read_metrics, ship
from training.runs.run_folder import (
    ONNX_FILES,
    PARTS,
    metrics_file,
    read_backend,
    read_history,
    spent,
)

NAME = "faces"
PREFIX = f"{NAME}-"
"""Prefix of the names of its pictures."""

MOST_LOST = 0.003
"""Accuracy that the INT8 file may lose to the float32 file."""

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

UTKFACE_ROW = "| UTKFace (Zhang et al. 2017) | perceived gender | non-commercial research use |\n"

WITH_INT8 = """\
The runtime uses the INT8 file where the processor has
8-bit dot products or AVX2, and the float32 file elsewhere: `inference.model_file.shipped`."""
WITHOUT_INT8 = "There is no INT8 file: it is less\naccurate, or not faster."

CARD = Template("""\
# Face classifier

Classifies one face crop: seven expressions and two perceived genders. Network `$arch`, grey
input $size x $size, $parameters parameters, $mmacs million multiply-adds; files: $files.

**What it does not measure.** An expression is not a feeling: people scowl when they concentrate and
smile when they are embarrassed (Barrett et al. 2019, doi:10.1177/1529100619832930). Perceived
gender is what raters saw in a picture; it is not a person's identity. A single classification is
often wrong; use the mean over many visits.

**Do not use it** to monitor or assess workers, pupils or students, to identify people, or to make
decisions about a single person.

## Data

| data set | used for | licence |
|---|---|---|
| FER2013 Training (Goodfellow et al. 2013) | expressions | research use: weights trained on it inherit that |
| FER+ votes (Barsoum et al. 2016) | expressions | MIT |
| FairFace train (Karkkainen and Joo 2021) | perceived gender | CC BY 4.0; pictures in grey, reduced |
$utkface
Three heads share one trunk. `expression`, which Mien shows, learns the distribution of FER+ votes;
rows with too few votes for the seven expressions are left out. `fer2013` learns that data set's own
labels, which disagree with the votes; it is in the file for that benchmark only. `gender` learns
$genders labels. $taught

A tenth of FairFace's training split, chosen by a hash of the file name, is held out of training. Rows of
both training parts whose exact picture is also among the validation or test pictures are left out.

## How it was selected

The weights are the exponential average at the end of the run: no epoch was selected. The validation
split (PublicTest and the held-out tenth) was used to select this model over the one before, and to set
temperatures and `unknown` thresholds. The test split (PrivateTest and FairFace's validation part) was used
for no choice: it was evaluated when this file was final, only for the columns and pictures below.

## Figures

Measured through `inference/classifier.py` with the published files: single model, one crop, no averaging.
95 % Wilson intervals; tables without an INT8 column show float32.

$figures

$losses

$classes

![Confusion of expressions and of gender]($confusion)

$groups

Worst group on test pictures: $worst; gap to the best: $gap points.

$ages

By race, gender and age together: the least accurate groups of at least $fewest people. All groups are in the
picture, and with their intervals in `$json`.

$cells

![Perceived gender by race, gender and age]($bias)

### Small faces and inexact boxes (validation)

$robustness

### Calibration (test)

$calibration

"Right" is the share that the truth gives to the label: for expressions the share of FER+ votes, so that even
the best label is rarely 100 % right; for gender 0 or 1. Below the threshold a face is `unknown` to a head:
its label would be right to less than $wanted (isotonic regression of "right" on confidence, on the
validation split). "Area" is the area under the curve of risk (share of wrong labels) over coverage (share
of faces kept, the most confident first).

![Share that is right by confidence, before and after temperature]($calibration_picture)

![Risk by coverage]($risk)

### Costs

$costs

Milliseconds of processor time on one thread. $int8

## Limits

- Expressions with the lowest recall: $weakest. Conclusions from these alone are weak.
- Perceived gender is least accurate for ages $worst_age.
- FER2013's pictures come from web searches for emotion words: posed and exaggerated. Shoppers' faces
  are calmer; expect mostly neutral and `unknown`.
- These figures do not cover profiles, covered faces or real shop cameras.

## Reproduce

With the data folder in the environment variable `MIEN_DATA`:

$commands

Passes over FER2013: $passes.
If a run has a time limit in minutes, the limit decides the number of passes. Figures as JSON: `$json`.
""")


def publish(run: Path, models: Path, images: Path) -> Path:
    """Copy a run's ONNX files and card into `models` and draw its pictures into `images`; returns the card.

    The INT8 file ships if it loses at most 0.3 points of any validation figure and is faster. Raises
    RunError unless the run was exported and these files were evaluated on both parts, with all figures.
    """
    metrics = read_metrics(run)
    if missing := HEADLINES.keys() - metrics["float32"]["test"]["headline"].keys():
        names = ", ".join(sorted(missing))
        raise RunError(f"{run} has no figures for {names}: a card needs both tasks and FER+ votes")
    if not worthwhile(metrics):
        del metrics["int8"]
    draw_charts(metrics["float32"]["test"], images, PREFIX)
    return ship(run, metrics, card(run, metrics, os.path.relpath(images, models)), NAME, models)


def worthwhile(metrics: Mapping[str, Any]) -> bool:
    """Whether INT8 is faster than float32 and nearly as accurate in every figure."""
    before, after = (metrics[precision]["validation"] for precision in ("float32", "int8"))
    losses = (share["value"] - after["headline"][name]["value"] for name, share in before["headline"].items())
    faster = after["costs"]["batch_1_ms"] < before["costs"]["batch_1_ms"]
    return bool(faster and round(max(losses), 4) <= MOST_LOST)


def card(run: Path, metrics: Mapping[str, Any], images: str) -> str:
    """The model card (Markdown) of a run whose files were evaluated on both parts.

    `images` is the path from the card to the folder of its pictures.
    """
    config = read_config(run)
    validation, test = metrics["float32"]["validation"], metrics["float32"]["test"]
    gender = test["gender"]
    confusion, calibration, risk, bias = (f"{images}/{PREFIX}{name}.png" for name in CHARTS)
    return CARD.substitute(
        files=" and ".join(f"`{ONNX_FILES[precision].replace('model', NAME)}`" for precision in metrics),
        json=FIGURES / f"{NAME}.json",
        arch=config.arch,
        taught=_describe_start(config) + _describe_teachers(config),
        utkface=UTKFACE_ROW if learns_utkface(config) else "",
        genders="FairFace's and UTKFace's" if config.utkface else "FairFace's",
        commands=commands(config, str(run)),
        passes=", ".join(_describe_length(Path(name)) for name in (*config.teachers, str(run))),
        size=test["model"]["size"],
        parameters=f"{test['costs']['parameters']:,}",
        mmacs=test["costs"]["mmacs"],
        costs=cost_table(metrics),
        int8=WITH_INT8 if "int8" in metrics else WITHOUT_INT8,
        figures=headline_table(metrics),
        classes=_classes(test),
        groups=_shares("perceived gender by race and gender (test)", gender["groups"]),
        ages=_shares("perceived gender by age (test)", gender["ages"]),
        robustness=robustness_table(validation["robustness"]),
        weakest=", ".join(_weakest(test["ferplus"]["per_class"], "recall", 2)),
        worst_age=_weakest(gender["ages"], None, 1)[0],
        worst=gender["worst_group"],
        gap=round(gender["gap"] * 100, 1),
        calibration=calibration_table(test["calibration"]),
        losses=loss_table(metrics),
        fewest=MIN_FACES,
        cells=_worst_cells(gender["cells"], 5),
        confusion=confusion,
        calibration_picture=calibration,
        risk=risk,
        bias=bias,
        wanted=" / ".join(f"{head['wanted']:.0%} ({name})" for name, head in test["calibration"].items()),
    )


def commands(config: Config, run: str) -> str:
    """The commands that made and measured the run, as an indented block."""
    measured = [
        f"mien train evaluate {run}/{source} --part {part} --json {run}/{metrics_file(precision, part)}"
        for part in PARTS
        for precision, source in ONNX_FILES.items()
    ]
    trained = [*((read_config(Path(name)), name) for name in config.teachers), (config, run)]
    made = [*(_fit_command(*each) for each in trained), f"mien train export {run}"]
    return "\n".join(f"    {line}" for line in (*made, *measured, f"mien train publish {run}"))


def _fit_command(config: Config, run: str) -> str:
    backend = read_backend(Path(run))
    chosen = "" if backend == "tensorflow" else f"KERAS_BACKEND={backend} "
    return f"{chosen}mien train fit {options(config)} --out {run}"


def _describe_length(run: Path) -> str:
    history, backend = read_history(run), {"tensorflow": "TensorFlow", "jax": "JAX"}[read_backend(run)]
    return f"`{run.name}` {len(history)} in {spent(history) / 60:.0f} minutes with {backend}"


def options(config: Config) -> str:
    """The options of `mien train fit` that differ from the architecture's recipe."""
    default = recipe(config.arch)
    changed = {"arch": config.arch} | {
        name: value for name, value in vars(config).items() if value != getattr(default, name)
    }
    teachers = [("teacher", run) for run in changed.pop("teachers", ())]
    return " ".join(_write_option(*each) for each in (*changed.items(), *teachers))


def _write_option(name: str, value: object) -> str:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"--{option} {value}"


def _describe_start(config: Config) -> str:
    if config.start_from is None:
        return ""
    sources = " and ".join(read_sources(Path(config.start_from)))
    return f"It starts with the weights of `{config.start_from}`, which learned from {sources}. "


def _describe_teachers(config: Config) -> str:
    if not config.teachers:
        return "It learns from labels only."
    counted = Counter(read_config(Path(name)).arch for name in config.teachers)
    archs = " and ".join(f"{count} x `{arch}`" for arch, count in counted.items())
    return (
        f"{config.taught:.0%} of each loss is the distance to the mean output\n"
        f"of networks trained earlier on the same faces ({archs}), which see the\n"
        "same view. A face without a label for a head learns only from that output: gender on FER2013's\n"
        "faces, expressions on FairFace's."
    )


def headline_table(metrics: Mapping[str, Any]) -> str:
    """Accuracy of each head of each file on both parts (Markdown)."""
    measured = [
        (f"{part}, {precision}", parts[part]) for part in PARTS for precision, parts in metrics.items()
    ]
    rows = [
        (name, *(with_interval(figures["headline"][key]) for _, figures in measured))
        for key, name in HEADLINES.items()
    ]
    rows += [
        (name, *(f"{100 * figures[key]['macro_f1']:.1f}" for _, figures in measured))
        for key, name in F1S.items()
    ]
    return table(("right % (95 %)", *(column for column, _ in measured)), rows)


def loss_table(metrics: Mapping[str, Any]) -> str:
    """Cross-entropy of each head of each file on both parts (Markdown)."""
    measured = [
        (f"{part}, {precision}", parts[part]) for part in PARTS for precision, parts in metrics.items()
    ]
    rows = [
        (f"head `{head}`", *(f"{figures['crossentropy'][head]:.3f}" for _, figures in measured))
        for head in HEADS
    ]
    return table(("cross-entropy, nats", *(column for column, _ in measured)), rows)


def robustness_table(cases: Mapping[str, Any]) -> str:
    """Accuracy of each head on degraded crops (Markdown)."""
    rows = [(name, *(with_interval(case[key]) for key in HEADLINES)) for name, case in cases.items()]
    return table(("right % (95 %)", *HEADLINES.values()), rows)


def cost_table(metrics: Mapping[str, Any]) -> str:
    """Cost per face of each file, on one thread (Markdown)."""
    rows = []
    for precision, parts in metrics.items():
        costs = parts["test"]["costs"]
        counts = f"{costs['mmacs']} million", f"{costs['bytes']:,}"
        rows.append((precision, *counts, str(costs["batch_1_ms"]), str(costs["batch_16_ms"])))
    return table(("weights", "multiply-adds", "bytes", "ms per face, one at a time", "in sixteens"), rows)


def _classes(figures: Mapping[str, Any]) -> str:
    def cells(truth: str, name: str) -> tuple[str, ...]:
        found = figures[truth]["per_class"][name]
        return *share_cells(found["recall"]), f"{found['f1']:.3f}"

    rows = [
        (name, *cells("ferplus", name), *cells("fer2013", name)) for name in figures["ferplus"]["per_class"]
    ]
    by_votes, by_labels = (f"{truth}: found %" for truth in ("FER+ argmax", "FER2013"))
    columns = ("expression (test)", by_votes, "95 %", "n", "F1", by_labels, "95 %", "n", "F1")
    return table(columns, rows)


def _shares(title: str, figures: Mapping[str, Any]) -> str:
    return table((title, "right %", "95 %", "n"), [(name, *share_cells(f)) for name, f in figures.items()])


def _weakest(figures: Mapping[str, Any], name: str | None, count: int) -> list[str]:
    values = {key: (f[name] if name else f)["value"] for key, f in figures.items()}
    return sorted(values, key=lambda key: float(values[key]))[:count]


def _worst_cells(cells: Sequence[Mapping[str, Any]], count: int) -> str:
    large = sorted((cell for cell in cells if cell["n"] >= MIN_FACES), key=lambda cell: float(cell["value"]))
    rows = [(f"{cell['race']} {cell['gender']} {cell['age']}", *share_cells(cell)) for cell in large[:count]]
    return table(("perceived gender (test)", "right %", "95 %", "n"), rows)


def calibration_table(heads: Mapping[str, Any]) -> str:
    """Temperature, calibration error, effect of the threshold, and risk of each head (Markdown)."""
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
            f"{head['risk_coverage']['aurc']:.3f}",
        )
        for name, head in heads.items()
    ]
    columns = ("head", "temperature", "ECE before", "after", "threshold", "known", "right", "else", "area")
    return table(columns, rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
