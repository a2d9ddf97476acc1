"""`mien run` serves the metrics and the liveness that `mien ingest` and `mien work` serve."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from pathlib import Path

from mien.metrics import Metrics
from tests.support.processes import free_port, running

PATIENCE_S = 90.0


def fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return ""


def test_a_run_serves_the_metrics_of_scaled_mode(tmp_path: Path) -> None:
    port = free_port()
    wanted = (
        'camera="entrance",outcome="captured"',
        'camera="entrance",outcome="analysed"',
        r'mien_cameras\{state="online"\} 1\.0',
        r'mien_lag_records\{partition="0"\}',
        "mien_inference_seconds_count [1-9]",
        "mien_capture_to_row_seconds_count [1-9]",
    )
    with running(
        tmp_path,
        *("run", "--source", "demo://entrance", "--no-dashboard"),
        variables={"MIEN_HEALTH_PORT": str(port)},
    ) as process:
        deadline, text = time.monotonic() + PATIENCE_S, ""
        while not all(re.search(each, text) for each in wanted):
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
            text = fetch(f"http://127.0.0.1:{port}/metrics")
        assert fetch(f"http://127.0.0.1:{port}/healthz") == "alive\n"
    names = {metric.name for metric in Metrics().registry.collect()}
    assert {name.removesuffix("_total") for name in re.findall(r"^# TYPE (\w+)", text, re.M)} >= names
