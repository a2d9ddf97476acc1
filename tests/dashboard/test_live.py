"""The page Live and its pictures: who may see what, from which process, and every state without a picture."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.testing.v1 import AppTest

from bus.messages import MICROSECONDS, CameraHealth, CameraState
from common.access import LOCAL, AccessDenied, Actor, Role
from common.clock import wall_clock_us
from dashboard import internal_client, live_pictures
from dashboard.internal_client import ProcessRefused
from dashboard.live_pictures import open_unblurred, read_live
from dashboard.live_view import frame_facts, track_table
from inference import preview
from inference.detector import Detector
from mien.settings import Settings, load
from mien.wiring import previews
from storage import camera_status, processes, tables
from storage.audit import read_audit
from storage.engine import open_database
from storage.errors import StorageError
from storage.processes import ProcessEntry, read_processes
from storage.registry import CameraRegistry, CameraRow
from storage.unblurred import ACTION
from storage.writer import Writer
from tests.support.live import EntranceAnalyser, analysing_process
from tests.support.pages import new_page
from tests.support.processes import free_port

NORTH = Actor("anna", Role.ANALYST, frozenset({"North"}))
SOUTH = Actor("berta", Role.ANALYST, frozenset({"South"}))
ALL = Actor("carl", Role.ANALYST)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(previews, "FIRST_LOOK_S", 0.05)
    # A busy machine may take longer than the seconds after which these expire.
    monkeypatch.setattr(preview, "WATCHED_S", 600.0)
    monkeypatch.setattr(camera_status, "REPORT_TIMEOUT_US", 600 * MICROSECONDS)
    monkeypatch.setattr(processes, "_VALID_US", 600 * MICROSECONDS)
    for name, value in {"DATABASE": f"sqlite:///{tmp_path}/mien.db", "TIMEZONE": "UTC"}.items():
        monkeypatch.setenv(f"MIEN_{name}", value)
    return load()


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    """A database with two cameras that are online, the entrance in the site North."""
    engine = open_database(settings.database)
    registry, writer = CameraRegistry(engine), Writer(engine)
    registry.sync(
        LOCAL,
        [
            CameraRow("entrance", "demo://entrance", "Entrance <b>", "North"),
            CameraRow("shelf", "demo://shelf", "Shelf", "South"),
        ],
    )
    for camera in ("entrance", "shelf"):
        report(writer, camera, CameraState.ONLINE)
    yield engine
    st.cache_resource.clear()
    engine.dispose()


@pytest.fixture
def entrance(engine: sa.Engine, settings: Settings) -> Iterator[EntranceAnalyser]:
    with analysing_process(engine, "entrance", settings) as analyser:
        yield analyser


def report(writer: Writer, camera: str, state: CameraState, reason: str = "") -> None:
    now = wall_clock_us()
    writer.report(CameraHealth(camera, state, reason, now, now, 5.0, now, 0))


def watch(settings: Settings, entrance: EntranceAnalyser) -> None:
    """Let the process know that somebody watches, then let it analyse some frames."""
    st.cache_resource.clear()
    read_live(settings, LOCAL, "entrance")
    entrance.see(12)


def decode(url: str) -> np.ndarray:
    start = "data:image/jpeg;base64,"
    assert url.startswith(start)
    data = np.frombuffer(base64.b64decode(url.removeprefix(start)), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return picture


class TestPictures:
    def test_a_camera_is_shown_from_the_process_that_analyses_it(
        self, engine: sa.Engine, settings: Settings, entrance: EntranceAnalyser
    ) -> None:
        first = read_live(settings, LOCAL, "entrance")
        assert (first.processes, first.problems, first.picture) == (1, (), None)
        watch(settings, entrance)
        answer = read_live(settings, LOCAL, "entrance")
        assert answer.picture
        assert answer.analysed_by in read_processes(engine)
        assert answer.picture.blurred
        assert answer.picture.age_s < 60
        assert any(track.counted for track in answer.picture.tracks)
        assert max(decode(answer.picture.url).shape) == 960
        assert read_live(settings, LOCAL, "shelf").picture is None, "another camera is not watched"

    def test_no_face_is_found_in_a_blurred_picture(
        self, settings: Settings, entrance: EntranceAnalyser, engine: sa.Engine
    ) -> None:
        watch(settings, entrance)
        detector, seen = Detector(), 0
        for _ in range(5):
            entrance.see(3)
            picture = read_live(settings, LOCAL, "entrance").picture
            assert picture
            seen += len(picture.tracks)
            assert len(detector.detect(decode(picture.url))) == 0
        assert seen > 0

    def test_the_process_that_analyses_now_is_found_after_another_took_over(
        self, engine: sa.Engine, settings: Settings, entrance: EntranceAnalyser
    ) -> None:
        watch(settings, entrance)
        before = read_live(settings, LOCAL, "entrance").analysed_by
        with analysing_process(engine, "entrance", settings) as other:
            watch(settings, other)
            answer = read_live(settings, LOCAL, "entrance")
            assert answer.processes == 2
            assert answer.analysed_by is not None
            assert before is not None
            assert answer.analysed_by != before
            assert answer.picture
        st.cache_resource.clear()
        answer = read_live(settings, LOCAL, "entrance", before=answer.analysed_by)
        assert answer.analysed_by == before, "the other one has ended"

    def test_what_is_no_camera_is_refused_by_the_process(
        self, engine: sa.Engine, entrance: EntranceAnalyser
    ) -> None:
        (process,) = read_processes(engine)
        for camera in ("", "../x", "A" * 65):
            with pytest.raises(ProcessRefused, match="camera: is missing or no id"):
                internal_client.call(process, "GET", "/preview", {"camera": camera})

    def test_a_process_that_does_not_answer_hides_no_other_one(
        self, engine: sa.Engine, settings: Settings, entrance: EntranceAnalyser
    ) -> None:
        port = free_port()
        dead = ProcessEntry(engine, captures=False, analyses=True)
        dead.renew(f"http://127.0.0.1:{port}")
        watch(settings, entrance)
        answer = read_live(settings, LOCAL, "entrance")
        assert answer.picture
        (problem,) = answer.problems
        assert f"does not answer at http://127.0.0.1:{port}" in problem
        assert dead.token not in problem


class TestAccess:
    def test_an_analyst_sees_the_cameras_of_some_sites_alone(
        self, settings: Settings, entrance: EntranceAnalyser
    ) -> None:
        watch(settings, entrance)
        for actor in (NORTH, ALL, LOCAL):
            assert read_live(settings, actor, "entrance").picture
        for camera in ("entrance", "nowhere"):
            with pytest.raises(AccessDenied, match="berta may not read"):
                read_live(settings, SOUTH, camera)

    def test_faces_are_shown_to_operators_alone_and_only_where_the_setting_allows_it(
        self, engine: sa.Engine, settings: Settings, entrance: EntranceAnalyser
    ) -> None:
        with pytest.raises(AccessDenied, match="live_unblurred is off"):
            open_unblurred(settings, LOCAL, "entrance")
        allowing = settings.model_copy(update={"live_unblurred": True})
        for actor in (ALL, NORTH):
            with pytest.raises(AccessDenied, match=f"{actor.name} is an analyst"):
                open_unblurred(allowing, actor, "entrance")
        assert read_audit(engine, LOCAL, actions=[ACTION]) == []

    def test_the_process_itself_shows_no_faces_unless_its_setting_allows_it(
        self, engine: sa.Engine, settings: Settings, entrance: EntranceAnalyser
    ) -> None:
        watch(settings, entrance)
        (process,) = read_processes(engine)
        query = {"camera": "entrance", "unblurred": "1"}
        with pytest.raises(ProcessRefused, match="its setting live_unblurred is off"):
            internal_client.call(process, "GET", "/preview", query)
        allowing = settings.model_copy(update={"live_unblurred": True})
        permission = open_unblurred(allowing, LOCAL, "entrance")
        answer = read_live(allowing, LOCAL, "entrance", unblurred=permission)
        assert answer.picture is None
        assert "its setting live_unblurred is off" in answer.problems[0]

    def test_faces_are_shown_after_the_audit_log_has_recorded_it_once(
        self, engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        allowing = settings.model_copy(update={"live_unblurred": True})
        with analysing_process(engine, "entrance", allowing) as entrance:
            watch(allowing, entrance)
            permission = open_unblurred(allowing, LOCAL, "entrance")
            faces = 0
            for _ in range(5):
                entrance.see(3)
                picture = read_live(allowing, LOCAL, "entrance", unblurred=permission).picture
                assert picture
                assert not picture.blurred
                faces += len(Detector().detect(decode(picture.url)))
            assert faces > 0
            (row,) = read_audit(engine, LOCAL, actions=[ACTION])
            assert (row.actor, row.subject) == ("local", "entrance")
            for other in (
                replace(permission, until=0.0),
                replace(permission, camera_id="shelf"),
                replace(permission, actor=Actor("dora", Role.OPERATOR)),
            ):
                picture = read_live(allowing, LOCAL, "entrance", unblurred=other).picture
                assert picture
                assert picture.blurred, "the permission is for another actor or camera, or has ended"

    def test_without_a_row_in_the_audit_log_no_face_is_shown(
        self, tmp_path: Path, settings: Settings, engine: sa.Engine
    ) -> None:
        allowing = settings.model_copy(update={"live_unblurred": True})
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE audit_log RENAME TO gone")
        with pytest.raises(StorageError):
            open_unblurred(allowing, LOCAL, "entrance")


class TestPage:
    def open(self, at: AppTest | None = None, **query: str) -> AppTest:
        if at is None:
            at = new_page(**query).run()
            at.switch_page("app_pages/live.py")
        st.cache_resource.clear()
        at.run()
        assert not at.exception
        return at

    def text(self, at: AppTest) -> str:
        return "\n".join(
            [each.value for each in (*at.subheader, *at.markdown, *at.caption)]
            + [each.proto.body for each in at.get("html")]
        )

    def test_the_page_shows_the_picture_and_what_is_followed(
        self, settings: Settings, entrance: EntranceAnalyser
    ) -> None:
        watch(settings, entrance)
        at = self.open()
        (image,) = at.image
        assert decode(image.proto.imgs[0].url).size > 0, "inside the page, at no address of its own"
        text = self.text(at)
        for part in (
            "s old",
            "frames a second analysed",
            "counted",
            "analysed by",
            "Faces that are recognised",
        ):
            assert part in text
        assert not at.toggle, "faces are not offered"

    @pytest.mark.parametrize("named", ["Shelf", "nowhere", "<script>", ""])
    def test_the_camera_is_in_the_address_and_nonsense_shows_the_first(
        self, named: str, engine: sa.Engine
    ) -> None:
        at = self.open(watch=named)
        assert at.selectbox(key="watch").value == ("Shelf" if named == "Shelf" else "Entrance <b>")
        assert at.selectbox(key="watch").options == ["Entrance <b>", "Shelf"]

    def test_each_state_without_a_picture_is_explained(self, engine: sa.Engine, settings: Settings) -> None:
        writer = Writer(engine)
        at = self.open()
        assert "No process analyses frames" in self.text(at)
        assert not at.image
        dead = ProcessEntry(engine, captures=False, analyses=True)
        dead.renew(f"http://127.0.0.1:{free_port()}")
        text = self.text(self.open(at))
        assert "No live picture" in text
        assert "does not answer at http" in text.replace("\u2060", "")
        dead.leave()
        with analysing_process(engine, "entrance", settings) as entrance:
            assert "No process that analyses has got a frame" in self.text(self.open(at))
            entrance.see()
            at = self.open(at)
        report(writer, "entrance", CameraState.RETRYING, "connection refused")
        assert "This camera is down" in (text := self.text(self.open(at)))
        assert "connection refused" in text
        report(writer, "entrance", CameraState.ENDED, "webcam 97 does not exist")
        assert "Nothing captures this camera" in (text := self.text(self.open(at)))
        assert "webcam 97 does not exist" in text
        with engine.begin() as connection:
            connection.execute(sa.update(tables.cameras).values(source="/clips/entrance.mp4"))
        report(writer, "entrance", CameraState.ENDED)
        assert "This recording has ended" in self.text(self.open(at))
        CameraRegistry(engine).pause(LOCAL, "entrance", "repainting")
        assert "Paused" in (text := self.text(self.open(at)))
        assert "repainting" in text

    def test_a_camera_that_is_removed_while_it_is_shown_is_replaced(self, engine: sa.Engine) -> None:
        at = self.open(watch="Shelf")
        CameraRegistry(engine).remove(LOCAL, "shelf")
        assert self.open(at).selectbox(key="watch").value == "Entrance <b>"
        CameraRegistry(engine).remove(LOCAL, "entrance")
        assert "No camera is registered yet" in self.text(self.open(at))

    def test_an_operator_is_offered_faces_where_the_setting_allows_it(
        self, engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MIEN_LIVE_UNBLURRED", "true")
        with analysing_process(engine, "entrance", load()) as entrance:
            watch(load(), entrance)
            at = self.open()
            assert read_audit(engine, LOCAL, actions=[ACTION]) == []
            at.toggle(key="live-faces").set_value(True)
            for _ in range(3):
                at = self.open(at)
            assert "Faces are visible" in self.text(at)
            assert len(read_audit(engine, LOCAL, actions=[ACTION])) == 1, "once, not for each picture"


def track(**changes: object) -> live_pictures.LiveTrack:
    values = {
        "number": 3,
        "age_s": 12.3,
        "absent_s": 0.0,
        "faces": 1234,
        "size": 41.6,
        "score": 0.714,
        "counted": True,
        "explanation": "counted",
        "expression": "happiness",
        "gender": "female",
    }
    return live_pictures.LiveTrack(**(values | changes))  # type: ignore[arg-type]


def test_a_track_is_described_in_words() -> None:
    shown = track_table([track()])
    for part in ("#3", "counted", "42 px", "0.71", "12 s", "happiness, perceived woman"):
        assert part in shown
    assert "not seen for 0.8 s, expected in the box" in track_table([track(absent_s=0.8)])
    assert "<i>" not in track_table([track(explanation="<i>", expression="<i>")])
    assert ">unknown<" in track_table([track(expression="unknown", gender="unknown")])
    assert ">perceived man<" in track_table([track(expression="unknown", gender="male")])
    assert "and 3 more that are not counted" in track_table([track()] * 15)
    assert "Nothing that could be a face" in track_table([])


def test_facts_of_a_frame_are_words() -> None:
    picture = live_pictures.LivePicture("data:", True, 1, 0.43, 4.96, 0, (track(), track(counted=False)))
    facts = frame_facts(picture, "shop <1> pid 7")
    for part in (
        "Frame 0.4 s old",
        "5.0 frames a second analysed",
        "2 followed, 1 counted",
        "shop &lt;1&gt;",
    ):
        assert part in facts
    still = frame_facts(replace(picture, unchanged=14, fps=None, age_s=12.0), "x")
    assert "rate not known yet" in still
    assert "pictures without a change are left out" in still
    assert "Frame 12 s old" in still
