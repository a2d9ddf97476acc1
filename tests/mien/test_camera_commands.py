"""`mien cameras`: everything that can be set of a camera, from the command line and from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.masks import make_masks
from mien.settings import SettingsError, load
from mien.wiring.registry import configured_policies
from storage.engine import open_database
from storage.registry import CameraRegistry
from tests.support.processes import mien


def test_a_camera_is_edited_scheduled_masked_and_switched(tmp_path: Path) -> None:
    for arguments in (
        ("add", "door", "demo://entrance", "--purpose", "count visitors"),
        ("edit", "door", "--site", "Bern", "--fps", "2", "--notice-at", "2026-11-01"),
        ("schedule", "door", "Mo-Fr 09:00-17:00"),
        ("mask", "door", "[[0, 0.5, 0.25, 0.5]]"),
        ("switch", "door", "--no-expression"),
    ):
        done = mien(tmp_path, "cameras", *arguments)
        assert done.returncode == 0, done.stderr
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    door = CameraRegistry(engine).get("door")
    engine.dispose()
    assert (door.site, door.fps, door.notice_at, door.purpose) == (
        "Bern",
        2.0,
        "2026-11-01",
        "count visitors",
    )
    assert (door.open_hours, door.masks) == ("Mo-Fr 09:00-17:00", make_masks([[0, 0.5, 0.25, 0.5]]))
    assert (door.read_expression, door.read_gender) == (False, True)
    for arguments, words in (
        (("mask", "door", "[[0, 0, 2, 2]]"), "outside of the picture"),
        (("schedule", "door", "mornings"), "open hours 'mornings'"),
        (("edit", "door"), "nothing to change"),
    ):
        done = mien(tmp_path, "cameras", *arguments)
        assert done.returncode != 0
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_policies_of_the_file_are_those_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "mien.yaml"
    path.write_text(
        "cameras:\n"
        "  - {id: door, source: '0', open_hours: 'Mo-Fr 09:00-17:00', gender: false, notice_at: 2026-11-01,\n"
        "     masks: [[0, 0.5, 0.25, 0.5], [[0, 0], [1, 0], [1, 1]]]}\n"
        "  - {id: till, source: '1'}\n"
    )
    assert configured_policies(load(path)) == {
        "door": {
            "open_hours": "Mo-Fr 09:00-17:00",
            "read_gender": False,
            "notice_at": "2026-11-01",
            "masks": make_masks([[0, 0.5, 0.25, 0.5], [[0, 0], [1, 0], [1, 1]]]),
        },
        "till": {},
    }


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("masks: [[0, 0, 2, 2]]", "cameras.0.masks"),
        ("open_hours: mornings", "cameras.0.open_hours 'mornings'"),
        ("notice_at: soon", "cameras.0.notice_at 'soon'"),
    ],
)
def test_a_wrong_policy_in_the_file_is_refused_with_its_name(tmp_path: Path, field: str, words: str) -> None:
    path = tmp_path / "mien.yaml"
    path.write_text(f"cameras: [{{id: door, source: '0', {field}}}]\n")
    with pytest.raises(SettingsError, match=words):
        load(path)


def test_control_characters_of_a_name_do_not_reach_the_terminal(tmp_path: Path) -> None:
    added = mien(tmp_path, "cameras", "add", "door", "demo://entrance", "--name", "a\x1b]0;owned\x07\x1b[31m")
    assert added.returncode == 0, added.stderr
    listed = mien(tmp_path, "cameras", "list", variables={"COLUMNS": "300"})
    assert "\x1b" not in listed.stdout
    assert r"a\x1b]0;owned\x07\x1b[31m" in listed.stdout


def test_a_name_that_is_no_text_is_refused_with_its_field(tmp_path: Path) -> None:
    refused = mien(tmp_path, "cameras", "add", "door", "demo://entrance", "--name", "bad\udcff")
    assert refused.returncode == 2
    assert r"camera door: name 'bad\\xff': expected UTF-8 text without NUL" in refused.stderr
