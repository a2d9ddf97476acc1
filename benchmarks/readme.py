"""The README's table of figures, from what the measurements wrote: `python -m benchmarks.readme`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.latency import FPS, LIMIT_MS, WORKLOAD, most_held
from benchmarks.live import Live
from benchmarks.memory import Memory
from benchmarks.throughput import Throughput

ROOT = Path(__file__).parents[1]
BEGIN = "<!-- figures: written by `python -m benchmarks.readme`, checked by the tests -->\n"
END = "<!-- /figures -->"
CLASSIFIER, DETECTOR, SPEED = (
    "inference/models/faces.json",
    "inference/models/detector.json",
    "docs/benchmarks.json",
)

Rows = list[tuple[str, str]]


def filled(readme: str, root: Path) -> str:
    """The README's text with the table between its marks made anew from the files below `root`."""
    table = "\n".join(f"| {what} | {figure} |" for what, figure in [("", ""), ("---", "---"), *rows(root)])
    return re.sub(
        f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: f"{BEGIN}{table}\n{END}", readme, flags=re.S
    )


def rows(root: Path) -> Rows:
    """What was measured, and the figures."""
    read = {name: json.loads((root / name).read_text()) for name in (CLASSIFIER, DETECTOR, SPEED)}
    return [
        *_classifier(_running(read[CLASSIFIER])),
        *_detector(_running(read[DETECTOR])),
        *_speed(read[SPEED]),
    ]


def _running(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures of the file that most processors run, on pictures that decided nothing."""
    figures: Mapping[str, Any] = metrics.get("int8", metrics["float32"])["test"]
    return figures


def _classifier(test: Mapping[str, Any]) -> Rows:
    heads, groups = test["headline"], test["gender"]["groups"]
    worst = test["gender"]["worst_group"]
    return [
        ("expression, FER+ votes with a majority, right", _share(heads["ferplus_strict"])),
        ("expression, FER2013 PrivateTest by its own labels, right", _share(heads["fer2013"])),
        ("perceived gender, FairFace's validation part, right", _share(heads["gender"])),
        (f"the same in the group served worst ({worst})", _share(groups[worst])),
    ]


def _detector(test: Mapping[str, Any]) -> Rows:
    compared = test["compared"]
    recalls = compared["recall_at_false_per_1000_goods"]
    found = " and ".join(f"{recalls[count]['value']:.0%}" for count in ("1", "10"))
    precision = compared["average_precision"]
    between = f"{precision['low']:.2f} to {precision['high']:.2f}"
    return [
        (
            f"faces from 24 pixels on, average precision at {compared['longest_side']} pixels",
            f"{precision['value']:.2f} ({between})",
        ),
        ("faces found at 1 and at 10 false ones per 1000 photographs of goods", found),
    ]


def _speed(figures: Mapping[str, Any]) -> Rows:
    single = next(
        each
        for each in (Throughput(**result) for result in figures["throughput"])
        if each.workload == WORKLOAD and each.cores == 1
    )
    live = [Live(**result) for result in figures["latency"]][-1]
    held = most_held([Live(**result) for result in figures["capacity"]])
    memory = Memory(**figures["memory"])
    cores = figures["machine"]["cores"]
    return [
        (f"frames per second and core, bus to rows ({WORKLOAD})", f"{single.chain:.0f}"),
        (f"capture to row, {live.cameras} cameras at {FPS:g} frames/s, median and 95 %", _latency(live)),
        (f"cameras at {FPS:g} frames/s held within {LIMIT_MS:g} ms on {cores} cores", str(held)),
        (
            f"memory after {memory.seconds[-1] / 60:.0f} minutes of {memory.cameras} cameras",
            f"{memory.last_mb:.0f} MB",
        ),
    ]


def _latency(live: Live) -> str:
    return f"{live.p50_ms:.0f} and {live.p95_ms:.0f} ms"


def _share(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.1%} ({figure['low']:.1%} to {figure['high']:.1%}, n = {figure['n']})"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(filled(path.read_text(), ROOT))
