"""Ship a trained classifier: file, figures, model card and checksum, all from one evaluation."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from training.classifier.recipes import Config, recipe
from training.data.datasets import HEADS
from training.errors import RunError
from training.measure.bias import FEWEST
from training.pages.figure_pictures import PICTURES, draw
from training.runs.folder import (
    ONNX_FILES,
    PARTS,
    metrics_file,
    read_backend,
    read_config,
    read_history,
    spent,
)
from training.runs.publishing import read_metrics, ship

NAME = "faces"
PREFIX = f"{NAME}-"
"""How the names of its pictures begin."""

MOST_LOST = 0.003
"""How much less often the INT8 file may be right than the float32 file."""

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
# Face classifier

One look at one face crop: seven expressions and two perceived genders. Network `$arch`, grey
input $size x $size, $parameters parameters, $mmacs million multiply-adds; files: $files.

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
benchmark alone. `gender` learns FairFace's labels. $taught

A tenth of FairFace's training split, chosen by a hash of the file name, is never trained on, and neither
are rows of either training part whose very picture is among the validation or test pictures too.

## How it was selected

The weights are the exponential average at the end of the run: no epoch was chosen. The validation
pictures (PublicTest and the held-out tenth) decided that this model replaces the one before, set the
temperatures and the `unknown` thresholds. The test pictures (PrivateTest and
FairFace's validation split) decided nothing: they were opened when this file was final, for the columns
and pictures below alone.

## Figures

Measured through `inference/classifier.py` with the very files: single model, one crop, no averaging.
95 % Wilson intervals; tables without a column for INT8 are float32's.

$figures

$losses

$classes

![Confusion of expressions and of gender]($confusion)

$groups

Worst group on test pictures: $worst; gap to the best: $gap points.

$ages

By race, gender and age together: the groups of at least $fewest people served worst. All groups are in the
picture, and with their intervals in `$json`.

$cells

![Perceived gender by race, gender and age]($bias)

### Small faces and inexact boxes (validation)

$robustness

### Calibration (test)

$calibration

"Right" is the share that the truth gives to the label: for expressions the FER+ votes, so that even a
perfect answer is rarely all right; for gender 0 or 1. A face is `unknown` to a head below the
threshold, where its label would be right to less than $wanted (isotonic regression of "right" on
confidence, on validation pictures). "Area" is that under the curve of risk, the share that is wrong, by
coverage, the share of surest faces that is kept.

![Share that is right by confidence, before and after temperature]($calibration_picture)

![Risk by coverage]($risk)

### Costs

$costs

Milliseconds of processor time on one thread. The runtime takes the INT8 file where the processor has
8-bit dot products, and the float32 file elsewhere: `inference.model_file.shipped`.

## Limits

- Expressions found worst: $weakest. Whatever rests on these alone means little.
- Perceived gender fails most among those aged $worst_age.
- FER2013's pictures come from web searches for emotion words: posed and exaggerated. Faces of people
  who shop are calmer; expect neutral and `unknown` to prevail.
- Profiles, covered faces and real shop cameras are not in these figures.

## Reproduce

With the data folder in the environment variable `MIEN_DATA`:

$commands

Passes over FER2013: $went. Where a run
is given minutes, these decide how many passes it has. Figures as JSON: `$json`.
""")


def publish(run: Path, models: Path, images: Path) -> Path:
    """Put a run's ONNX files, figures and card into `models`, pictures into `images`; returns the card.

    The INT8 file ships if it loses at most 0.3 points of any validation figure and is faster. Raises
    RunError unless the run was exported and those very files evaluated on both parts, with all figures.
    """
    metrics = read_metrics(run)
    if missing := HEADLINES.keys() - metrics["float32"]["test"]["headline"].keys():
        names = ", ".join(sorted(missing))
        raise RunError(f"{run} has no figures for {names}: a card needs both tasks and FER+ votes")
    if not worthwhile(metrics):
        del metrics["int8"]
    draw(metrics["float32"]["test"], images, PREFIX)
    return ship(run, metrics, card(run, metrics, os.path.relpath(images, models)), NAME, models)


def worthwhile(metrics: Mapping[str, Any]) -> bool:
    """Whether INT8 is faster and right nearly as often, head by head, as float32 is."""
    before, after = (metrics[precision]["validation"] for precision in ("float32", "int8"))
    losses = (share["value"] - after["headline"][name]["value"] for name, share in before["headline"].items())
    faster = after["costs"]["batch_1_ms"] < before["costs"]["batch_1_ms"]
    return bool(faster and round(max(losses), 4) <= MOST_LOST)


