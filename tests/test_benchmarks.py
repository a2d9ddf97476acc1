"""Each benchmark, run shortly: figures that make sense, and a page that tells them."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import clips, latency, machine, memory, report, stages, throughput
from benchmarks.isolation import on_cores
from benchmarks.latency import LIMIT_MS, Times
from benchmarks.live import Live
from benchmarks.memory import Memory
from benchmarks.throughput import Throughput


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("MIEN_DATA")
    if not folder:
        pytest.skip("MIEN_DATA names no folder with the clips")
    return Path(folder)


def live(cameras: int, p95_ms: float, stored: int = 100) -> Live:
    return Live(cameras, 5.0, p95_ms / 2, p95_ms, p95_ms, stored, 100, 0.5)


def figures() -> dict[str, object]:
    soak = Memory(8, 5.0, [float(t) for t in range(100)], [200.0] * 50 + [210.0] * 50, 4000, 1.5)
    return {
        "machine": machine.describe().json(),
        "date": "2026-01-31",
        "load": 0.1,
        "throughput": [asdict(Throughput("two faces, 640x480", 1, 300, 120.0, 108.0, 90.0))],
        "stages": [asdict(stages.Stage("decode", 0.5)), asdict(stages.Stage("detect", 1.5))],
        "latency": [asdict(live(1, 20))],
        "capacity": [asdict(live(4, 30)), asdict(live(8, 60)), asdict(live(16, 900))],
        "memory": asdict(soak),
    }


def test_a_measurement_has_a_process_and_cores_of_its_own() -> None:
    assert len(on_cores(1, os.sched_getaffinity, 0)) == 1
    assert on_cores(1, os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="100000 cores: this machine has"):
        on_cores(100_000, os.getpid)


def test_the_clips_show_what_they_say(data: Path, tmp_path: Path) -> None:
    pair, walking = clips.two_faces(data), clips.walking(data)
    assert {frame.shape for frame in pair} == {(480, 640)}
    assert {frame.shape for frame in walking} == {(360, 640)}
    video = cv2.VideoCapture(str(clips.write_video(pair, 150, tmp_path / "clip.mp4")))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 150
    assert video.get(cv2.CAP_PROP_FPS) == clips.FPS
    decoded = cv2.imdecode(np.frombuffer(clips.jpegs(pair, 200, 85)[len(pair)], np.uint8), 0)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - pair[0]).mean() < 3


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"head-pose-face-detection-female.mp4: no clip there"):
        clips.two_faces(tmp_path)


def test_throughput(data: Path) -> None:
    results = throughput.measure(data, [1], frames=24, repeats=1)
    assert [each.workload for each in results] == list(clips.WORKLOADS)
    for each in results:
        assert 0.2 < each.floor < 5000
        assert 0.2 < each.whole < 10 * each.floor
        assert 0.2 < each.chain < 10 * each.floor


def test_stages(data: Path) -> None:
    measured = {each.name: each.milliseconds for each in stages.measure(data, latency.WORKLOAD, 24, 1)}
    assert list(measured) == [
        "read the video",
        "grey, JPEG",
        "bus",
        "decode",
        "detect",
        "track, crop, pool",
        "classify",
        "store",
    ]
    assert all(0 < milliseconds < 5000 for milliseconds in measured.values())
    assert measured["detect"] > 0.2, "no network looks at 300,000 pixels in less"


def test_latency(data: Path) -> None:
    (result,) = latency.latency(data, 1, [2], Times(2, 4))
    assert 0 < result.p50_ms <= result.p95_ms <= result.p99_ms
    assert 0 < result.share <= 1.5
    assert abs(result.wanted - 2 * 5 * 4) <= 10
    assert 0 < result.cores_busy < 1.5


def test_the_search_ends_between_held_and_not_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(latency, "write_clip", lambda *_: tmp_path)
    tried: list[int] = []

    def run(_video: Path, _cores: int, cameras: int, _times: Times) -> Live:
        tried.append(cameras)
        return live(cameras, 100 if cameras <= limit else 2 * LIMIT_MS)

    monkeypatch.setattr(latency, "_run", run)
    for limit in (0, 1, 3, 4, 13, 30, 31, 32, 100):
        tried.clear()
        results = latency.capacity(tmp_path, 1, 64, Times(0, 0))
        held = latency.most_held(results)
        assert held <= limit
        assert held >= min(limit, 64) * 0.93 - 1e-9
        assert len(tried) == len(set(tried)) <= 10
        assert [each.cameras for each in results] == sorted(tried)


def test_a_load_that_loses_frames_is_not_held() -> None:
    assert latency.is_held(live(4, 100))
    assert not latency.is_held(live(4, 100, stored=90))
    assert not latency.is_held(live(4, LIMIT_MS))


def test_memory(data: Path) -> None:
    result = memory.measure(data, cameras=2, seconds=10, every_s=0.5)
    assert len(result.seconds) == len(result.resident_mb) > 5
    assert 50 < result.last_mb < 2000
    assert result.analysed > 0
    assert result.database_mb > 0


def test_memory_settles_after_the_first_tenth() -> None:
    soak = Memory(1, 5.0, [float(t) for t in range(100)], [50.0] * 10 + [200.0] * 80 + [230.0] * 10, 1, 1.0)
    assert (soak.settled_mb, soak.last_mb) == (200.0, 230.0)


def test_an_early_end_says_why(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "write_clip", lambda *_: tmp_path / "missing.mp4")
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="mien run ended with"):
        memory.measure(data, cameras=1, seconds=100, every_s=0.5)
    assert time.monotonic() - began < 90


def test_the_page_tells_every_figure(tmp_path: Path) -> None:
    command.write(figures(), tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| two faces, 640x480 | 1 | 120 | 108 (90%) | 90 (75%) |" in page
    assert "| decode | 0.50 | 25% |" in page
    assert "**8 cameras** at 5 frames per second" in page
    assert "| 16 | 450 | 900 | 900 | 100 | 100.0% | 0.50 |" in page
    assert "| settled, after a tenth of the time | 200 MB |" in page
    assert machine.describe().cpu in page
    picture = cv2.imread(str(tmp_path / report.CHART))
    assert picture is not None
    assert picture.shape[1] > 1000
    assert json.loads((tmp_path / "benchmarks.json").read_text()) == figures()


def test_a_page_of_some_benchmarks_leaves_the_rest_out() -> None:
    some = {name: figures()[name] for name in ("machine", "date", "load", "stages")}
    page = report.markdown(some)
    assert "## Stages" in page
    assert "## Memory" not in page
