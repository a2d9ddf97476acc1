from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MINUTE_US, CameraHealth, CameraMinute, CameraState
from common.access import LOCAL
from storage.camera_status import Condition, read_camera_status
from storage.leases import CameraLeases
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import T0

SECOND = 1_000_000
NOW = T0 + 3 * 60 * MINUTE_US


def report(camera: str, state: CameraState, reason: str = "", age: float = 1, **more: float) -> CameraHealth:
    at = NOW - round(age * SECOND)
    values = {"fps": 4.9, "last_frame_at": at, "reconnects": 2} | more
    return CameraHealth(camera, state, reason, since=at - MINUTE_US, reported_at=at, **values)  # type: ignore[arg-type]


def test_each_camera_has_a_condition_with_its_reason(engine: sa.Engine) -> None:
    registry, writer = CameraRegistry(engine), Writer(engine)
    front = CameraRow("door", "rtsp://door", name="Front door", site="Bern", zone="entrance", fps=5)
    registry.add(LOCAL, front)
    for camera in ("aisle", "lost", "paused", "silent", "unstarted"):
        registry.add(LOCAL, CameraRow(camera, "0"))
    registry.add(LOCAL, CameraRow("clip", "/clips/aisle.mp4"))
    registry.pause(LOCAL, "paused", "repainting")
    writer.report(report("door", CameraState.ONLINE))
    writer.report(report("aisle", CameraState.CONNECTING))
    writer.report(report("lost", CameraState.RETRYING, "connection refused"))
    writer.report(report("clip", CameraState.ENDED, "end of the recording", age=3600))
    writer.report(report("paused", CameraState.ONLINE))
    writer.report(report("silent", CameraState.ONLINE, age=60))
    found = {each.camera_id: each for each in read_camera_status(engine, NOW)}
    assert list(found) == ["aisle", "clip", "door", "lost", "paused", "silent", "unstarted"]
    assert {name: each.condition for name, each in found.items()} == {
        "aisle": Condition.CONNECTING,
        "clip": Condition.ENDED,
        "door": Condition.ONLINE,
        "lost": Condition.RETRYING,
        "paused": Condition.PAUSED,
        "silent": Condition.NOT_RUNNING,
        "unstarted": Condition.NOT_RUNNING,
    }
    door = found["door"]
    assert (door.name, door.site, door.zone) == ("Front door", "Bern", "entrance")
    assert (door.fps, door.fps_expected, door.reconnects) == (4.9, 5.0, 2)
    assert door.last_frame_at == NOW - SECOND
    assert door.since == NOW - SECOND - MINUTE_US
    assert found["aisle"].name == "aisle", "the id where there is no name"
    assert found["lost"].reason == "connection refused"
    assert found["paused"].reason == "repainting"
    assert found["silent"].fps == 0, "the last rate is out of date"
    assert found["silent"].since == NOW - 60 * SECOND
    assert "mien run" in found["silent"].reason
    assert found["unstarted"].since is None
    assert {name for name, each in found.items() if each.condition.down} == {
        "lost",
        "silent",
        "unstarted",
    }
    assert {name for name, each in found.items() if not each.condition.expected} == {"clip", "paused"}


@pytest.mark.parametrize(
    ("source", "reason", "condition"),
    [
        ("97", "webcam 97 does not exist", Condition.NOT_RUNNING),
        ("rtsp://${DOOR}/1", "set the environment variable DOOR", Condition.NOT_RUNNING),
        ("${DOOR}", "set the environment variable DOOR", Condition.NOT_RUNNING),
        ("https://door/", "Mien was stopped", Condition.NOT_RUNNING),
        ("${CLIP}", "", Condition.ENDED),
        ("${CLIPS}/aisle.mp4", "", Condition.ENDED),
        ("/clips/aisle.mp4", "Mien was stopped", Condition.ENDED),
        ("/clips/aisle.mp4", "damaged video", Condition.ENDED),
    ],
)
def test_a_capture_that_has_ended_is_over_only_if_it_is_of_a_recording(
    engine: sa.Engine, source: str, reason: str, condition: Condition
) -> None:
    CameraRegistry(engine).add(LOCAL, CameraRow("door", source))
    Writer(engine).report(report("door", CameraState.ENDED, reason))
    (door,) = read_camera_status(engine, NOW)
    assert (door.condition, door.reason) == (condition, reason)
    assert door.condition.down == (condition is Condition.NOT_RUNNING)


