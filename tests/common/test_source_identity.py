"""Identity of sources: the same camera written in two ways, and two cameras that look alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from common.source_identity import identify, is_webcam, path_of, whole_source

PIN = "#sha256=" + "0f" * 32


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rtsp://cam/x", "rtsp://u:${A}@CAM:554/x"),
        ("rtsp://${A}:${B}@cam/x", "RTSP://u:p@cam/x"),
        ("http://cam", "http://cam:80/"),
        ("https://cam/x", f"https://cam:443/x{PIN}"),
        ("0", "00"),
        ("clip.mp4", str(Path("clip.mp4").absolute())),
    ],
)
def test_a_source_in_another_form_is_the_same(one: str, other: str) -> None:
    assert identify(one) == identify(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rtsp://cam/x", "http://cam/x"),
        ("rtsp://cam/x", "rtsp://cam/X"),
        ("rtsp://cam/x", "rtsp://cam:8554/x"),
        ("rtsp://cam/x?channel=1", "rtsp://cam/x?channel=2"),
        ("rtsp://cam/x", "rtsp://cam/x?"),
        ("rtsp://cam/user=${A}_channel=1", "rtsp://cam/user=${A}_channel=2"),
        ("http://cloud/x?token=${A}", "http://cloud/x?token=${B}"),
        ("/a/door.mp4", "/b/door.mp4"),
        ("/a/\u6b63.mp4", "/a/\u80cc.mp4"),
        ("/a/\u6b63.mp4", "/a/\u6b64.mp4"),
        ("0", "1"),
        ("0", "/0"),
        ("demo://till", "demo://door"),
    ],
)
def test_two_sources_are_not_the_same(one: str, other: str) -> None:
    assert identify(one) != identify(other)


@pytest.mark.parametrize(("source", "expected"), [("0", True), ("97", True), ("²", False), ("٣", False)])
def test_a_webcam_is_a_number_of_ascii_digits(source: str, expected: bool) -> None:
    assert is_webcam(source) is expected
    assert (path_of(source) is None) is expected


def test_a_date_is_a_path() -> None:
    assert path_of("20261128") == Path("20261128")


def test_a_relative_path_is_stored_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert whole_source("clip.mp4") == str(tmp_path / "clip.mp4")
    assert whole_source("/a/clip.mp4") == "/a/clip.mp4"
    for source in ("97", "demo://till", "rtsp://u:${A}@cam/x"):
        assert whole_source(source) == source
    (tmp_path / "97").mkdir()
    assert whole_source("97") == str(tmp_path / "97"), "a folder named by digits"


def test_a_path_that_is_not_utf_8_survives_a_text_column() -> None:
    path = os.fsdecode(b"/clips/Stra\xdfe 100%.jpg")
    stored = whole_source(path)
    assert stored == "file:///clips/Stra%DFe%20100%25.jpg"
    assert path_of(stored) == Path(path)
    assert identify(stored) == identify(path)
