"""The page docs/benchmarks.md, rendered from the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks import figures as dashboard_figures
from benchmarks import idle, presence, scaled_mode, viewers
from benchmarks.latency import FPS, LIMIT_MS, MIN_SHARE, WORKLOAD, find_capacity
from benchmarks.live import LiveLatency
from benchmarks.markdown import render_table
from benchmarks.memory import Memory
from benchmarks.stages import Stage
from benchmarks.throughput import Throughput
from inference.model_file import MODELS, read_checksums

CHART = "images/benchmarks.png"

_HEAD = f"""# Benchmarks

`make bench` measures the present machine and writes this page; the figures are also in
[benchmarks.json](figures/benchmarks.json). Each measurement runs in a separate process, bound to the number
of cores that is given with it. The frames are from real clips: a woman and a man side by side (640x480, both
always in view), and three people who approach and stop (640x360).

![Throughput, latency and memory]({CHART})
"""
_THROUGHPUT = """## Throughput

Frames per second. The kernels are JPEG decoding, detector and classifier alone. "Bus to database" adds the
bus, tracking, pooling, counting and the database; "video to database" also adds video decoding and JPEG
encoding. The share of the kernels' rate is in brackets.
"""
_STAGES = f"""## Stages

Milliseconds per frame on one core, each stage measured separately ({WORKLOAD}).
"""
_LATENCY = f"""## Latency

Milliseconds from the capture of a frame to the commit of its results: cameras at {FPS:g} frames per second,
all in one process, including video decoding ({WORKLOAD}, SQLite).
"""
_CAPACITY = f"""## Capacity

One process sustains **{{sustained}} cameras** at {FPS:g} frames per second: 95 % of the frames are in the
database within {LIMIT_MS:g} ms, and at least {MIN_SHARE:.0%} of the requested frames are stored. All loads of
the search:
"""
_IDLE = f"""## Still scenes

Pictures in which nothing changes are not published, except one every three seconds (the motion gate). The
same number of cameras at {FPS:g} frames per second, all with people ({WORKLOAD}) and all with a still scene
with a camera's noise. The processor time of a still one is mostly that of reading the video:
"""
_MIXED = f"""
If one in {idle.BUSY_EVERY} cameras sees people, one process sustains **{{sustained}} cameras**; all
loads of the search:
"""
_PRESENCE = """## Visits that are found

People in front of the demo cameras, whose schedule is the truth, and in the clips, which a person looked at,
at each frame rate. *Found*: visits of at least a second that are found, *wrong*: further ones. Visitors of
the demo hide each other at times. Most clips last two to five seconds, so that low rates say little there.
"""
_SEATED = """
Faces of 20 to 80 pixels in front of photographs of goods, for five seconds at five frames a second, with
noise: people sway by 1 to 4 % of their size, posters do not. A person is to be one visit, a poster none.
"""
_MEMORY = """## Memory

