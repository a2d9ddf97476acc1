"""The page that tells the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks import many
from benchmarks.latency import FPS, LEAST_SHARE, LIMIT_MS, WORKLOAD, most_held
from benchmarks.live import Live
from benchmarks.markdown import table
from benchmarks.memory import Memory
from benchmarks.stages import Stage
from benchmarks.throughput import Throughput

CHART = "images/benchmarks.png"

_HEAD = f"""# Benchmarks

`make bench` measures the machine on which it runs and writes this page; the figures themselves are in
[benchmarks.json](benchmarks.json). Every measurement runs in a process of its own, bound to the cores that
it names. Frames are real clips: a woman and a man side by side (640x480, both always in view), and three
people who walk up and stop (640x360).

![Throughput, latency and memory]({CHART})
"""
_THROUGHPUT = """## Throughput

Frames per second. The kernels are JPEG decoding, detector and classifier with nothing around them; from the
bus to rows come tracking, pooling, counting and the database; from a video to rows also the video's decoding
and the JPEG encoding. In brackets: of the kernels' rate.
"""
_STAGES = f"""## Stages

Milliseconds per frame on one core, each stage by itself ({WORKLOAD}).
"""
_LATENCY = f"""## Latency

Milliseconds from the capture of a frame to the commit of what was seen in it: cameras at {FPS:g} frames per
second, all in one process, video decoding included ({WORKLOAD}, SQLite).
"""
_CAPACITY = f"""## Capacity

**{{held}} cameras** at {FPS:g} frames per second are held in one process: 95 % of frames are rows within
{LIMIT_MS:g} ms, and at least {LEAST_SHARE:.0%} of the wanted frames become rows. What was tried:
"""
_MEMORY = """## Memory

Resident memory of `mien run` without its dashboard, {cameras} cameras at {fps:g} frames per second for
{minutes:.1f} minutes.
"""


def markdown(figures: Mapping[str, Any]) -> str:
    """The page for what was measured; sections that were not are left out."""
    sections: dict[str, Callable[[Any], str]] = {
        "throughput": _throughput,
        "stages": _stages,
        "latency": _latency,
        "capacity": _capacity,
        "scaled": many.markdown,
        "memory": _memory,
    }
    parts = [_HEAD, _machine(figures)]
    parts += [write(figures[name]) for name, write in sections.items() if name in figures]
    return "\n".join(parts)


def _machine(figures: Mapping[str, Any]) -> str:
    machine = figures["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    models = ", ".join(f"{name} {digest}" for name, digest in machine["models"].items())
    int8 = "with" if machine["int8"] else "without"
    rows = [
        ("processor", f"{machine['cpu']}, {machine['cores']} cores, {int8} INT8 dot products"),
        ("memory", f"{machine['memory_gb']:.1f} GiB"),
        ("system", f"{machine['system']}, Python {machine['python']}"),
        ("packages", packages),
        ("models", models),
        ("date", figures["date"]),
        ("load before", f"{figures['load']:.2f} processes"),
    ]
    return _section("## Machine\n", table(("", ""), rows))


def _throughput(results: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for each in (Throughput(**result) for result in results):
        chain, whole = (f"{rate:.0f} ({rate / each.floor:.0%})" for rate in (each.chain, each.whole))
        rows.append((each.workload, each.cores, f"{each.floor:.0f}", chain, whole))
    head = ("frames", "cores", "kernels alone", "bus to rows", "video to rows")
    return _section(_THROUGHPUT, table(head, rows))


def _stages(results: Sequence[Mapping[str, Any]]) -> str:
    stages = [Stage(**result) for result in results]
    total = sum(stage.milliseconds for stage in stages)
    rows = [(each.name, f"{each.milliseconds:.2f}", f"{each.milliseconds / total:.0%}") for each in stages]
    rows.append(("all", f"{total:.2f}", "100%"))
    return _section(_STAGES, table(("stage", "ms", "share"), rows))


def _latency(results: Sequence[Mapping[str, Any]]) -> str:
    return _section(_LATENCY, _loads(Live(**result) for result in results))


def _capacity(results: Sequence[Mapping[str, Any]]) -> str:
    loads = [Live(**result) for result in results]
    return _section(_CAPACITY.format(held=most_held(loads)), _loads(loads))


def _loads(loads: Iterable[Live]) -> str:
    head = ("cameras", "p50", "p95", "p99", "frames stored", "of those wanted", "cores busy")
    rows = [
        (
            each.cameras,
            f"{each.p50_ms:.0f}",
            f"{each.p95_ms:.0f}",
            f"{each.p99_ms:.0f}",
            each.stored,
            f"{each.share:.1%}",
            f"{each.cores_busy:.2f}",
        )
        for each in loads
    ]
    return table(head, rows)


def _memory(result: Mapping[str, Any]) -> str:
    memory = Memory(**result)
    rows = [
        ("settled, after a tenth of the time", f"{memory.settled_mb:.0f} MB"),
        ("at the end", f"{memory.last_mb:.0f} MB"),
        ("most", f"{max(memory.resident_mb):.0f} MB"),
        ("frames that became rows", f"{memory.analysed}"),
        ("database", f"{memory.database_mb:.1f} MB"),
    ]
    text = _MEMORY.format(cameras=memory.cameras, fps=memory.fps, minutes=memory.seconds[-1] / 60)
    return _section(text, table(("", ""), rows))


def _section(text: str, body: str) -> str:
    return f"{text}\n{body}"
