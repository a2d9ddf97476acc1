"""Every frame counts exactly once, as what became of it: nothing lost, doubled or invented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.cameras import CAMERAS, Studio
from tests.chaos.ground import Stage
from tests.chaos.log import Log, read_log


@dataclass
class Verdict:
    """The counts of one scenario over all cameras, and what speaks against it.

    `lost`: frames that were captured or acknowledged and that no row counts; `doubled`: frames that rows
    count beyond those captured, or beyond those in Kafka. `log_doubles`: records that were sent again.
    """

    produced: int
    acknowledged: int
    in_log: int
    analysed: int
    stale: int
    failed: int
    dropped: Mapping[str, int]
    log_doubles: int
    lost: int
    doubled: int
    violations: list[str] = field(default_factory=list)


def judge(stage: Stage, studio: Studio, poison: Mapping[str, int] | None = None) -> Verdict:
    """Compare what was published, what Kafka has and what the database counts, camera by camera.

    `poison`: records that can never be processed and name a camera, to be counted as failed.
    """
    log = read_log(stage.cluster, studio.recording.epoch)
    counted = stage.counted()
    violations = []
    lost = doubled = 0
    for camera in CAMERAS:
        rows = counted.get(camera, {})
        expected = len(log.frames[camera]) + (poison or {}).get(camera, 0)
        results = sum(rows.get(name, 0) for name in ("analysed", "stale", "failed"))
        ends = results + rows.get("dropped", 0)
        beginnings = len(studio.recording.captured_at[camera]) + (poison or {}).get(camera, 0)
        vanished = len(studio.acknowledged[camera] - set(log.frames[camera]))
        lost += max(expected - results + vanished, beginnings - ends, 0)
        doubled += max(results - expected, ends - beginnings, 0)
        violations += [f"camera {camera}: {each}" for each in _of_camera(camera, rows, log, studio, poison)]
    violations += _of_positions(stage, log)
    sound, said = stage.is_sound()
    violations += [] if sound else [f"mien db check: {' '.join(said.split())}"]
    drops = sum(studio.drops.values(), Counter())
    return Verdict(
        produced=len(studio.recording),
        acknowledged=sum(map(len, studio.acknowledged.values())),
        in_log=sum(map(len, log.frames.values())),
        analysed=_total(counted, "analysed"),
        stale=_total(counted, "stale"),
        failed=_total(counted, "failed"),
        dropped=dict(drops),
        log_doubles=log.doubled,
        lost=lost,
        doubled=doubled,
        violations=violations,
    )


def _of_camera(
    camera: str, rows: Mapping[str, int], log: Log, studio: Studio, poison: Mapping[str, int] | None
) -> list[str]:
    published = len(studio.recording.captured_at[camera])
    acknowledged, drops = studio.acknowledged[camera], studio.drops[camera]
    in_log, late = set(log.frames[camera]), log.late[camera]
    bad = (poison or {}).get(camera, 0)
    results = {name: rows.get(name, 0) for name in ("captured", "analysed", "stale", "failed", "dropped")}
    counted = results["analysed"] + results["stale"] + results["failed"]
    ends = counted - bad + results["dropped"]
    holds = {
        f"{results['captured']} captured, {ends} analysed, stale, failed or dropped": (
            results["captured"] == ends
        ),
        f"{published} published, {len(acknowledged)} acknowledged + {drops.total()} dropped": (
            published == len(acknowledged) + drops.total()
        ),
        f"{len(acknowledged - in_log)} acknowledged frames are not in Kafka": acknowledged <= in_log,
        f"{len(in_log - acknowledged)} frames in Kafka were never acknowledged": in_log <= acknowledged,
        f"{len(late)} frames came to Kafka after younger ones": not late,
        f"{len(in_log | late)} in Kafka, some of them never published": (
            in_log | late <= set(range(published))
        ),
        f"{len(in_log)} in Kafka and {bad} of no use, {counted} counted in the database": (
            counted == len(in_log) + bad
        ),
        f"{bad} of no use, {results['failed']} counted as failed": results["failed"] == bad,
        f"{published} published, {results['captured']} counted as captured": results["captured"] == published,
        f"{drops.total()} dropped, {results['dropped']} counted so": results["dropped"] == drops.total(),
    }
    return [what for what, fine in holds.items() if not fine]


def _of_positions(stage: Stage, log: Log) -> list[str]:
    wrong = []
    if any(log.first.values()):
        wrong.append(f"Kafka deleted records meanwhile: {log.first}")
    found: dict[Any, Any] = dict(
        stage.rows(f"select partition, next_offset from offsets where topic = '{stage.cluster.topic}'")
    )
    if found != log.ends:
        wrong.append(f"positions are {found}, the log ends at {log.ends}")
    return wrong


def _total(counted: Mapping[str, Mapping[str, int]], name: str) -> int:
    return sum(rows[name] for rows in counted.values())
