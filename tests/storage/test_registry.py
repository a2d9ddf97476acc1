"""The camera registry on both kinds of database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from bus.messages import CameraHealth, CameraState
from common.access import LOCAL, AccessDenied, Actor, Role
from common.masks import make_masks
from common.source_identity import identify
from ingest.cameras import camera_id_of
from storage import tables
from storage.audit import read_audit
from storage.engine import open_database
from storage.errors import StorageError
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import T0, observation, results, rows, visit

TILL = CameraRow("till", "rtsp://shop:${TILL_PASSWORD}@10.0.0.7/stream", "Till 1", "Main St", "exit", 5.0)
HALF = make_masks([[0, 0, 0.5, 1]])


@pytest.fixture
def registry(engine: sa.Engine) -> CameraRegistry:
    return CameraRegistry(engine)


def test_what_is_added_is_listed_by_id(registry: CameraRegistry) -> None:
    door = CameraRow("door", "0")
    registry.add(LOCAL, TILL)
    registry.add(LOCAL, door)
    assert registry.cameras() == [door, TILL]
    assert registry.get("till") == TILL


def test_an_id_is_taken_once(registry: CameraRegistry) -> None:
    registry.add(LOCAL, TILL)
    with pytest.raises(StorageError, match="'till' exists already"):
        registry.add(LOCAL, replace(TILL, source="0"))
    assert registry.cameras() == [TILL]


def test_the_search_for_small_faces_is_a_choice_for_each_camera(registry: CameraRegistry) -> None:
    registry.add(LOCAL, TILL)
    registry.sync(LOCAL, [replace(TILL, thorough=True), CameraRow("door", "0")])
    assert {each.id: each.thorough for each in registry.cameras()} == {"till": True, "door": False}


def test_sync_adds_and_changes_and_keeps_the_rest(registry: CameraRegistry) -> None:
    other = CameraRow("other", "1")
    registry.add(LOCAL, TILL)
    registry.add(LOCAL, other)
    moved = replace(TILL, zone="entrance", fps=None)
    registry.sync(LOCAL, [moved, CameraRow("door", "0")])
    assert registry.cameras() == [CameraRow("door", "0"), other, moved]


def test_a_pause_lasts_through_sync_until_it_is_lifted(registry: CameraRegistry) -> None:
    registry.sync(LOCAL, [TILL])
    registry.pause(LOCAL, "till", "stocktaking")
    registry.sync(LOCAL, [replace(TILL, zone="entrance")])
    paused = registry.get("till")
    assert (paused.enabled, paused.pause_reason, paused.zone) == (False, "stocktaking", "entrance")
    registry.resume(LOCAL, "till")
    assert registry.get("till") == replace(TILL, zone="entrance")


def test_a_change_updates_the_time_of_the_change(registry: CameraRegistry, engine: sa.Engine) -> None:
    registry.add(LOCAL, TILL)
    (before,) = rows(engine, tables.cameras)
    registry.pause(LOCAL, "till", "stocktaking")
    (after,) = rows(engine, tables.cameras)
    assert before["created_at"] == before["changed_at"] == after["created_at"]
    assert int(str(after["changed_at"])) > int(str(before["changed_at"]))


def test_removing_a_camera_keeps_its_results(registry: CameraRegistry, engine: sa.Engine) -> None:
    registry.add(LOCAL, TILL)
    writer = Writer(engine)
    writer.write(results([visit("v1", closed=True)], [observation("v1")]), {})
    writer.report(CameraHealth("till", CameraState.ONLINE, "", T0, T0, 5.0, T0, 0))
    registry.remove(LOCAL, "till")
    assert registry.cameras() == []
    assert rows(engine, tables.camera_states) == []
    assert len(rows(engine, tables.visits)) == len(rows(engine, tables.observations)) == 1


def test_a_camera_has_no_state_of_an_earlier_one_with_its_id(
    registry: CameraRegistry, engine: sa.Engine
) -> None:
    registry.add(LOCAL, TILL)
    registry.remove(LOCAL, "till")
    # By a process that has not noticed the removal yet.
    Writer(engine).report(CameraHealth("till", CameraState.ONLINE, "", T0, T0, 5.0, T0, 0))
    registry.add(LOCAL, TILL)
    assert rows(engine, tables.camera_states) == []


CHANGES: dict[str, Callable[[CameraRegistry, Actor, str], object]] = {
    "details": lambda registry, actor, camera: registry.details(actor, camera),
    "edit": lambda registry, actor, camera: registry.edit(actor, camera, {"name": "Till 2"}),
    "schedule": lambda registry, actor, camera: registry.set_schedule(actor, camera, "Mo 09:00-10:00"),
    "masks": lambda registry, actor, camera: registry.set_masks(actor, camera, HALF),
    "switches": lambda registry, actor, camera: registry.set_switches(
        actor, camera, expression=False, gender=True
    ),
    "pause": lambda registry, actor, camera: registry.pause(actor, camera, "why"),
    "resume": lambda registry, actor, camera: registry.resume(actor, camera),
    "remove": lambda registry, actor, camera: registry.remove(actor, camera),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_unknown_camera_is_named(registry: CameraRegistry, change: str) -> None:
    with pytest.raises(StorageError, match="'attic' is not registered"):
        CHANGES[change](registry, LOCAL, "attic")


@pytest.mark.parametrize("change", [*CHANGES, "add", "sync"])
def test_an_analyst_changes_nothing(registry: CameraRegistry, engine: sa.Engine, change: str) -> None:
    analyst = Actor("ann", Role.ANALYST)
    registry.add(LOCAL, TILL)
    others = {
        "add": lambda *_: registry.add(analyst, CameraRow("door", "0")),
        "sync": lambda *_: registry.sync(analyst, [replace(TILL, name="Till 2")]),
    }
    with pytest.raises(AccessDenied, match="ann is an analyst and may not"):
        {**CHANGES, **others}[change](registry, analyst, "till")
    assert registry.cameras() == [TILL]
    assert [each.action for each in read_audit(engine, LOCAL)] == ["camera.add"]


def test_every_change_is_in_the_audit_log_and_a_change_to_the_same_is_not(
    registry: CameraRegistry, engine: sa.Engine
) -> None:
    operator = Actor("olga", Role.OPERATOR)
    registry.add(operator, replace(TILL, enabled=False))
    for change in ("edit", "edit", "schedule", "masks", "masks", "switches", "resume", "pause", "remove"):
        CHANGES[change](registry, operator, "till")
    found = read_audit(engine, LOCAL)[::-1]
    assert [each.action for each in found] == [
        *("camera.add", "camera.edit", "camera.schedule", "camera.masks", "camera.switches"),
        *("camera.resume", "camera.pause", "camera.remove"),
    ]
    assert {(each.actor, each.subject) for each in found} == {("olga", "till")}
    assert found[1].details == "name: Till 1 -> Till 2"
    assert found[2].details == "open_hours:  -> Mo 09:00-10:00"
    assert "1 of 50% of the picture" in found[3].details
    assert found[4].details == "read_expression: True -> False"


def test_a_source_in_the_audit_log_has_no_secret(registry: CameraRegistry, engine: sa.Engine) -> None:
    registry.add(LOCAL, TILL)
    registry.edit(LOCAL, "till", {"source": "rtsp://u:${TILL_PASSWORD}@10.0.0.7/stream"})
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(source="rtsp://shop:hush@10.0.0.7/stream"))
    registry.remove(LOCAL, "till")
    assert "hush" not in str(read_audit(engine, LOCAL))


def test_another_source_needs_the_will_to_continue_the_history(registry: CameraRegistry) -> None:
    registry.add(LOCAL, TILL)
    other = {"source": "rtsp://10.0.0.8/stream"}
    with pytest.raises(StorageError, match="'till' belonged to another source"):
        registry.edit(LOCAL, "till", other)
    assert registry.get("till") == TILL
    registry.edit(LOCAL, "till", other, continue_history=True)
    assert registry.get("till").source == other["source"]


def test_only_what_may_be_edited_is(registry: CameraRegistry) -> None:
    registry.add(LOCAL, TILL)
    with pytest.raises(StorageError, match="partition cannot be edited"):
        registry.edit(LOCAL, "till", {"partition": 3})
    for wrong in ({"fps": 0.0}, {"notice_at": "soon"}, {"purpose": "x" * 501}):
        with pytest.raises(StorageError, match="camera till"):
            registry.edit(LOCAL, "till", wrong)
    with pytest.raises(StorageError, match="open hours"):
        registry.set_schedule(LOCAL, "till", "mornings")
    assert registry.get("till") == TILL


def test_policies_of_operators_stay_unless_a_file_gives_others(registry: CameraRegistry) -> None:
    registry.add(LOCAL, TILL)
    registry.set_masks(LOCAL, "till", HALF)
    registry.set_switches(LOCAL, "till", expression=False, gender=True)
    registry.set_schedule(LOCAL, "till", "Mo-Fr 09:00-17:00")
    registry.sync(LOCAL, [TILL])
    kept = registry.get("till")
    assert (kept.masks, kept.read_expression, kept.open_hours) == (HALF, False, "Mo-Fr 09:00-17:00")
    policies = {"till": {"masks": (), "purpose": "count visitors"}, "door": {"read_gender": False}}
    registry.sync(LOCAL, [TILL, CameraRow("door", "0")], policies)
    given = registry.get("till")
    assert (given.masks, given.purpose, given.read_expression) == ((), "count visitors", False)
    assert not registry.get("door").read_gender


def test_a_paused_camera_is_paused_since_then_whatever_is_edited(
    registry: CameraRegistry, engine: sa.Engine
) -> None:
    registry.add(LOCAL, TILL)
    registry.pause(LOCAL, "till", "why")
    (paused,) = rows(engine, tables.cameras)
    registry.edit(LOCAL, "till", {"name": "Till 2"})
    registry.sync(LOCAL, [replace(TILL, zone="back")])
    (edited,) = rows(engine, tables.cameras)
    assert edited["changed_at"] == paused["changed_at"]
    assert edited["zone"] == "back"


@pytest.mark.parametrize("change", ["add", "sync"])
@pytest.mark.parametrize(
    "source",
    [
        "rtsp://shop:hush@10.0.0.7/stream",
        "rtsp://hush@10.0.0.7/stream",
        "rtsp://shop:${TILL_PASSWORD}hush@10.0.0.7/",
        "http://10.0.0.7/video?loginpas=hush",
    ],
)
def test_a_secret_that_is_written_out_is_not_stored(
    registry: CameraRegistry, change: str, source: str
) -> None:
    row = CameraRow("till", source)
    with pytest.raises(StorageError, match=r"camera till: source: .* written out; write") as caught:
        registry.add(LOCAL, row) if change == "add" else registry.sync(LOCAL, [row])
    assert "hush" not in str(caught.value)
    assert registry.cameras() == []


def test_a_row_of_an_older_version_with_a_secret_is_still_read(
    registry: CameraRegistry, engine: sa.Engine
) -> None:
    registry.add(LOCAL, TILL)
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(source="rtsp://shop@10.0.0.7/stream"))
    assert registry.get("till").source == "rtsp://shop@10.0.0.7/stream"
    registry.pause(LOCAL, "till", "stocktaking")
    registry.remove(LOCAL, "till")


@pytest.mark.parametrize(
    "source",
    [
        "0",
        "demo://2",
        "rtsp://10.0.0.7:554/stream",
        "rtsp://shop:${TILL_PASSWORD}@10.0.0.7:554/stream?channel=1",
        "rtsp://${TILL_USER}:${TILL_PASSWORD}@10.0.0.7/stream",
        "http://10.0.0.7:8080/video?user=${TILL_USER}&password=${TILL_PASSWORD}&fps=5",
        "/videos/monday:at@noon.mp4",
    ],
)
def test_a_source_without_a_secret_is_stored(registry: CameraRegistry, source: str) -> None:
    registry.add(LOCAL, CameraRow("till", source))
    assert registry.get("till").source == source


def test_parameters_that_are_no_secrets_can_be_named(engine: sa.Engine) -> None:
    row = CameraRow("till", "http://10.0.0.7/video?Room=7")
    with pytest.raises(StorageError, match="value of 'Room' in its query"):
        CameraRegistry(engine).add(LOCAL, row)
    CameraRegistry(engine, ["room"]).add(LOCAL, row)


def test_an_id_stays_with_its_source_after_the_camera_was_removed(registry: CameraRegistry) -> None:
    registry.add(LOCAL, TILL)
    registry.remove(LOCAL, "till")
    with pytest.raises(StorageError, match="'till' belonged to another source"):
        registry.add(LOCAL, replace(TILL, source="rtsp://10.0.0.8/stream"))
    assert registry.cameras() == []
    registry.add(LOCAL, replace(TILL, source="rtsp://other:${PASSWORD}@10.0.0.7:554/stream"))
    registry.remove(LOCAL, "till")
    registry.add(LOCAL, replace(TILL, source="rtsp://10.0.0.8/stream"), continue_history=True)
    registry.remove(LOCAL, "till")
    with pytest.raises(StorageError, match="'till' belonged to another source"):
        registry.add(LOCAL, TILL)


def test_a_changed_source_is_logged_without_its_secrets(
    registry: CameraRegistry, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    registry.sync(LOCAL, [TILL])
    registry.sync(LOCAL, [replace(TILL, zone="moved"), CameraRow("door", "0")])
    assert caplog.messages == []
    registry.sync(LOCAL, [replace(TILL, source="rtsp://10.0.0.8/stream?channel=2")])
    (message,) = caplog.messages
    assert "camera till: its source changed from rtsp://***:${TILL_PASSWORD}@10.0.0.7/stream" in message
    assert "to rtsp://10.0.0.8/stream?channel=2" in message
    registry.remove(LOCAL, "till")
    registry.sync(LOCAL, [TILL])
    assert len(caplog.messages) == 2


SOURCES = [
    "/a/door.mp4",
    "/b/door.mp4",
    "/a/door.avi",
    "/a/\u6b63\u9762.mp4",
    "/a/\u80cc\u9762.mp4",
    "/a/\u80cc\u9762-2.mp4",
    "http://cam/video?channel=1",
    "http://cam/video?channel=2",
    "http://cam/video",
    "https://cam/video",
    "http://cam/video/",
    "http://cam/Video",
    "http://cam-video",
    "http://cam:8080/video",
    "rtsp://cam/video",
    "rtsp://cam/user=${A}_password=${B}_channel=1",
    "rtsp://cam/user=${A}_password=${B}_channel=2",
    "http://cloud/live?token=${A}",
    "http://cloud/live?token=${B}",
    "demo://door",
    "0",
    "1",
]


def test_sources_never_share_an_id(registry: CameraRegistry) -> None:
    given = {source: registry.assign_id(source, camera_id_of(source)) for source in SOURCES}
    assert len(set(given.values())) == len(SOURCES)
    assert given["/a/door.mp4"] == "door"
    assert {source: registry.assign_id(source, "other") for source in reversed(SOURCES)} == given


def test_a_source_written_in_another_way_has_the_same_id(registry: CameraRegistry) -> None:
    for one, other in (
        ("rtsp://shop:${A}@CAM:554/x", "rtsp://${B}:${C}@cam/x"),
        ("http://cam", "HTTP://cam:80/"),
        ("0", "00"),
    ):
        assert registry.assign_id(one, "x") == registry.assign_id(other, "y")


def test_a_source_that_is_registered_has_the_id_of_its_camera(registry: CameraRegistry) -> None:
    registry.add(LOCAL, TILL)
    assert registry.assign_id(TILL.source, "10.0.0.7-stream") == "till"
    assert registry.assign_id(TILL.source, "stem", used=["till"]) == "stem", "the same source twice in a run"


def test_an_id_of_which_results_are_left_is_not_given_to_a_source(registry: CameraRegistry) -> None:
    registry.add(LOCAL, CameraRow("door", "/a/door.mp4"))
    registry.remove(LOCAL, "door")
    assert registry.assign_id("/b/door.mp4", "door") == "door-2"
    assert registry.assign_id("/a/door.mp4", "door") == "door"
    assert registry.assign_id("/b/door.mp4", "door") == "door-2"
    assert len(registry.assign_id("/c", "x" * 64)) == 64
    assert registry.assign_id("/d", "x" * 64) == f"{'x' * 58}-2"


def test_processes_that_name_sources_at_the_same_time_share_no_id(migrated_url: str) -> None:
    engines = [open_database(migrated_url) for _ in range(3)]
    start = threading.Barrier(len(engines))
    given: list[str] = []

    def assign(number: int) -> None:
        start.wait(timeout=60)
        registry = CameraRegistry(engines[number])
        given.extend(registry.assign_id(f"/{number}/{file}/door.mp4", "door") for file in range(5))

    threads = [threading.Thread(target=assign, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=100)
    assert len(set(given)) == 15
    for engine in engines:
        engine.dispose()


def test_processes_that_start_with_one_file_at_the_same_time_register_its_cameras_once(
    migrated_url: str,
) -> None:
    engines = [open_database(migrated_url) for _ in range(3)]
    cameras = [CameraRow(f"cam-{number:02}", f"/clips/{number}.mp4", name="Shelf") for number in range(20)]
    start = threading.Barrier(len(engines))
    problems: list[Exception] = []

    def sync(engine: sa.Engine) -> None:
        start.wait(timeout=60)
        try:
            CameraRegistry(engine).sync(LOCAL, cameras)
        except StorageError as error:
            problems.append(error)

    threads = [threading.Thread(target=sync, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=100)
    assert problems == []
    assert len(CameraRegistry(engines[0]).cameras()) == 20
    for engine in engines:
        engine.dispose()


def test_sync_reads_the_registry_once(registry: CameraRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = [CameraRow(f"cam-{number:02}", f"/clips/{number}.mp4") for number in range(20)]
    registry.sync(LOCAL, cameras)
    read: list[int] = []
    all_of = CameraRegistry.cameras

    def counted(self: CameraRegistry) -> list[CameraRow]:
        read.append(1)
        return all_of(self)

    monkeypatch.setattr(CameraRegistry, "cameras", counted)
    registry.sync(LOCAL, [replace(each, name="Shelf") for each in cameras])
    assert len(read) == 1
    assert {each.name for each in registry.cameras()} == {"Shelf"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"id": "Till 1"}, "camera id 'Till 1'"),
        ({"name": "bad\udcff"}, r"name 'bad.*xff': expected UTF-8 text without NUL"),
        ({"site": "a\0b"}, "site .* expected UTF-8 text without NUL"),
        ({"fps": 0}, "fps 0: expected more than 0"),
        ({"fps": 121}, "fps 121: expected"),
        ({"fps": float("nan")}, "fps nan: expected"),
        ({"name": "x" * 201}, "name has 201 characters, the limit is 200"),
        ({"source": "x" * 2001}, "source has 2001 characters, the limit is 2000"),
    ],
)
def test_values_that_cannot_be_stored_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(StorageError, match=message):
        replace(TILL, **wrong)


def test_texts_of_maximum_length_are_stored(registry: CameraRegistry) -> None:
    long = CameraRow("t" * 64, "x" * 2000, "ä" * 200, "ä" * 200, "ä" * 200, pause_reason="ä" * 500)
    registry.add(LOCAL, long)
    assert registry.cameras() == [long]


def partitions(registry: CameraRegistry) -> dict[str, int | None]:
    return {camera.id: camera.partition for camera in registry.cameras()}


def test_cameras_are_spread_over_the_partitions_and_stay_there(
    registry: CameraRegistry, engine: sa.Engine
) -> None:
    registry.sync(LOCAL, [CameraRow(f"c{number}", "0") for number in range(5)])
    assert set(partitions(registry).values()) == {None}
    before = {row["id"]: row["changed_at"] for row in rows(engine, tables.cameras)}
    assigned = {"c0": 0, "c1": 1, "c2": 2, "c3": 0, "c4": 1}
    assert registry.assign_partitions(3) == assigned
    assert registry.assign_partitions(3) == partitions(registry) == assigned
    assert {row["id"]: row["changed_at"] for row in rows(engine, tables.cameras)} == before
    registry.remove(LOCAL, "c1")
    registry.add(LOCAL, CameraRow("a", "0"))
    registry.pause(LOCAL, "c0", "why")
    registry.sync(LOCAL, [CameraRow("c2", "1", zone="moved")])
    assert registry.assign_partitions(3) == {"a": 1, "c0": 0, "c2": 2, "c3": 0, "c4": 1}


def test_a_camera_that_is_added_later_gets_the_least_used_partition(registry: CameraRegistry) -> None:
    for number, camera in enumerate("abcd"):
        registry.add(LOCAL, CameraRow(camera, "0"), partitions=3)
        assert partitions(registry)[camera] == number % 3
    registry.remove(LOCAL, "b")
    registry.add(LOCAL, CameraRow("e", "0"), partitions=3)
    assert partitions(registry)["e"] == 1


def test_a_given_partition_is_kept_and_counts_as_used(registry: CameraRegistry) -> None:
    registry.add(LOCAL, CameraRow("a", "0", partition=1))
    registry.add(LOCAL, CameraRow("b", "0", partition=7))
    registry.add(LOCAL, CameraRow("c", "0"))
    assert registry.assign_partitions(8) == {"a": 1, "b": 7, "c": 0}
    assert registry.assign_partitions(2) == {"a": 1, "b": 0, "c": 0}, "7 no longer exists"
    registry.sync(LOCAL, [CameraRow("c", "0", partition=5)])
    assert partitions(registry)["c"] == 5


def test_processes_that_assign_at_the_same_time_agree(migrated_url: str) -> None:
    engines = [open_database(migrated_url) for _ in range(4)]
    CameraRegistry(engines[0]).sync(LOCAL, [CameraRow(f"c{number:02}", "0") for number in range(24)])
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


def test_the_ids_of_an_older_database_belong_to_the_sources_of_its_cameras(database_url: str) -> None:
    engine = open_database(database_url)
    CameraRegistry(engine).sync(LOCAL, [CameraRow("door", "/a/door.mp4"), TILL, CameraRow("old", "0")])
    with engine.begin() as connection:
        # As it was before the table: a camera with a literal secret, and results of one that was removed.
        connection.execute(sa.delete(tables.camera_identities))
        old = sa.update(tables.cameras).where(tables.cameras.c.id == "old")
        connection.execute(old.values(source="rtsp://shop:hush@10.0.0.7/x?psw=hush"))
        minute = dict.fromkeys(tables.COUNTS, 0) | {"minute": 0, "camera_id": "gone"}
        connection.execute(sa.insert(tables.camera_minutes), [minute])
        connection.exec_driver_sql("DROP TABLE camera_identities")
        migration = import_module("storage.migrations.versions.0006_camera_identities")
        with Operations.context(MigrationContext.configure(connection)):
            migration.upgrade()
    registry = CameraRegistry(engine)
    assert registry.assign_id("/a/door.mp4", "x") == "door"
    assert registry.assign_id(TILL.source, "x") == "till"
    assert registry.assign_id("/b/gone.mp4", "gone") == "gone-2"
    assert registry.get("old").source.endswith("hush"), "it still works"
    identities = {str(row["identity"]) for row in rows(engine, tables.camera_identities)}
    assert identify("rtsp://10.0.0.7/x?psw=***") in identities, "no hash of a secret is stored"
    engine.dispose()