def test_frames_of_the_last_hour(engine: sa.Engine) -> None:
    CameraRegistry(engine).add(LOCAL, CameraRow("door", "0"))
    writer = Writer(engine)
    for minutes_ago, factor in ((61, 1000), (59, 1), (0, 10)):
        writer.count(
            CameraMinute(
                "door",
                NOW - minutes_ago * MINUTE_US,
                captured=110 * factor,
                unchanged=100 * factor,
                analysed=4 * factor,
                stale=2 * factor,
                failed=factor,
                age_sum_us=4 * factor * 80_000,
                dropped={"full": 2 * factor, "resized": factor},
            )
        )
    (door,) = read_camera_status(engine, NOW)
    assert (door.captured, door.unchanged, door.analysed, door.stale, door.failed) == (1210, 1100, 44, 22, 11)
    assert door.dropped == {"full": 22, "resized": 11}
    assert door.frame_age_us == 80_000


def test_the_process_that_captures_a_camera_is_named(engine: sa.Engine) -> None:
    registry = CameraRegistry(engine)
    for camera in ("door", "till"):
        registry.add(LOCAL, CameraRow(camera, "0"))
    leases = CameraLeases(engine, shares=True)
    (token,) = leases.take({"door": None}).values()
    found = {each.camera_id: each.captured_by for each in read_camera_status(engine, NOW)}
    assert found == {"door": f"{socket.gethostname()} pid {os.getpid()}", "till": ""}
    leases.release({"door": token + 1})
    assert {each.captured_by for each in read_camera_status(engine, NOW)} == {""}


def test_a_camera_without_frames(engine: sa.Engine) -> None:
    assert read_camera_status(engine, NOW) == []
    CameraRegistry(engine).add(LOCAL, CameraRow("door", "0"))
    (door,) = read_camera_status(engine, NOW)
    assert (door.captured, door.dropped, door.frame_age_us, door.last_frame_at) == (0, {}, None, None)


def test_a_camera_outside_of_its_opening_hours_is_not_down_whether_a_process_runs_or_not(
    engine: sa.Engine,
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    registry, writer = CameraRegistry(engine), Writer(engine)
    local = datetime.fromtimestamp(NOW / 1e6, zone)
    closed = f"{local + timedelta(hours=1):%H}:00-{local + timedelta(hours=2):%H}:00"
    opened = f"{local:%H}:00-{local + timedelta(hours=1):%H}:00"
    for camera, hours in {"dark": closed, "told": closed, "late": opened, "gone": closed}.items():
        source = "/clips/aisle.mp4" if camera == "gone" else "0"
        registry.add(LOCAL, CameraRow(camera, source, open_hours=hours))
    for camera, state in {"told": CameraState.NOT_SCHEDULED, "late": CameraState.NOT_SCHEDULED}.items():
        writer.report(CameraHealth(camera, state, "", NOW - 9, NOW - 5, 0.0, None, 0))
    writer.report(CameraHealth("gone", CameraState.ENDED, "the end", NOW - 9, NOW - 5, 0.0, None, 0, 4))
    found = {each.camera_id: each for each in read_camera_status(engine, NOW, zone)}
    assert {name: each.condition for name, each in found.items()} == {
        "dark": Condition.NOT_SCHEDULED,
        "told": Condition.NOT_SCHEDULED,
        "late": Condition.CONNECTING,
        "gone": Condition.ENDED,
    }
    assert not found["dark"].condition.down
    assert not found["dark"].condition.expected
    assert found["dark"].reason.startswith("Outside of its opening hours, until ")
    assert found["gone"].recent_reconnects == 4
