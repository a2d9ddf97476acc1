"""Many machines' mode on this one, with a real broker and PostgreSQL, and the page's section about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from benchmarks import fleet, scaled, sizing
from benchmarks.fleet import Fleet
from benchmarks.latency import LIMIT_MS, WORKLOAD, Times
from benchmarks.markdown import table
from benchmarks.scaled import Scaled
from benchmarks.servers import servers
from benchmarks.sizing import Sizing

_CLIENTS = ("kafka-python", "psycopg")

_HEAD = """## Many machines

`mien work` and `mien ingest` as processes around a broker and a database that is as durable as it is by
default, all on this machine: {versions}.

Frames per second ({workload}): the frames wait in the topic, each worker has a partition and a core of
its own. Broker and database have the cores that are left, or share the workers' where none is. Embedded mode:
the same frames from bus to rows in one process on as many cores, with SQLite. Goals: one worker reaches 85 %
of embedded mode, two are 1.8 times one. Milliseconds are processor time of one frame.
"""
_LIVE = """
Milliseconds from the capture of a frame to the commit of what was seen in it, {cameras} cameras at {fps:g}
frames per second through one `mien ingest` and {workers} `mien work`, all on the same cores as broker and
database (goal: 95 % within {limit:g} ms):
"""
_COST = """
Processor time of each frame there, in milliseconds (ingest decodes the cameras' video, too):
"""
_SIZE = """
What a camera leaves behind is in [operations.md](operations.md#sizing).
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: frames per worker, cameras at once, hours of the filled database."""

    frames: int
    repeats: int
    live: Times
    cameras: int
    hours: int


@dataclass(frozen=True, slots=True)
class Many:
    """All figures of many machines' mode. `versions`: of servers and clients, by name."""

    versions: dict[str, str]
    throughput: list[Scaled]
    latency: Fleet
    sizing: Sizing

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> Self:
        """From plain data."""
        return cls(
            figures["versions"],
            [Scaled(**each) for each in figures["throughput"]],
            Fleet(**figures["latency"]),
            Sizing(**figures["sizing"]),
        )


def measure(data: Path, counts: Sequence[int], plan: Plan) -> Many:
    """Measure it; `counts` are the numbers of workers, the largest that of the live cameras, too.

    Raises:
        Unavailable: broker or database cannot be had here.
        TimeoutError, RuntimeError: something does not work.
    """
    with servers() as both:
        return Many(
            both.versions | {name: version(name) for name in _CLIENTS},
            scaled.measure(both, data, WORKLOAD, counts, plan.frames, plan.repeats),
            fleet.measure(both, data, plan.cameras, counts[-1], plan.live),
            sizing.measure(both, data, plan.hours),
        )


def markdown(figures: Mapping[str, Any]) -> str:
    """The section."""
    many = Many.of(figures)
    versions = ", ".join(f"{name} {number}" for name, number in many.versions.items())
    live = many.latency
    parts = [
        _HEAD.format(versions=versions, workload=many.throughput[0].workload),
        _rates(many.throughput),
        _LIVE.format(cameras=live.cameras, fps=live.fps, workers=live.workers, limit=LIMIT_MS),
        _live(live),
        _COST,
        table(list(live.cpu_ms), [[f"{each:.2f}" for each in live.cpu_ms.values()]]),
        _SIZE,
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _rates(results: Sequence[Scaled]) -> str:
    head = ("workers", "cores left", "frames/s", "embedded", "of embedded", "of one worker")
    costs = ("embedded, ms", *(f"{name}, ms" for name in results[0].cpu_ms))
    rows = [
        (
            each.workers,
            each.spare,
            f"{each.rate:.0f}",
            f"{each.embedded:.0f}",
            f"{each.rate / each.embedded:.0%}",
            f"{each.rate / results[0].rate:.2f}",
            *(f"{cost:.2f}" for cost in (each.embedded_ms, *each.cpu_ms.values())),
        )
        for each in results
    ]
    return table((*head, *costs), rows)


def _live(live: Fleet) -> str:
    head = ("p50", "p95", "p99", "frames stored", "of those wanted", "too old")
    row = (
        f"{live.p50_ms:.0f}",
        f"{live.p95_ms:.0f}",
        f"{live.p99_ms:.0f}",
        live.stored,
        f"{live.share:.1%}",
        live.stale,
    )
    return table(head, [row])