Resident memory of `mien run` without the dashboard, with {cameras} cameras at {fps:g} frames per second for
{minutes:.1f} minutes.
"""


def render_page(figures: Mapping[str, Any]) -> str:
    """The page in Markdown; sections without figures are left out."""
    sections: dict[str, Callable[[Any], str]] = {
        "throughput": _render_throughput,
        "stages": _render_stages,
        "latency": _render_latency,
        "capacity": _render_capacity,
        "idle": _render_idle,
        "presence": _render_presence,
        "scaled": scaled_mode.render_section,
        "figures": dashboard_figures.render_section,
        "viewers": viewers.render_section,
        "memory": _render_memory,
    }
    parts = [_HEAD, _render_machine(figures)]
    parts += [render(figures[name]) for name, render in sections.items() if name in figures]
    return "\n".join(parts)


def _render_machine(figures: Mapping[str, Any]) -> str:
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
        ("load average before", f"{figures['load']:.2f} processes"),
    ]
    return _join("## Machine\n", render_table(("", ""), rows)) + _compare_models(machine["models"])


def _compare_models(measured: Mapping[str, str]) -> str:
    """A sentence where the measured models, by the start of their checksums, are not those that ship now."""
    shipped = read_checksums(MODELS)
    other = [name for name, digest in measured.items() if not shipped.get(name, "").startswith(digest)]
    if not other:
        return ""
    return f"\nMeasured with earlier models than those that ship now: {', '.join(other)}.\n"


def _render_throughput(results: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for each in (Throughput(**result) for result in results):
        chain, whole = (f"{rate:.0f} ({rate / each.floor:.0%})" for rate in (each.chain, each.whole))
        rows.append((each.workload, each.cores, f"{each.floor:.0f}", chain, whole))
    head = ("frames", "cores", "kernels alone", "bus to database", "video to database")
    return _join(_THROUGHPUT, render_table(head, rows))


def _render_stages(results: Sequence[Mapping[str, Any]]) -> str:
    stages = [Stage(**result) for result in results]
    total = sum(stage.milliseconds for stage in stages)
    rows = [(each.name, f"{each.milliseconds:.2f}", f"{each.milliseconds / total:.0%}") for each in stages]
    rows.append(("all", f"{total:.2f}", "100%"))
    return _join(_STAGES, render_table(("stage", "ms", "share"), rows))


def _render_latency(results: Sequence[Mapping[str, Any]]) -> str:
    return _join(_LATENCY, _render_loads(LiveLatency(**result) for result in results))


def _render_capacity(results: Sequence[Mapping[str, Any]]) -> str:
    loads = [LiveLatency(**result) for result in results]
    return _join(_CAPACITY.format(sustained=find_capacity(loads)), _render_loads(loads))


def _render_idle(result: dict[str, Any]) -> str:
    measured = idle.from_dict(result)
    rows = [
        (
            name,
            each.cameras,
            each.stored,
            each.analysed,
            f"{1000 * each.cores_busy / each.cameras:.1f}",
            f"{each.p95_ms:.0f}",
        )
        for name, each in (("people", measured.busy), ("still", measured.still))
    ]
    head = ("scene", "cameras", "frames", "of them analysed", "processor ms per camera and second", "p95")
    mixed = _MIXED.format(sustained=find_capacity(measured.mixed))
    return _join(_IDLE, render_table(head, rows)) + _join(mixed, _render_loads(measured.mixed))


def _render_presence(result: dict[str, Any]) -> str:
    found = presence.from_dict(result)
    rows = [
        (
            rate,
            *_render_found(found.demo[rate]),
            *_render_found(found.demo_gated[rate]),
            f"{found.demo_gated[rate].published:.0%}",
            *_render_found(found.clips[rate]),
            *_render_found(found.clips_gated[rate]),
        )
        for rate in found.demo
    ]
    head = (
        "frames per second",
        *("demo: found", "wrong"),
        *("with the gate: found", "wrong", "published"),
        *("clips: found", "wrong"),
        *("with the gate: found", "wrong"),
    )
    seated = [
        (name, each.visits or "-", each.found if each.visits else "-", each.wrong)
        for name, each in found.seated.items()
    ]
    return "".join(
        (
            _join(_PRESENCE, render_table(head, rows)),
            _join(_SEATED, render_table(("", "visits", "found", "wrong"), seated)),
        )
    )


def _render_found(found: presence.Found) -> tuple[str, str]:
    return f"{found.found} of {found.visits}", str(found.wrong)


def _render_loads(loads: Iterable[LiveLatency]) -> str:
    head = ("cameras", "p50", "p95", "p99", "frames stored", "of those requested", "cores busy")
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
    return render_table(head, rows)


def _render_memory(result: Mapping[str, Any]) -> str:
    memory = Memory(**result)
    rows = [
        ("after a tenth of the time", f"{memory.settled_mb:.0f} MB"),
        ("at the end", f"{memory.last_mb:.0f} MB"),
        ("maximum", f"{max(memory.resident_mb):.0f} MB"),
        ("frames stored", f"{memory.analysed}"),
        ("database", f"{memory.database_mb:.1f} MB"),
    ]
    text = _MEMORY.format(cameras=memory.cameras, fps=memory.fps, minutes=memory.seconds[-1] / 60)
    return _join(text, render_table(("", ""), rows))


def _join(text: str, body: str) -> str:
    return f"{text}\n{body}"
