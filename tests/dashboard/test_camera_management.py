"""What operators may do on the page Cameras, and that analysts may not, also by calling the functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.testing.v1 import AppTest

from common.access import LOCAL, AccessDenied, Actor, Role
from dashboard import camera_control, sign_in
from dashboard.camera_control import NewCamera
from dashboard.camera_panels import join_hours
from mien.settings import Settings
from storage.audit import read_audit
from storage.engine import open_database
from storage.errors import StorageError
from storage.registry import CameraRegistry, CameraRow
from tests.support.pages import new_page

ANALYST = Actor("ann", Role.ANALYST, frozenset({"Bern"}))
DOOR = CameraRow("door", "rtsp://10.0.0.9/1", "Front *door*", "Bern")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_DATABASE", f"sqlite:///{tmp_path}/mien.db")
    monkeypatch.setenv("MIEN_TIMEZONE", "UTC")
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    CameraRegistry(engine).add(LOCAL, DOOR)
    CameraRegistry(engine).add(LOCAL, CameraRow("till", "1", "Till", "Basel"))
    st.cache_resource.clear()
    yield engine
    st.cache_resource.clear()
    engine.dispose()


def page(monkeypatch: pytest.MonkeyPatch, actor: Actor, **state: object) -> AppTest:
    monkeypatch.setattr(sign_in, "current_actor", lambda: actor)
    at = new_page()
    for name, value in state.items():
        at.session_state[name] = value
    at.run()
    at.switch_page("app_pages/cameras.py").run()
    assert not at.exception
    return at


def labels(at: AppTest) -> set[str]:
    return {button.label for button in at.button}


def test_an_analyst_sees_the_cameras_of_the_own_sites_and_their_history_alone(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = page(monkeypatch, ANALYST, **{"add-open": True})
    assert labels(at).isdisjoint({"Add a camera", "Save the camera", "Cancel"})
    assert list(at.selectbox(key="manage").options) == ["Front *door*"]
    assert [group.options for group in at.button_group] == [["History"]]


def test_an_operator_edits_a_camera(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page(monkeypatch, Actor("olga", Role.OPERATOR))
    assert "Add a camera" in labels(at)
    next(box for box in at.text_input if box.label == "Purpose").set_value("count visitors")
    next(button for button in at.button if button.label == "Save").click().run()
    assert not at.exception
    assert CameraRegistry(engine).get("door").purpose == "count visitors"
    (entry,) = [each for each in read_audit(engine, LOCAL) if each.action == "camera.edit"]
    assert (entry.actor, entry.details) == ("olga", "purpose:  -> count visitors")


FUNCTIONS: dict[str, Callable[[Settings], object]] = {
    "add": lambda settings: camera_control.add_camera(settings, ANALYST, NewCamera("x", "demo://x")),
    "judge": lambda settings: camera_control.judge_source(settings, ANALYST, "demo://x"),
    "test a source": lambda settings: camera_control.check_camera(settings, ANALYST, source="demo://x"),
    "test a camera": lambda settings: camera_control.check_camera(settings, ANALYST, camera_id="door"),
    "details": lambda settings: camera_control.read_details(settings, ANALYST, "door"),
    "pause": lambda settings: camera_control.change(
        settings, lambda registry: registry.pause(ANALYST, "door", "x")
    ),
    "remove": lambda settings: camera_control.change(
        settings, lambda registry: registry.remove(ANALYST, "door")
    ),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_functions_behind_the_page_refuse_an_analyst(engine: sa.Engine, function: str) -> None:
    with pytest.raises(AccessDenied, match="ann is an analyst and may not"):
        FUNCTIONS[function](Settings())
    assert CameraRegistry(engine).get("door") == DOOR


def test_without_a_process_that_captures_nothing_is_added(engine: sa.Engine) -> None:
    with pytest.raises(camera_control.TestFailed, match="start `mien run` or `mien ingest`"):
        camera_control.add_camera(Settings(), LOCAL, NewCamera("x", "demo://x"))
    assert len(CameraRegistry(engine).cameras()) == 2


def test_the_hours_of_the_days_are_joined() -> None:
    assert join_hours({"Mo": "09:00-12:00, 13:00-17:00", "Tu": "", "We": "22:00-02:00"}) == (
        "Mo 09:00-12:00, Mo 13:00-17:00, We 22:00-24:00, Th 00:00-02:00"
    )
    with pytest.raises(StorageError, match="closed on every day: pause the camera instead"):
        join_hours({"Mo": "", "Tu": " "})
    with pytest.raises(StorageError, match="open hours"):
        join_hours({"Mo": "morning"})
