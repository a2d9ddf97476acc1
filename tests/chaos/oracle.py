"""The oracle: every frame is counted exactly once, by its outcome; none is lost, doubled or invented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.chaos.cameras import CAMERAS, CameraGroup
from tests.chaos.environment import Deployment
from tests.chaos.poison import Poison
from tests.chaos.topic import TopicContents, read_captured_frames, read_frames

WORKER_OUTCOMES = ("analysed", "stale", "failed", "superseded")
"""How a worker can count a frame. A camera adds "unchanged" and "dropped"."""


@dataclass
class Verdict:
    """The counts of one scenario over all cameras, and every rule that they violate.

    `lost`: frames that were captured or acknowledged and that no row counts. `doubled`: frames that rows
    count beyond those captured, or beyond those in Kafka. `log_doubles`: records that were sent again.
    """

    produced: int
    acknowledged: int
    in_log: int
    analysed: int
    stale: int
    failed: int
    superseded: int
    dropped: Mapping[str, int]
    log_doubles: int
    lost: int
    doubled: int
    violations: list[str] = field(default_factory=list)


def check_counts(deployment: Deployment, cameras: CameraGroup, poison: Poison | None = None) -> Verdict:
    """Compare what was published, what Kafka holds and what the database counts, camera by camera.

    `poison`: the poison records that were sent; each must be counted as failed, or as stale.
    """
    poison = poison or Poison()
    sent, stale = poison.by_camera(), poison.stale_by_camera(deployment.cluster)
    contents = read_frames(deployment.cluster, cameras.recording.epoch)
    counts = deployment.frame_counts()
    violations = []
    lost = doubled = 0
    for camera in CAMERAS:
        rows, bad = counts.get(camera, {}), sent[camera]
        expected = len(contents.frames[camera]) + bad
        results = sum(rows.get(name, 0) for name in WORKER_OUTCOMES)
        outcomes = results + rows.get("dropped", 0)
        inputs = len(cameras.recording.captured_at[camera]) + bad
        missing = len(cameras.acknowledged[camera] - set(contents.frames[camera]))
        lost += max(expected - results + missing, inputs - outcomes, 0)
        doubled += max(results - expected, outcomes - inputs, 0)
        violations += [
            f"camera {camera}: {each}"
            for each in _check_camera(camera, rows, contents, cameras, bad, stale[camera])
        ]
    violations += _check_positions(deployment, contents)
    consistent, output = deployment.check_database()
    violations += [] if consistent else [f"mien db check: {' '.join(output.split())}"]
    drops = sum(cameras.drops.values(), Counter())
    return Verdict(
        produced=len(cameras.recording),
        acknowledged=sum(map(len, cameras.acknowledged.values())),
        in_log=sum(map(len, contents.frames.values())),
        analysed=_total(counts, "analysed"),
        stale=_total(counts, "stale"),
        failed=_total(counts, "failed"),
        superseded=_total(counts, "superseded"),
        dropped=dict(drops),
        log_doubles=contents.duplicates,
        lost=lost,
        doubled=doubled,
        violations=violations,
    )


def _check_camera(
    camera: str,
    rows: Mapping[str, int],
    contents: TopicContents,
    cameras: CameraGroup,
    bad: int,
    stale: int,
) -> list[str]:
    published = len(cameras.recording.captured_at[camera])
    acknowledged, drops = cameras.acknowledged[camera], cameras.drops[camera]
    in_topic, late = set(contents.frames[camera]), contents.late[camera]
    results = Counter(rows)
    counted = sum(results[name] for name in WORKER_OUTCOMES)
    outcomes = counted + results["unchanged"] + results["dropped"]
    rules = {
        f"{results['captured']} captured, {outcomes} with an outcome": (results["captured"] == outcomes),
        f"{published} published, {len(acknowledged)} acknowledged + {drops.total()} dropped": (
            published == len(acknowledged) + drops.total()
        ),
        f"{len(acknowledged - in_topic)} acknowledged frames are not in Kafka": acknowledged <= in_topic,
        f"{len(in_topic - acknowledged)} frames in Kafka were never acknowledged": in_topic <= acknowledged,
        f"{len(late)} frames arrived in Kafka after younger ones": not late,
        f"{len(in_topic | late)} frames in Kafka, some of them never published": (
            in_topic | late <= set(range(published))
        ),
        f"{len(in_topic)} frames and {bad} poison records in Kafka, {counted} counted in the database": (
            counted == len(in_topic) + bad
        ),
        f"{bad} poison records, {stale} of them stale, {results['failed']} counted as failed": (
            results["failed"] == bad - stale
        ),
        f"{published} published, {bad} poison records, {results['captured']} counted as captured": (
            results["captured"] == published + bad
        ),
        f"{drops.total()} dropped, {results['dropped']} counted as dropped": (
            results["dropped"] == drops.total()
        ),
    }
    return [rule for rule, holds in rules.items() if not holds]


def check_captures(deployment: Deployment, notes: list[str]) -> Verdict:
    """Compare what `mien ingest` processes published with what the database counts, camera by camera.

    What a killed process had in memory is unknown, so produced are the frames that are counted as captured,
    and acknowledged are those in Kafka. `notes` gets the number of frames that no side counts.
    """
    captured = read_captured_frames(deployment.cluster)
    counts = deployment.frame_counts()
    violations = []
    lost = doubled = unknown = 0
    for camera in CAMERAS:
        rows = Counter(counts.get(camera, {}))
        results = sum(rows[name] for name in WORKER_OUTCOMES)
        outcomes = results + rows["unchanged"] + rows["dropped"]
        in_topic = captured.count(camera)
        lost += max(in_topic - results, rows["captured"] - outcomes, 0)
        doubled += max(results - in_topic, outcomes - rows["captured"], 0)
        epochs = captured.frames[camera]
        gaps = sum(max(times) + 1 - len(times) for times in epochs.values())
        unknown += max(gaps - rows["unchanged"] - rows["dropped"], 0)
        rules = {
            f"{rows['captured']} captured, {outcomes} with an outcome": rows["captured"] == outcomes,
            f"{in_topic} frames in Kafka, {results} counted": in_topic == results,
            "two processes captured it at the same time": not _overlap(epochs),
        }
        violations += [f"camera {camera}: {rule}" for rule, holds in rules.items() if not holds]
    violations += _check_positions(deployment, captured.contents)
    consistent, output = deployment.check_database()
    violations += [] if consistent else [f"mien db check: {' '.join(output.split())}"]
    notes.append(f"{unknown} frames were dropped by processes that were killed before they stored it")
    in_log = sum(map(captured.count, CAMERAS))
    return Verdict(
        produced=_total(counts, "captured"),
        acknowledged=in_log,
        in_log=in_log,
        analysed=_total(counts, "analysed"),
        stale=_total(counts, "stale"),
        failed=_total(counts, "failed"),
        superseded=_total(counts, "superseded"),
        dropped=dict(_drops(deployment)),
        log_doubles=captured.contents.duplicates,
        lost=lost,
        doubled=doubled,
        violations=violations,
    )


def _overlap(epochs: Mapping[int, Mapping[int, int]]) -> bool:
    """Whether a frame of an epoch was captured before the last frame of an earlier one."""
    times = [(min(each.values()), max(each.values())) for _, each in sorted(epochs.items())]
    return any(first <= last for (_, last), (first, _) in pairwise(times))


def _drops(deployment: Deployment) -> Counter[str]:
    rows = deployment.rows("select reason, sum(frames)::bigint from camera_drops group by 1")
    return Counter(dict[str, int](rows))  # type: ignore[arg-type]


def _check_positions(deployment: Deployment, contents: TopicContents) -> list[str]:
    wrong = []
    if any(contents.first.values()):
        wrong.append(f"Kafka deleted records during the run: {contents.first}")
    topic = deployment.cluster.topic
    found: dict[Any, Any] = dict(
        deployment.rows(f"select partition, next_offset from offsets where topic = '{topic}'")
    )
    if found != contents.ends:
        wrong.append(f"stored positions are {found}, the partitions end at {contents.ends}")
    return wrong


def _total(counts: Mapping[str, Mapping[str, int]], name: str) -> int:
    return sum(rows[name] for rows in counts.values())
