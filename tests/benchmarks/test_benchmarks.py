"""Each benchmark, run briefly: plausible figures, and a page that contains them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import (
    clips,
    idle,
    latency,
    machine,
    memory,
    presence,
    report,
    scaled_latency,
    scaled_mode,
    sizing_table,
    stages,
    throughput,
)
from benchmarks.isolation import run_on_cores
from benchmarks.latency import LIMIT_MS, Times
from benchmarks.live import LiveLatency, Load
from benchmarks.markdown import end_mark, replace_section, start_mark
from benchmarks.memory import Memory
from benchmarks.processes import bind_to_cores, cpu_seconds, rebind
from benchmarks.scaled_latency import ScaledLatency
from benchmarks.scaled_mode import ScaledMode
from benchmarks.scaled_throughput import ScaledThroughput
from benchmarks.servers import ServersUnavailable
from benchmarks.sizing import Sizing
from benchmarks.throughput import Throughput
from tests.support.buses import KAFKA


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("MIEN_DATA")
    if not folder:
        pytest.skip("MIEN_DATA is not set to the data folder")
    return Path(folder)


def live(cameras: int, p95_ms: float, stored: int = 100) -> LiveLatency:
    return LiveLatency(cameras, 5.0, p95_ms / 2, p95_ms, p95_ms, stored, 100, 0.5)


def scaled_figures() -> ScaledMode:
    day = {"visits": 700.0, "observations": 10_000.0, "visit_minutes": 700.0, "camera_minutes": 1440.0}
    costs = {"work": 6.9, "broker": 0.3, "database": 0.41}
    return ScaledMode(
        {"Kafka": "4.0", "PostgreSQL": "16.0"},
        [
            ScaledThroughput("two faces, 640x480", 1, 1, 300, 100.0, 6.5, 95.0, costs),
            ScaledThroughput("two faces, 640x480", 2, 0, 300, 180.0, 6.5, 180.5, costs),
        ],
        ScaledLatency(16, 5.0, 2, 40.0, 90.0, 120.0, 1990, 3, 2000, {"ingest": 2.7, **costs}),
        Sizing({"two faces, 640x480": 20_000.0}, day, {name: 100.0 * rows for name, rows in day.items()}),
    )


def figures() -> dict[str, object]:
    soak = Memory(8, 5.0, [float(t) for t in range(100)], [200.0] * 50 + [210.0] * 50, 4000, 1.5)
    return {
        "machine": machine.describe_machine().to_json(),
        "date": "2026-01-31",
        "load": 0.1,
        "throughput": [asdict(Throughput("two faces, 640x480", 1, 300, 120.0, 108.0, 90.0))],
        "stages": [asdict(stages.Stage("decode", 0.5)), asdict(stages.Stage("detect", 1.5))],
        "latency": [asdict(live(1, 20))],
        "capacity": [asdict(live(4, 30)), asdict(live(8, 60)), asdict(live(16, 900))],
        "idle": asdict(idle.Idle(live(8, 20), live(8, 10), [live(32, 40), live(64, 900)])),
        "presence": presence.to_dict(
            presence.Presence(
                *({"5": presence.Found(9, 8, 1, 0.4)} for _ in range(4)),
                {"posters": presence.Found(0, 0, 2, 1)},
            )
        ),
        "scaled": asdict(scaled_figures()),
        "memory": asdict(soak),
    }


def test_a_measurement_has_its_own_process_and_cores() -> None:
    assert len(run_on_cores(1, os.sched_getaffinity, 0)) == 1
    assert run_on_cores(1, os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="100000 cores: this machine has"):
        run_on_cores(100_000, os.getpid)


def test_the_clips_have_the_documented_size_and_rate(data: Path, tmp_path: Path) -> None:
    pair, walking = clips.two_faces(data), clips.walking(data)
    assert {frame.shape for frame in pair} == {(480, 640)}
    assert {frame.shape for frame in walking} == {(360, 640)}
    video = cv2.VideoCapture(str(clips.write_video(pair, 150, tmp_path / "clip.mp4")))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 150
    assert video.get(cv2.CAP_PROP_FPS) == clips.FPS
    decoded = cv2.imdecode(np.frombuffer(clips.encode_jpegs(pair, 200, 85)[len(pair)], np.uint8), 0)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - pair[0]).mean() < 3


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"head-pose-face-detection-female.mp4: no such clip"):
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
    assert measured["detect"] > 0.2, "no network processes 300,000 pixels in less"


def test_latency(data: Path) -> None:
    (result,) = latency.measure_latency(data, 1, [2], Times(2, 4))
    assert 0 < result.p50_ms <= result.p95_ms <= result.p99_ms
    assert 0 < result.share <= 1.5
    assert abs(result.wanted - 2 * 5 * 4) <= 10
    assert 0 < result.cores_busy < 1.5


def test_the_search_ends_between_a_sustained_and_a_failed_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(latency, "write_clip", lambda *_: tmp_path)
    monkeypatch.setattr(latency, "write_still_clip", lambda *_: tmp_path)
    tried: list[int] = []

    def run(_cores: int, _measure: object, load: Load) -> LiveLatency:
        tried.append(load.cameras)
        return live(load.cameras, 100 if load.cameras <= limit else 2 * LIMIT_MS)

    monkeypatch.setattr(latency, "run_on_cores", run)
    for limit in (0, 1, 3, 4, 13, 30, 31, 32, 100):
        tried.clear()
        results = latency.measure_capacity(tmp_path, 1, 64, Times(0, 0))
        held = latency.find_capacity(results)
        assert held <= limit
        assert held >= min(limit, 64) * 0.93 - 1e-9
        assert len(tried) == len(set(tried)) <= 10
        assert [each.cameras for each in results] == sorted(tried)


def test_a_load_that_loses_frames_is_not_sustained() -> None:
    assert latency.is_sustained(live(4, 100))
    assert not latency.is_sustained(live(4, 100, stored=90))
    assert not latency.is_sustained(live(4, LIMIT_MS))


def test_memory(data: Path) -> None:
    # A busy machine needs many seconds for the start alone.
    result = memory.measure(data, cameras=2, seconds=40, every_s=0.5)
    assert len(result.seconds) == len(result.resident_mb) > 5
    assert 50 < result.last_mb < 2000
    assert result.analysed > 0
    assert result.database_mb > 0


def test_memory_settles_after_the_first_tenth() -> None:
    soak = Memory(1, 5.0, [float(t) for t in range(100)], [50.0] * 10 + [200.0] * 80 + [230.0] * 10, 1, 1.0)
    assert (soak.settled_mb, soak.last_mb) == (200.0, 230.0)


def test_an_early_end_of_the_process_is_reported_with_its_reason(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "write_clip", lambda *_: tmp_path / "missing.mp4")
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="mien run ended with"):
        memory.measure(data, cameras=1, seconds=100, every_s=0.5)
    assert time.monotonic() - began < 90


def test_cameras_with_a_still_scene_cost_less_than_a_tenth_of_the_analyses(data: Path) -> None:
    measured = idle.measure(data, 1, cameras=2, most=1, times=Times(6, 6))
    assert idle.from_dict(idle.to_dict(measured)) == measured
    assert 0 < measured.still.analysed <= 0.15 * measured.still.stored
    assert measured.busy.analysed == measured.busy.stored
    assert [each.cameras for each in measured.mixed] == [1]


def test_visits_match_the_truth_once_each() -> None:
    found = presence.match_visits(
        [(0.0, 5.0), (4.0, 9.0), (20.0, 25.0)], [(1.0, 4.0), (2.0, 8.0), (3.0, 8.0)], 0.2
    )
    assert found == (2, 1)
    assert presence.match_visits([(0.0, 1.0)], [(5.0, 5.0)], spacing=10.0) == (1, 0), "pictures are far apart"


def test_the_page_contains_every_figure(tmp_path: Path) -> None:
    command.write_page(figures(), tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| two faces, 640x480 | 1 | 120 | 108 (90%) | 90 (75%) |" in page
    assert "| decode | 0.50 | 25% |" in page
    assert "sustains **8 cameras** at 5 frames per second" in page
    assert "| 16 | 450 | 900 | 900 | 100 | 100.0% | 0.50 |" in page
    assert "one process sustains **32 cameras**" in page
    assert "| 5 | 8 of 9 | 1 | 8 of 9 | 1 | 40% | 8 of 9 | 1 | 8 of 9 | 1 |" in page
    assert "| posters | - | - | 2 |" in page
    assert "| after a tenth of the time | 200 MB |" in page
    assert "| 1 | 1 | 95 | 100 | 95% | 1.00 | 6.50 | 6.90 | 0.30 | 0.41 |" in page
    assert "| 2 | 0 | 180 | 180 | 100% | 1.90 | 6.50 | 6.90 | 0.30 | 0.41 |" in page
    assert "| 40 | 90 | 120 | 1990 | 99.5% | 3 |" in page
    assert machine.describe_machine().cpu in page
    picture = cv2.imread(str(tmp_path / report.CHART))
    assert picture is not None
    assert picture.shape[1] > 1000
    assert json.loads((tmp_path / "figures" / "benchmarks.json").read_text()) == figures()


def test_the_page_has_only_the_sections_that_were_measured() -> None:
    some = {name: figures()[name] for name in ("machine", "date", "load", "stages")}
    page = report.render_page(some)
    assert "## Stages" in page
    assert "## Memory" not in page


def test_a_benchmark_without_its_servers_is_skipped_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise ServersUnavailable("java is missing")

    monkeypatch.setattr(command, "benchmarks", lambda *_: {"scaled": missing, "stages": lambda: []})
    command.main(tmp_path, quick=True)
    assert "scaled ... skipped: java is missing" in capsys.readouterr().out


def test_the_soak_runs_only_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    suite = {name: lambda name=name: ran.append(name) for name in ("stages", "memory")}
    monkeypatch.setattr(command, "benchmarks", lambda *_: suite)
    monkeypatch.setattr(command, "write_page", lambda *_: None)
    command.main(tmp_path, out=tmp_path)
    assert ran == ["stages"]
    command.main(tmp_path, only=["memory"], out=tmp_path)
    assert ran == ["stages", "memory"]


def test_cores_megabits_and_bytes_are_computed_from_the_figures() -> None:
    page = sizing_table.render_tables(figures())
    assert "| cameras per core of `mien work` | 20 |" in page, "5 frames of 6.9 ms in 70 % of a core"
    assert "| cameras per core of `mien ingest`, video decoded | 51 |" in page
    assert "| cameras per core of broker and database | 197 |" in page
    assert "| megabits per second: two faces, 640x480 | 0.80 |" in page
    # Each camera: 6 minutes of 100 kB a second in Kafka; observations for 30 days, all else for 400.
    assert "| 64 | 4 | 1.2 | 0.3 | 51 | 2.3 | 821,760 | 9.2 |" in page
    assert "| `observations` | 10,000 | 1.00 | 30 | 30 |" in page


def test_sizes_that_were_not_measured_are_left_out() -> None:
    without = {name: each for name, each in figures().items() if name != "scaled"}
    assert "|" not in sizing_table.render_tables(without)


def test_a_quantile_is_interpolated_within_its_bucket() -> None:
    buckets = {0.1: 10.0, 0.2: 90.0, 0.5: 100.0, float("inf"): 100.0}
    assert scaled_latency.interpolate_quantile(buckets, 0.5) == pytest.approx(0.15)
    assert scaled_latency.interpolate_quantile(buckets, 0.95) == pytest.approx(0.35)
    assert scaled_latency.interpolate_quantile(buckets | {float("inf"): 200.0}, 0.95) == 0.5
    with pytest.raises(ValueError, match="no frame"):
        scaled_latency.interpolate_quantile(dict.fromkeys(buckets, 0.0), 0.95)


def test_processor_time_includes_the_children_of_a_process() -> None:
    # 0.8 of one second: the kernel truncates each time to hundredths. The times of ended children are lost if
    # SIGCHLD is ignored; the child process resets an inherited setting.
    burn = "import time\nwhile time.process_time() < 1: pass"
    child = (
        "import signal, subprocess, sys; signal.signal(signal.SIGCHLD, signal.SIG_DFL); "
        f"subprocess.run([sys.executable, '-c', {burn!r}]); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while cpu_seconds([process.pid]) < 0.8:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert process.stdin is not None
        process.stdin.close()


def test_processes_are_bound_to_the_given_cores() -> None:
    everywhere = os.sched_getaffinity(0)
    first, last = min(everywhere), max(everywhere)
    with bind_to_cores([first]), subprocess.Popen(["sleep", "60"]) as process:
        assert os.sched_getaffinity(process.pid) == {first}
        rebind([process.pid], [last])
        assert os.sched_getaffinity(process.pid) == {last}
        process.kill()
    assert os.sched_getaffinity(0) == everywhere


def test_only_the_named_section_of_a_document_is_replaced() -> None:
    document = f"before\n{start_mark('part')}old\n{end_mark('part')}\nafter {end_mark('part')}\n"
    assert replace_section(document, "part", "new\n") == document.replace("old", "new")
    with pytest.raises(ValueError, match="other"):
        replace_section(document, "other", "new")


@pytest.mark.timeout(400)
@pytest.mark.integration
@KAFKA[1]
def test_scaled_mode(data: Path) -> None:
    try:
        measured = scaled_mode.measure(
            data, [1], scaled_mode.ScaledPlan(60, 1, Times(1, 4), cameras=2, hours=1)
        )
    except ServersUnavailable as reason:
        pytest.skip(str(reason))
    (one,) = measured.throughput
    assert 0.2 < one.rate < 5000
    assert 0.2 < one.embedded < 5000
    assert one.embedded_ms > 0.5
    assert one.cpu_ms["work"] > 0.5
    live = measured.latency
    assert 0 < live.p50_ms <= live.p95_ms <= live.p99_ms
    assert 0 < live.stored <= 1.5 * live.wanted
    assert live.cpu_ms["ingest"] > 0
    assert measured.sizing.rows == {
        "visits": 720,
        "observations": pytest.approx(10_800, rel=0.1),
        "visit_minutes": pytest.approx(720, rel=0.6),
        "camera_minutes": 1440,
    }
    assert all(size > 50 * measured.sizing.rows[name] for name, size in measured.sizing.size.items())
    assert ScaledMode.from_figures(json.loads(json.dumps(asdict(measured)))) == measured
