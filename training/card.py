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
from training.runs import METRICS_FILE, Config, read_config, read_history

NAME = "faces"

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

The target of an expression is half FER2013's label and half the distribution of FER+ votes; rows
that too few raters took for a face with one of the seven expressions are left out. A tenth of
FairFace's training split, chosen by a hash of the file name, is never trained on.

## Figures

Measured through `inference/classifier.py` with the file that ships: one crop, no averaging. 95 %
Wilson intervals. Temperature and thresholds were fitted on these same pictures; FER2013's
PrivateTest and FairFace's validation split have not been opened.

$figures

$classes

$groups

Worst group: $worst; gap to the best: $gap points.

$ages

### Small faces and inexact boxes

$robustness

### Calibration

$calibration

"Right" is the share that the truth gives to the label: for expressions half FER2013's label and half
the FER+ votes, so that even a perfect answer is rarely all right; for gender 0 or 1. A face is
`unknown` to a head below the threshold, where its label would be right to less than $wanted
(isotonic regression of "right" on confidence).

### Costs

$batch_1 ms of processor time per face one at a time, $batch_16 ms in sixteens, one thread.

## Limits

- Expressions found worst: $weakest. Whatever rests on these alone means little.
- Perceived gender fails most among those aged $worst_age.
- FER2013's pictures come from web searches for emotion words: posed and exaggerated. Faces of people
  who shop are calmer; expect neutral and `unknown` to prevail.
- Profiles, covered faces and real shop cameras are not in these figures.

## Reproduce

    mien train fit $options --data DIR --out runs/$run
    mien train export runs/$run --data DIR
    mien train evaluate runs/$run/model.onnx --data DIR --json runs/$run/metrics.json
    mien train publish runs/$run

$epochs epochs took $minutes minutes on a shared machine. Figures as JSON: `$json`.
""")


def publish(run: Path, models: Path = MODELS) -> Path:
    """Put a run's ONNX file, figures and card beside the runtime; returns the card.

    Raises RunError unless the run was exported and that very file evaluated into metrics.json.
    """
    onnx, metrics_file = run / ONNX_FILE, run / METRICS_FILE
    if not onnx.is_file() or not metrics_file.is_file():
        raise RunError(f"{run}: needs {ONNX_FILE} and {METRICS_FILE}; export and evaluate it first")
    if metrics_file.stat().st_mtime < onnx.stat().st_mtime:
        raise RunError(f"{metrics_file} is older than {ONNX_FILE}; evaluate it again")
    metrics = json.loads(metrics_file.read_text())
    shutil.copyfile(onnx, models / f"{NAME}.onnx")
    shutil.copyfile(metrics_file, models / f"{NAME}.json")
    write_checksums(models)
    target = models / f"{NAME}.md"
    target.write_text(card(run, metrics))
    return target


def card(run: Path, metrics: Mapping[str, Any]) -> str:
    """The model card (Markdown) of an evaluated run."""
    config, history = read_config(run), read_history(run)
    costs, gender = metrics["costs"], metrics["gender"]
    return CARD.substitute(
        file=f"{NAME}.onnx",
        json=f"{NAME}.json",
        arch=config.arch,
        run=run.name,
        options=options(config),
        epochs=len(history),
        minutes=round(sum(row["seconds"] for row in history) / 60),
        size=metrics["model"]["size"],
        parameters=f"{costs['parameters']:,}",
        mmacs=costs["mmacs"],
        bytes=f"{costs['bytes']:,}",
        batch_1=costs["batch_1_ms"],
        batch_16=costs["batch_16_ms"],
        figures=_figures(metrics),
        classes=_classes(metrics["expression"]),
        groups=_table(
            ("perceived gender by race and gender", "right %", "95 %", "n"),
            [(name, *_share(figure)) for name, figure in gender["groups"].items()],
        ),
        ages=_table(
            ("perceived gender by age", "right %", "95 %", "n"),
            [(name, *_share(figure)) for name, figure in gender["ages"].items()],
        ),
        robustness=_robustness(metrics["robustness"]),
        weakest=", ".join(_weakest(metrics["expression"]["per_class"], "recall", 2)),
        worst_age=_weakest(gender["ages"], None, 1)[0],
        worst=gender["worst_group"],
        gap=round(gender["gap"] * 100, 1),
        calibration=_calibration(metrics["calibration"]),
        wanted=" / ".join(f"{head['wanted']:.0%} ({name})" for name, head in metrics["calibration"].items()),
    )


def _weakest(figures: Mapping[str, Any], name: str | None, count: int) -> list[str]:
    values = {key: (f[name] if name else f)["value"] for key, f in figures.items()}
    return sorted(values, key=lambda key: float(values[key]))[:count]


def options(config: Config) -> str:
    """The options of `mien train fit` that differ from its defaults, and the architecture."""
    default = Config()
    changed = {"arch": config.arch} | {
        name: value for name, value in vars(config).items() if value != getattr(default, name)
    }
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in changed.items())


def _figures(metrics: Mapping[str, Any]) -> str:
    expression, gender = metrics["expression"], metrics["gender"]
    shares = {
        "FER2013 PublicTest, original labels": expression["fer2013_public"],
        "FER+ on PublicTest, strict majority": expression["ferplus_public_strict"],
        "FER+ on PublicTest, argmax": expression["ferplus_public_argmax"],
        "FairFace held-out slice, perceived gender": gender["fairface_held_out"],
    }
    rows = [(name, *_share(figure)) for name, figure in shares.items()]
    table = _table(("pictures", "right %", "95 %", "n"), rows)
    return f"{table}\n\nMacro-F1 of the seven expressions: {expression['macro_f1']:.3f}."


def _classes(expression: Mapping[str, Any]) -> str:
    rows = [
        (name, *_share(figures["recall"]), f"{figures['f1']:.3f}")
        for name, figures in expression["per_class"].items()
    ]
    return _table(("expression (PublicTest)", "found %", "95 %", "n", "F1"), rows)


def _robustness(cases: Mapping[str, Any]) -> str:
    rows = [
        (name, *_share(case["fer2013_public"])[:2], *_share(case["fairface_held_out"])[:2])
        for name, case in cases.items()
    ]
    return _table(("crops", "FER2013 PublicTest %", "95 %", "FairFace gender %", "95 %"), rows)


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
    return _table(columns, rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _share(figure: Mapping[str, Any]) -> tuple[str, str, str]:
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:.1f}", f"{low:.1f}-{high:.1f}", str(figure["n"])


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
