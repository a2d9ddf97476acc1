"""The camera registry on both kinds of database."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from bus.messages import CameraHealth, CameraState
from storage import tables
from storage.engine import open_database
from storage.errors import StorageError
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import T0, observation, results, rows, visit

TILL = CameraRow("till", "rtsp://shop:${TILL_PASSWORD}@10.0.0.7/stream", "Till 1", "Main St", "exit", 5.0)


@pytest.fixture
def registry(engine: sa.Engine) -> CameraRegistry:
    return CameraRegistry(engine)


def test_what_is_added_is_listed_by_id(registry: CameraRegistry) -> None:
    door = CameraRow("door", "0")
    registry.add(TILL)
    registry.add(door)
    assert registry.cameras() == [door, TILL]
    assert registry.get("till") == TILL


def test_an_id_is_taken_once(registry: CameraRegistry) -> None:
    registry.add(TILL)
    with pytest.raises(StorageError, match="'till' exists already"):
        registry.add(replace(TILL, source="0"))
    assert registry.cameras() == [TILL]


def test_sync_adds_and_changes_and_keeps_the_rest(registry: CameraRegistry) -> None:
    other = CameraRow("other", "1")
    registry.add(TILL)
    registry.add(other)
    moved = replace(TILL, zone="entrance", fps=None)
    registry.sync([moved, CameraRow("door", "0")])
    assert registry.cameras() == [CameraRow("door", "0"), other, moved]


def test_a_pause_lasts_through_sync_until_it_is_lifted(registry: CameraRegistry) -> None:
    registry.sync([TILL])
    registry.pause("till", "stocktaking")
    registry.sync([replace(TILL, zone="entrance")])
    paused = registry.get("till")
    assert (paused.enabled, paused.pause_reason, paused.zone) == (False, "stocktaking", "entrance")
    registry.resume("till")
    assert registry.get("till") == replace(TILL, zone="entrance")


def test_a_change_is_dated(registry: CameraRegistry, engine: sa.Engine) -> None:
    registry.add(TILL)
    (before,) = rows(engine, tables.cameras)
    registry.pause("till", "stocktaking")
    (after,) = rows(engine, tables.cameras)
    assert before["created_at"] == before["changed_at"] == after["created_at"]
    assert int(str(after["changed_at"])) > int(str(before["changed_at"]))


def test_removing_a_camera_keeps_what_it_saw(registry: CameraRegistry, engine: sa.Engine) -> None:
    registry.add(TILL)
    writer = Writer(engine)
    writer.write(results([visit("v1", closed=True)], [observation("v1")]), {})
    writer.report(CameraHealth("till", CameraState.ONLINE, "", T0, T0, 5.0, T0, 0))
    registry.remove("till")
    assert registry.cameras() == []
    assert rows(engine, tables.camera_states) == []
    assert len(rows(engine, tables.visits)) == len(rows(engine, tables.observations)) == 1


@pytest.mark.parametrize("action", ["get", "resume", "remove"])
def test_an_unknown_camera_is_named(registry: CameraRegistry, action: str) -> None:
    with pytest.raises(StorageError, match="'attic' is not registered"):
        getattr(registry, action)("attic")
    with pytest.raises(StorageError, match="'attic' is not registered"):
        registry.pause("attic", "why")


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://shop:hush@10.0.0.7/stream",
        "rtsp://shop:hush%40@10.0.0.7/stream",
        "rtsp://shop:hush/@10.0.0.7/stream",
        "rtsp://:hush@10.0.0.7/stream",
        "rtsp://shop:${TILL_PASSWORD}hush@10.0.0.7/",
        "http://10.0.0.7/video?user=shop&password=hush",
        "http://10.0.0.7/video?PWD=hush&fps=5",
        "http://10.0.0.7/video;loginpassword=hush",
        "https://10.0.0.7/video?token=${TOKEN}hush",
    ],
)
def test_a_literal_password_is_refused_and_not_repeated(source: str) -> None:
    with pytest.raises(StorageError, match="source holds a password") as caught:
        CameraRow("till", source)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "0",
        "demo://2",
        "rtsp://10.0.0.7:554/stream",
        "rtsp://shop@10.0.0.7/stream",
        "rtsp://shop:${TILL_PASSWORD}@10.0.0.7:554/stream?channel=1",
        "rtsp://${TILL_USER}:${TILL_PASSWORD}@10.0.0.7/stream",
        "http://10.0.0.7:8080/video?user=shop&password=${TILL_PASSWORD}&fps=5",
        "http://10.0.0.7/video?keyframe=1&compass=on&to=a@b&token=${TOKEN}",
        "/videos/monday:at@noon.mp4",
    ],
)
def test_a_source_without_a_literal_password_is_kept(registry: CameraRegistry, source: str) -> None:
    registry.add(CameraRow("till", source))
    assert registry.get("till").source == source


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"id": "Till 1"}, "camera id 'Till 1'"),
        ({"fps": 0}, "fps 0: expected more than 0"),
        ({"fps": 121}, "fps 121: expected"),
        ({"fps": float("nan")}, "fps nan: expected"),
        ({"name": "x" * 201}, "name has 201 characters, at most 200"),
        ({"source": "x" * 2001}, "source has 2001 characters, at most 2000"),
    ],
)
def test_values_that_cannot_be_stored_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(StorageError, match=message):
        replace(TILL, **wrong)


def test_the_longest_texts_fit(registry: CameraRegistry) -> None:
    long = CameraRow("t" * 64, "x" * 2000, "ä" * 200, "ä" * 200, "ä" * 200, pause_reason="ä" * 500)
    registry.add(long)
    assert registry.cameras() == [long]


def partitions(registry: CameraRegistry) -> dict[str, int | None]:
    return {camera.id: camera.partition for camera in registry.cameras()}


def test_cameras_spread_over_the_partitions_and_stay(registry: CameraRegistry, engine: sa.Engine) -> None:
    registry.sync([CameraRow(f"c{number}", "0") for number in range(5)])
    assert set(partitions(registry).values()) == {None}
    before = {row["id"]: row["changed_at"] for row in rows(engine, tables.cameras)}
    assigned = {"c0": 0, "c1": 1, "c2": 2, "c3": 0, "c4": 1}
    assert registry.assign_partitions(3) == assigned
    assert registry.assign_partitions(3) == partitions(registry) == assigned
    assert {row["id"]: row["changed_at"] for row in rows(engine, tables.cameras)} == before
    registry.remove("c1")
    registry.add(CameraRow("a", "0"))
    registry.pause("c0", "why")
    registry.sync([CameraRow("c2", "1", zone="moved")])
    assert registry.assign_partitions(3) == {"a": 1, "c0": 0, "c2": 2, "c3": 0, "c4": 1}


def test_a_camera_that_is_added_later_gets_the_least_used_partition(registry: CameraRegistry) -> None:
    for number, camera in enumerate("abcd"):
        registry.add(CameraRow(camera, "0"), partitions=3)
        assert partitions(registry)[camera] == number % 3
    registry.remove("b")
    registry.add(CameraRow("e", "0"), partitions=3)
    assert partitions(registry)["e"] == 1


def test_a_partition_that_is_given_is_kept_and_counted(registry: CameraRegistry) -> None:
    registry.add(CameraRow("a", "0", partition=1))
    registry.add(CameraRow("b", "0", partition=7))
    registry.add(CameraRow("c", "0"))
    assert registry.assign_partitions(8) == {"a": 1, "b": 7, "c": 0}
    assert registry.assign_partitions(2) == {"a": 1, "b": 0, "c": 0}, "7 is not there any more"
    registry.sync([CameraRow("c", "0", partition=5)])
    assert partitions(registry)["c"] == 5


def test_processes_that_assign_at_once_agree(database_url: str) -> None:
    engines = [open_database(database_url) for _ in range(4)]
    CameraRegistry(engines[0]).sync([CameraRow(f"c{number:02}", "0") for number in range(24)])
    start = threading.Barrier(len(engines))
    answers: list[dict[str, int]] = []

    def assign(engine: sa.Engine) -> None:
        start.wait(timeout=60)
        answers.append(CameraRegistry(engine).assign_partitions(6))

    threads = [threading.Thread(target=assign, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=100)
    assert answers == [answers[0]] * 4
    assert sorted(answers[0].values()) == sorted(list(range(6)) * 4)
    for engine in engines:
        engine.dispose()


def test_impossible_partitions_are_refused(registry: CameraRegistry) -> None:
    with pytest.raises(StorageError, match="partition -1: expected at least 0"):
        CameraRow("till", "0", partition=-1)
    with pytest.raises(StorageError, match="partitions 0: expected at least 1"):
        registry.assign_partitions(0)
