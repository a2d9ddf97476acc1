from __future__ import annotations

import sqlalchemy as sa

from bus.messages import MINUTE_US, CameraHealth, CameraMinute, CameraState
from storage.health import Condition, cameras
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import T0

SECOND = 1_000_000
NOW = T0 + 3 * 60 * MINUTE_US


def said(camera: str, state: CameraState, reason: str = "", age: float = 1, **more: float) -> CameraHealth:
    at = NOW - round(age * SECOND)
    values = {"fps": 4.9, "last_frame_at": at, "reconnects": 2} | more
    return CameraHealth(camera, state, reason, since=at - MINUTE_US, reported_at=at, **values)  # type: ignore[arg-type]


def test_each_camera_says_how_it_is_doing(engine: sa.Engine) -> None:
    registry, writer = CameraRegistry(engine), Writer(engine)
    registry.add(CameraRow("door", "rtsp://door", name="Front door", site="Bern", zone="entrance", fps=5))
    for camera in ("aisle", "clip", "lost", "paused", "silent", "unborn"):
        registry.add(CameraRow(camera, "0"))
    registry.pause("paused", "repainting")
    writer.report(said("door", CameraState.ONLINE))
    writer.report(said("aisle", CameraState.CONNECTING))
    writer.report(said("lost", CameraState.RETRYING, "connection refused"))
    writer.report(said("clip", CameraState.ENDED, "end of the recording", age=3600))
    writer.report(said("paused", CameraState.ONLINE))
    writer.report(said("silent", CameraState.ONLINE, age=60))
    found = {each.camera_id: each for each in cameras(engine, NOW)}
    assert list(found) == ["aisle", "clip", "door", "lost", "paused", "silent", "unborn"]
    assert {name: each.condition for name, each in found.items()} == {
        "aisle": Condition.CONNECTING,
        "clip": Condition.ENDED,
        "door": Condition.ONLINE,
        "lost": Condition.RETRYING,
        "paused": Condition.PAUSED,
        "silent": Condition.SILENT,
        "unborn": Condition.SILENT,
    }
    door = found["door"]
    assert (door.name, door.site, door.zone) == ("Front door", "Bern", "entrance")
    assert (door.fps, door.fps_expected, door.reconnects) == (4.9, 5.0, 2)
    assert door.last_frame_at == NOW - SECOND
    assert door.since == NOW - SECOND - MINUTE_US
    assert found["aisle"].name == "aisle", "the id where there is no name"
    assert found["lost"].reason == "connection refused"
    assert found["paused"].reason == "repainting"
    assert found["silent"].fps == 0, "the last rate says nothing of now"
    assert found["silent"].since == NOW - 60 * SECOND
    assert "mien run" in found["silent"].reason
    assert found["unborn"].since is None
    assert {name for name, each in found.items() if each.condition.down} == {"lost", "silent", "unborn"}
    assert {name for name, each in found.items() if not each.condition.expected} == {"clip", "paused"}


def test_frames_of_the_last_hour(engine: sa.Engine) -> None:
    CameraRegistry(engine).add(CameraRow("door", "0"))
    writer = Writer(engine)
    for minutes_ago, factor in ((61, 1000), (59, 1), (0, 10)):
        writer.count(
            CameraMinute(
                "door",
                NOW - minutes_ago * MINUTE_US,
                captured=10 * factor,
                analysed=4 * factor,
                stale=2 * factor,
                failed=factor,
                age_sum_us=4 * factor * 80_000,
                dropped={"full": 2 * factor, "resized": factor},
            )
        )
    (door,) = cameras(engine, NOW)
    assert (door.captured, door.analysed, door.stale, door.failed) == (110, 44, 22, 11)
    assert door.dropped == {"full": 22, "resized": 11}
    assert door.frame_age_us == 80_000


def test_a_camera_without_frames(engine: sa.Engine) -> None:
    assert cameras(engine, NOW) == []
    CameraRegistry(engine).add(CameraRow("door", "0"))
    (door,) = cameras(engine, NOW)
    assert (door.captured, door.dropped, door.frame_age_us, door.last_frame_at) == (0, {}, None, None)
