"""Tests of cameras for the dashboard: by a child process, judged as sources from a browser are."""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from common.access import LOCAL
from common.masks import make_masks
from mien.internal_server import Request
from mien.settings import Settings
from mien.wiring import probes
from mien.wiring.probes import Probes
from storage.engine import open_database
from storage.registry import CameraRegistry, CameraRow
from tests.support.mjpeg_camera import MjpegCamera


@pytest.fixture
def registry(tmp_path: Path) -> CameraRegistry:
    return CameraRegistry(open_database(f"sqlite:///{tmp_path}/mien.db"))


def create(registry: CameraRegistry, script: str | None = None) -> Probes:
    arguments = None if script is None else lambda: [sys.executable, "-c", script]
    return Probes(Settings(), registry, arguments)


def ask(tests: Probes, **wanted: Any) -> tuple[HTTPStatus, dict[str, Any]]:
    answer = tests.answer(Request({}, json.dumps(wanted).encode()))
    return answer.status, dict(answer.content)


def test_a_registered_camera_is_tested_with_its_masks_and_nothing_is_stored(
    registry: CameraRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_CAMERA_DOOR", "visitor:let-me-in")
    with MjpegCamera() as camera:
        camera.sends = cv2.imencode(".jpg", np.full((96, 128), 180, np.uint8))[1].tobytes()
        camera.login = ("visitor", "let-me-in")
        registry.add(
            LOCAL, CameraRow("door", camera.url("${MIEN_CAMERA_DOOR}@"), masks=make_masks([[0, 0, 0.5, 1]]))
        )
        before = registry.cameras()
        status, report = ask(create(registry), camera="door")
    assert status is HTTPStatus.OK
    assert report["verdict"] == "no face seen"
    assert report["fps"] > 1
    data = np.frombuffer(base64.b64decode(report["preview"]), np.uint8)
    preview = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert preview is not None
    half = preview.shape[1] // 2
    assert preview[:, : half - 8].max() < 20, "the mask is blank"
    assert preview[:, half + 8 :].max() > 60
    assert registry.cameras() == before
    assert "let-me-in" not in json.dumps({**report, "preview": ""})


@pytest.mark.parametrize("thorough", [False, True])
def test_a_registered_camera_is_searched_as_its_profile_says(
    registry: CameraRegistry, thorough: bool
) -> None:
    registry.add(LOCAL, CameraRow("door", "demo://entrance", thorough=thorough))
    status, report = ask(create(registry), camera="door")
    assert status is HTTPStatus.OK
    assert report["thorough"] is thorough
    assert ("thorough: faces are searched in tiles" in report["lines"][0]["text"]) is thorough


def test_a_source_from_a_browser_is_judged_before_anything_is_opened(registry: CameraRegistry) -> None:
    tests = create(registry, "raise SystemExit('must not run')")
    for source in ("/etc/passwd", "0", "http://127.0.0.1:8501/", "http://169.254.169.254/", "file:///x", ""):
        status, answer = ask(tests, source=source)
        assert status is HTTPStatus.BAD_REQUEST, source
        assert answer["problem"]
    status, answer = ask(tests, source="rtsp://u:hush@192.168.7.7/")
    assert status is HTTPStatus.BAD_REQUEST
    assert "hush" not in answer["problem"]
    status, answer = ask(tests, source="rtsp://192.168.7.7/s", masks=[[0, 0, 2, 2]])
    assert "outside of the picture" in answer["problem"]
    assert ask(tests, camera="attic")[1]["problem"].startswith("camera 'attic' is not registered")
    assert tests.answer(Request({}, b"[]")).status is HTTPStatus.BAD_REQUEST
    assert tests.answer(Request({}, b"{")).status is HTTPStatus.BAD_REQUEST
    assert ask(tests, source=" demo://entrance ", check=True) == (
        HTTPStatus.OK,
        {"source": "demo://entrance"},
    )


def test_a_test_that_takes_too_long_is_ended_and_only_some_run_at_once(
    registry: CameraRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "PROBE_S", 3.0)
    tests = create(registry, "import time; time.sleep(600)")
    running = [threading.Thread(target=ask, args=(tests,), kwargs={"source": "demo://x"}) for _ in range(2)]
    for each in running:
        each.start()
    while tests._free._value:  # type: ignore[attr-defined]
        time.sleep(0.01)
    assert ask(tests, source="demo://x")[0] is HTTPStatus.SERVICE_UNAVAILABLE
    for each in running:
        each.join()
    assert ask(tests, source="demo://x")[0] is HTTPStatus.GATEWAY_TIMEOUT


def test_a_test_that_breaks_is_a_problem_and_no_traceback(registry: CameraRegistry) -> None:
    status, answer = ask(create(registry, "import os; os.abort()"), source="demo://x")
    assert status is HTTPStatus.BAD_GATEWAY
    assert answer == {"problem": "the test ended without a result: try again"}
