"""Documents with figures: README.md, docs/operations.md and docs/benchmarks.md, rendered from stored figures.

`python -m benchmarks.readme` updates all three without a measurement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import report, sizing_table
from benchmarks.latency import FPS, LIMIT_MS, WORKLOAD, find_capacity
from benchmarks.live import LiveLatency
from benchmarks.markdown import render_table, replace_section
from benchmarks.memory import Memory
from benchmarks.scaled_latency import ScaledLatency
from benchmarks.scaled_mode import ScaledMode
from benchmarks.throughput import Throughput

ROOT = Path(__file__).parents[1]
CLASSIFIER, DETECTOR, SPEED = (
    "docs/figures/faces.json",
    "docs/figures/detector.json",
    "docs/figures/benchmarks.json",
)

FALSE_FACES = "100"
"""At fewer false faces, a single photograph of the test part decides the figure."""

Rows = list[tuple[str, str]]


def render_documents(root: Path) -> dict[Path, str]:
    """The text of each document below `root` with up-to-date tables, by path."""
    readme, operations = root / "README.md", root / "docs" / "operations.md"
    measured = json.loads((root / SPEED).read_text())
    figures = render_table(("", "", "from"), make_rows(root))
    return {
        readme: replace_section(readme.read_text(), "figures", figures),
        operations: replace_section(operations.read_text(), "sizing", sizing_table.render_tables(measured)),
        root / "docs" / "benchmarks.md": report.render_page(measured),
    }


def make_rows(root: Path) -> list[tuple[str, str, str]]:
    """What was measured, the figures, and a link to their file."""
    read = {name: json.loads((root / name).read_text()) for name in (CLASSIFIER, DETECTOR, SPEED)}
    found = {
        CLASSIFIER: _classifier_rows(_select_test_figures(read[CLASSIFIER])),
        DETECTOR: _detector_rows(_select_test_figures(read[DETECTOR])),
        SPEED: _speed_rows(read[SPEED]),
    }
    return [
        (what, figure, f"[{Path(name).name}]({name})")
        for name, each in found.items()
        for what, figure in each
    ]


def _select_test_figures(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures on the test split of the model file that most processors run."""
    figures: Mapping[str, Any] = metrics.get("int8", metrics["float32"])["test"]
    return figures


def _classifier_rows(test: Mapping[str, Any]) -> Rows:
    heads, groups = test["headline"], test["gender"]["groups"]
    worst = test["gender"]["worst_group"]
    return [
        ("expression, correct, FER+ pictures with a majority of votes", _share(heads["ferplus_strict"])),
        ("expression, correct, FER2013 PrivateTest with its own labels", _share(heads["fer2013"])),
        ("perceived gender, correct, FairFace validation split", _share(heads["gender"])),
        (f"perceived gender, correct, in the worst group ({worst})", _share(groups[worst])),
    ]


def _detector_rows(test: Mapping[str, Any]) -> Rows:
    """Precision at the size at which detectors are compared; recall also at the size at which ours runs."""
    precision = test["compared"]["average_precision"]
    between = f"{precision['low']:.2f} to {precision['high']:.2f}"
    rows = [
        (
            f"faces of at least 24 pixels, average precision at {test['compared']['longest_side']} pixels",
            f"{precision['value']:.2f} ({between})",
        )
    ]
    for curve in (test["compared"], test["running"]):
        found = curve["recall_at_false_per_1000_goods"][FALSE_FACES]
        rows.append(
            (
                f"faces found at {FALSE_FACES} false ones in 1000 photographs of goods, "
                f"at {curve['longest_side']} pixels",
                f"{found['value']:.0%} ({found['low']:.0%} to {found['high']:.0%})",
            )
        )
    return rows


def _speed_rows(figures: Mapping[str, Any]) -> Rows:
    """Rows of the benchmarks that were measured."""
    sections: dict[str, Callable[[Mapping[str, Any]], Rows]] = {
        "throughput": _throughput_rows,
        "latency": _latency_rows,
        "capacity": _capacity_rows,
        "memory": _memory_rows,
        "scaled": _scaled_rows,
    }
    return [row for name, make in sections.items() if name in figures for row in make(figures)]


def _throughput_rows(figures: Mapping[str, Any]) -> Rows:
    single = next(
        each
        for each in (Throughput(**result) for result in figures["throughput"])
        if each.workload == WORKLOAD and each.cores == 1
    )
    return [(f"frames per second and core, bus to database ({WORKLOAD})", f"{single.chain:.0f}")]


def _latency_rows(figures: Mapping[str, Any]) -> Rows:
    live = [LiveLatency(**result) for result in figures["latency"]][-1]
    what = f"latency from capture to database, {live.cameras} cameras at {FPS:g} frames/s, median and 95 %"
    return [(what, _latency(live))]


def _capacity_rows(figures: Mapping[str, Any]) -> Rows:
    held = find_capacity([LiveLatency(**result) for result in figures["capacity"]])
    cores = figures["machine"]["cores"]
    return [(f"cameras at {FPS:g} frames/s within {LIMIT_MS:g} ms on {cores} cores", str(held))]


def _memory_rows(figures: Mapping[str, Any]) -> Rows:
    memory = Memory(**figures["memory"])
    minutes = memory.seconds[-1] / 60
    return [(f"memory after {minutes:.0f} minutes with {memory.cameras} cameras", f"{memory.last_mb:.0f} MB")]


def _scaled_rows(figures: Mapping[str, Any]) -> Rows:
    scaled = ScaledMode.from_figures(figures["scaled"])
    one, *more = scaled.throughput
    live = scaled.latency
    return [
        (
            "scaled mode (Kafka, PostgreSQL): rate of one worker, of that of embedded mode",
            f"{one.rate / one.embedded:.0%}",
        ),
        *(
            (f"scaled mode: rate of {each.workers} workers, times that of one", f"{each.rate / one.rate:.2f}")
            for each in more
        ),
        (
            f"scaled mode: latency from capture to database, {live.cameras} cameras, median and 95 %",
            _latency(live),
        ),
    ]


def _latency(live: LiveLatency | ScaledLatency) -> str:
    return f"{live.p50_ms:.0f} and {live.p95_ms:.0f} ms"


def _share(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.1%} ({figure['low']:.1%} to {figure['high']:.1%}, n = {figure['n']})"


if __name__ == "__main__":
    for path, text in render_documents(ROOT).items():
        path.write_text(text)
