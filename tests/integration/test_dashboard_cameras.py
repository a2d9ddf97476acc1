"""An operator's work in a browser on a running Mien: add a camera, mask it, pause it, remove it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, Position, expect

from bus.messages import MICROSECONDS
from common.access import LOCAL
from common.masks import Point
from storage import tables
from storage.audit import read_audit
from storage.camera_status import Condition, read_camera_status
from storage.engine import open_database
from storage.registry import CameraRegistry
from tests.support.browser import PATIENCE_MS, OpenPage, chromium, visit
from tests.support.processes import free_port, surroundings
from tests.support.wizard import click, fill

pytestmark = pytest.mark.timeout(600)

PATIENCE_S = 180.0
"""On an idle machine the first visit is stored within seconds of saving; this one may be busy."""


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, str]]:
    """A running Mien with one simulated camera: the addresses of its dashboard and of its database."""
    port, database = free_port(), f"sqlite:///{folder}/mien.db"
    (folder / "mien.yaml").write_text(
        "cameras:\n  - {id: till, source: 'demo://till', name: 'Till <b>1</b> [x](http://evil.example)'}\n"
    )
    mien = Path(sys.executable).with_name("mien")
    arguments = [str(mien), "run", "--database", database, "--port", str(port)]
    with (folder / "mien.log").open("wb") as log:
        environment = surroundings(folder) | {
            "MIEN_WORKERS": "1",
            "MIEN_TIMEZONE": "UTC",
            "MIEN_FPS": "2",
            "MIEN_MAX_FRAME_AGE": "60",
        }
        process = subprocess.Popen(arguments, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            announced = f"Dashboard: http://127.0.0.1:{port}"
            wait_until(lambda: announced in (folder / "mien.log").read_text(), process)
            yield f"http://127.0.0.1:{port}", database
        finally:
            process.terminate()
            process.wait(60)


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"did not happen within {PATIENCE_S:.0f} s"
        assert process is None or process.poll() is None, "Mien has ended"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def mien(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, sa.Engine]]:
    folder = tmp_path_factory.mktemp("cameras")
    with running(folder) as (url, database):
        engine = open_database(database)
        yield url, engine
        engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def choose_panel(opened: OpenPage, name: str) -> None:
    page = opened.page
    page.get_by_role("radio", name=name, exact=True).or_(
        page.get_by_test_id("stButtonGroup").get_by_role("button", name=name, exact=True)
    ).first.click()
    opened.settle()


def condition_of(engine: sa.Engine, camera_id: str) -> Condition | None:
    found = {each.camera_id: each.condition for each in read_camera_status(engine, time.time_ns() // 1000)}
    return found.get(camera_id)


def test_a_camera_is_added_masked_paused_and_removed_in_the_browser(
    browser: Browser, mien: tuple[str, sa.Engine]
) -> None:
    url, engine = mien
    registry = CameraRegistry(engine)
    with visit(browser, f"{url}/cameras", width=1280, height=1400) as opened:
        page = opened.page
        page.get_by_role("button", name="Add a camera").click()
        fill(page, "Name of the camera", "Front door")

        # A source that a browser may not use is refused in words, and cannot be saved.
        fill(page, "Address of the camera", "/etc/passwd")
        click(page, "Test the camera")
        opened.wait_for_text("expected the address of a camera")

        fill(page, "Address of the camera", "demo://entrance")
        click(page, "Test the camera")
        opened.wait_for_text("640 x 480 pixels")
        preview = page.get_by_test_id("stImage").locator("img")
        expect(preview).to_have_attribute(
            "alt", "Picture of the camera; faces that are recognised are blurred.", timeout=1000 * PATIENCE_S
        )
        click(page, "Save the camera")
        opened.wait_for_text("Say what the camera is for.")
        fill(page, "Purpose", "trends of visitors at the entrance")
        click(page, "Save the camera")
        opened.wait_for_text("Front door is added as front-door")
        wait_until(lambda: visits_of(engine, "front-door") > 0)
        stored, saved = time.time(), saved_at(engine, "front-door")
        assert saved < first_seen(engine, "front-door") < stored
        print(f"first visit stored {stored - saved:.1f} s after the camera was saved")  # noqa: T201

        # Its masks are drawn on the picture: a rectangle, a polygon, and one by keys.
        page.get_by_role("combobox", name="Camera", exact=False).last.click()
        page.get_by_role("option", name="Front door").click()
        choose_panel(opened, "Masks")
        click(page, "Load a picture")
        picture = page.get_by_role("application", name="Picture of Front door")
        picture.wait_for()
        drag(picture, (0.02, 0.02), (0.5, 0.98))
        opened.wait_for_text("1 mask, ")
        click_corners(picture, (0.6, 0.1), (0.9, 0.1), (0.7, 0.5), (0.95, 0.9))
        click(page, "Undo the last corner")
        click_corners(picture, (0.62, 0.8), (0.6, 0.1))
        opened.wait_for_text("2 masks, ")
        picture.focus()
        for key in ("ArrowRight", "Space", "Shift+ArrowDown", "Space", "Shift+ArrowLeft", "Space", "Enter"):
            page.keyboard.press(key)
        opened.wait_for_text("3 masks, ")
        click(page, "Remove")
        opened.wait_for_text("2 masks, ")
        click(page, "Save the masks")
        opened.wait_for_text("2 masks saved")
        rectangle, polygon = registry.get("front-door").masks
        assert rectangle == near((0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98))
        assert polygon == near((0.6, 0.1), (0.9, 0.1), (0.7, 0.5), (0.62, 0.8))

        choose_panel(opened, "Pause")
        fill(page, "Reason", "repainting")
        click(page, "Pause")
        opened.wait_for_text("Front door is paused")
        wait_until(lambda: condition_of(engine, "front-door") is Condition.PAUSED)

        choose_panel(opened, "Remove")
        click(page, "Remove...")
        click(page, "Remove it")
        opened.wait_for_text("Front door is removed")
        assert condition_of(engine, "front-door") is None
        wait_until(lambda: condition_of(engine, "till") is Condition.ONLINE)
        assert visits_of(engine, "front-door") > 0
        assert opened.foreign == []
    actions = [each.action for each in read_audit(engine, LOCAL) if each.subject == "front-door"]
    assert actions[::-1] == ["camera.add", "camera.masks", "camera.pause", "camera.remove"]


def test_a_camera_that_is_removed_while_it_is_shown_leaves_a_clear_state(
    browser: Browser, mien: tuple[str, sa.Engine]
) -> None:
    url, engine = mien
    registry = CameraRegistry(engine)
    row = registry.get("till")
    with visit(browser, f"{url}/cameras", width=390, height=900) as opened:
        opened.wait_for_text("Till <b>1</b>")
        choose_panel(opened, "Schedule")
        registry.remove(LOCAL, "till")
        opened.wait_for_text("No camera is registered yet")
        assert opened.page.get_by_text("Traceback").count() == 0
    registry.add(LOCAL, row, continue_history=True)


def visits_of(engine: sa.Engine, camera_id: str) -> int:
    query = sa.select(sa.func.count()).where(tables.visits.c.camera_id == camera_id)
    with engine.connect() as connection:
        return connection.execute(query).scalar_one()


def drag(picture: Locator, start: Point, end: Point) -> None:
    """Drag over a picture, between points in fractions of its size."""
    size = size_of(picture)
    picture.drag_to(
        picture,
        source_position=position(start, size),
        target_position=position(end, size),
        timeout=PATIENCE_MS,
    )


def click_corners(picture: Locator, *points: Point) -> None:
    """Click points of a picture, in fractions of its size."""
    size = size_of(picture)
    for point in points:
        picture.click(position=position(point, size), timeout=PATIENCE_MS)


def size_of(picture: Locator) -> tuple[float, float]:
    box = picture.bounding_box()
    assert box
    return box["width"], box["height"]


def position(point: Point, size: tuple[float, float]) -> Position:
    return {"x": point[0] * size[0], "y": point[1] * size[1]}


def near(*points: Point) -> tuple[Any, ...]:
    """Points that a pointer hits: it moves by pixels."""
    return tuple(pytest.approx(point, abs=0.005) for point in points)


def saved_at(engine: sa.Engine, camera_id: str) -> float:
    """When a camera was added, by the audit log; seconds since the epoch."""
    (added,) = [
        each.at
        for each in read_audit(engine, LOCAL)
        if (each.action, each.subject) == ("camera.add", camera_id)
    ]
    return added / MICROSECONDS


def first_seen(engine: sa.Engine, camera_id: str) -> float:
    """When the first visit of a camera began; seconds since the epoch."""
    query = sa.select(sa.func.min(tables.visits.c.first_seen)).where(tables.visits.c.camera_id == camera_id)
    with engine.connect() as connection:
        return float(connection.execute(query).scalar_one()) / MICROSECONDS