def card(run: Path, metrics: Mapping[str, Any], images: str) -> str:
    """The model card (Markdown) of a run whose files were evaluated on both parts.

    `images` is the way from the card to the folder of its pictures.
    """
    config = read_config(run)
    validation, test = metrics["float32"]["validation"], metrics["float32"]["test"]
    gender = test["gender"]
    confusion, calibration, risk, bias = (f"{images}/{PREFIX}{name}.png" for name in PICTURES)
    return CARD.substitute(
        files=" and ".join(f"`{ONNX_FILES[precision].replace('model', NAME)}`" for precision in metrics),
        json=f"{NAME}.json",
        arch=config.arch,
        taught=_taught(config),
        commands=commands(config, str(run)),
        went=", ".join(_went(Path(name)) for name in (*config.teachers, str(run))),
        size=test["model"]["size"],
        parameters=f"{test['costs']['parameters']:,}",
        mmacs=test["costs"]["mmacs"],
        costs=cost_table(metrics),
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
        fewest=FEWEST,
        cells=_worst_cells(gender["cells"], 5),
        confusion=confusion,
        calibration_picture=calibration,
        risk=risk,
        bias=bias,
        wanted=" / ".join(f"{head['wanted']:.0%} ({name})" for name, head in test["calibration"].items()),
    )


def commands(config: Config, run: str) -> str:
    """What made and measured the run, as an indented block."""
    measured = [
        f"mien train evaluate {run}/{source} --part {part} --json {run}/{metrics_file(precision, part)}"
        for part in PARTS
        for precision, source in ONNX_FILES.items()
    ]
    trained = [*((read_config(Path(name)), name) for name in config.teachers), (config, run)]
    made = [*(_fit(*each) for each in trained), f"mien train export {run}"]
    return "\n".join(f"    {line}" for line in (*made, *measured, f"mien train publish {run}"))


def _fit(config: Config, run: str) -> str:
    backend = read_backend(Path(run))
    chosen = "" if backend == "tensorflow" else f"KERAS_BACKEND={backend} "
    return f"{chosen}mien train fit {options(config)} --out {run}"


def _went(run: Path) -> str:
    history, backend = read_history(run), {"tensorflow": "TensorFlow", "jax": "JAX"}[read_backend(run)]
    return f"`{run.name}` {len(history)} in {spent(history) / 60:.0f} minutes with {backend}"


def options(config: Config) -> str:
    """The options of `mien train fit` that differ from the architecture's recipe."""
    default = recipe(config.arch)
    changed = {"arch": config.arch} | {
        name: value for name, value in vars(config).items() if value != getattr(default, name)
    }
    teachers = [("teacher", run) for run in changed.pop("teachers", ())]
    given = [*changed.items(), *teachers]
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given)


def _taught(config: Config) -> str:
    if not config.teachers:
        return "It learns from labels alone."
    counted = Counter(read_config(Path(name)).arch for name in config.teachers)
    archs = " and ".join(f"{count} x `{arch}`" for arch, count in counted.items())
    return (
        f"{config.taught:.0%} of each loss is the distance to the mean answer\n"
        f"of networks trained before on the same faces ({archs}), which see the\n"
        "same view. A face that has no label for a head learns that answer alone: gender on FER2013's\n"
        "faces, expressions on FairFace's."
    )


def headline_table(metrics: Mapping[str, Any]) -> str:
    """How often each head of each file is right on the pictures of both parts (Markdown)."""
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
    """Cross-entropy of each head of each file on the pictures of both parts (Markdown)."""
    measured = [
        (f"{part}, {precision}", parts[part]) for part in PARTS for precision, parts in metrics.items()
    ]
    rows = [
        (f"head `{head}`", *(f"{figures['crossentropy'][head]:.3f}" for _, figures in measured))
        for head in HEADS
    ]
    return table(("cross-entropy, nats", *(column for column, _ in measured)), rows)


def robustness_table(cases: Mapping[str, Any]) -> str:
    """How often each head is right on degraded crops (Markdown)."""
    rows = [(name, *(with_interval(case[key]) for key in HEADLINES)) for name, case in cases.items()]
    return table(("right % (95 %)", *HEADLINES.values()), rows)


def cost_table(metrics: Mapping[str, Any]) -> str:
    """What a face costs in each file, on one thread (Markdown)."""
    rows = []
    for precision, parts in metrics.items():
        costs = parts["test"]["costs"]
        counts = f"{costs['mmacs']} million", f"{costs['bytes']:,}"
        rows.append((precision, *counts, str(costs["batch_1_ms"]), str(costs["batch_16_ms"])))
    return table(("weights", "multiply-adds", "bytes", "ms per face, one at a time", "in sixteens"), rows)


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


def _worst_cells(cells: Sequence[Mapping[str, Any]], count: int) -> str:
    large = sorted((cell for cell in cells if cell["n"] >= FEWEST), key=lambda cell: float(cell["value"]))
    rows = [(f"{cell['race']} {cell['gender']} {cell['age']}", *_share(cell)) for cell in large[:count]]
    return table(("perceived gender (test)", "right %", "95 %", "n"), rows)


def calibration_table(heads: Mapping[str, Any]) -> str:
    """Temperature, calibration error, what the threshold does, and risk, of each head (Markdown)."""
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


def with_interval(figure: Mapping[str, Any]) -> str:
    """A share in percent with its 95 % interval in brackets."""
    value, interval, _ = _share(figure)
    return f"{value} ({interval})"


def _share(figure: Mapping[str, Any]) -> tuple[str, str, str]:
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:.1f}", f"{low:.1f}-{high:.1f}", str(figure["n"])
