"""The structure of sources: what is refused because it may be a secret, and what is harmless."""

from __future__ import annotations

import pytest

from common.source_parts import explain_literal_secret, find_literal_secret, references, split_source

PIN = "#sha256=" + "0f" * 32


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ("rtsp://shop:hush@10.0.0.7/stream", "user name"),
        ("rtsp://shop:hush%40@10.0.0.7/stream", "user name"),
        ("rtsp://:hush@10.0.0.7/stream", "password"),
        ("rtsp://hush@10.0.0.7/stream", "user name"),
        ("rtsp://hush:@10.0.0.7/stream", "user name"),
        ("rtsp://${A}:hush@10.0.0.7/", "password"),
        ("rtsp://shop:${A}hush@10.0.0.7/", "user name"),
        ("rtsp://shop:hush${A}@10.0.0.7/", "user name"),
        ("rtsp://shop:hu sh@10.0.0.7/", "address"),
        ("rtsp://shop:hu?sh@10.0.0.7/", "address"),
        ("rtsp://shop:hu#sh@10.0.0.7/", "address"),
        ("rtsp://shop:hu/sh@10.0.0.7/", "address"),
        ("rtsp://shop:hu\\sh@10.0.0.7/", "address"),
        ("rtsp://shop:hu\tsh@10.0.0.7/", "address"),
        ("rtsp://shop:hu\u3000sh@10.0.0.7/", "address"),
        ("http://cam/video?to=a@hush", "address"),
        ("http://cam/video?user=shop&password=${A}", "value of 'user' in its query"),
        ("http://cam/video?loginpas=hush", "value of 'loginpas' in its query"),
        ("http://cam/video?psw=hush&channel=1", "value of 'psw' in its query"),
        ("http://cam/video?channel=1;passw=hush", "value of 'passw' in its query"),
        ("http://cam/video?x=hush", "value of 'x' in its query"),
        ("http://cam/video?p%77d=hush", "text without a name in its query"),
        ("http://cam/video?channel=1=hush", "value of 'channel' in its query"),
        ("http://cam/video?channel=${A}hush", "value of 'channel' in its query"),
        ("http://cam/video?hush", "text without a name in its query"),
        ("http://cam/video?aHVzaA==", "text with = in its query"),
        ("http://cam/video?=hush", "text without a name in its query"),
        ("http://cam/video?channel=1#hush", "text after #"),
        ("http://cam/video#sha256=hush", "text after #"),
        ("http://cam/video;loginpassword=hush", "value of 'loginpassword' in its path"),
        ("rtsp://cam/user=admin_password=hush_channel=1_stream=0.sdp", "value of 'user' in its path"),
        ("rtsp://cam/user=${A}_password=hush_channel=1", "value of 'password' in its path"),
        ("rtsp://cam/user=${A}&password=hush&channel=1", "value of 'password' in its path"),
        ("RTSP://hush@cam/", "user name"),
        ("gopher://u:hush@cam/", "user name"),
    ],
)
def test_a_part_that_may_be_a_secret_is_named_without_it(source: str, field: str) -> None:
    assert find_literal_secret(source) == field
    assert "${MIEN_CAMERA_" in explain_literal_secret(field)
    assert "hush" not in explain_literal_secret(field)


@pytest.mark.parametrize(
    "source",
    [
        "0",
        "demo://entrance",
        "clip.mp4",
        "/videos/user=a_password=b@noon.mp4",
        "rtsp://10.0.0.7:554/Streaming/Channels/101",
        "rtsp://[fd00::7]:554/stream",
        "rtsp://shop:${A}@10.0.0.7/stream",
        "rtsp://${A}:${B}@10.0.0.7/stream",
        "rtsp://${LOGIN}@10.0.0.7/stream",
        "http://cam/axis-cgi/mjpg/video.cgi?resolution=640x480&fps=5&compression=30&Camera=1",
        "rtsp://cam/cam/realmonitor?channel=1&subtype=0",
        "http://cam/?action=stream",
        "http://cam/video?user=${A}&pwd=${B}&channel=${C}",
        "http://cam/video?${TOKEN}",
        "rtsp://cam/user=${A}_password=${B}_channel=1_stream=0.sdp?real_stream",
        "rtsp://cam/user=${A}&password=&channel=1&stream=0.sdp?",
        f"https://cam/video{PIN}",
    ],
)
def test_a_source_without_a_secret_has_none(source: str) -> None:
    assert find_literal_secret(source) is None


def test_further_parameters_are_harmless_in_any_case() -> None:
    assert find_literal_secret("http://cam/video?Room=7&id=3", {"room", "id"}) is None
    assert find_literal_secret("http://cam/video?Room=7&id=3", {"room"}) == "value of 'id' in its query"


def test_the_parts_are_the_whole_source() -> None:
    source = f"rtsp://u:${{A}}@h:1/a=b_c=d/e;f=,g?h=i&&j#k{PIN}"
    assert "".join(part.text for part in split_source(source)) == source


def test_references_are_found_as_whole_parts_alone() -> None:
    assert references("rtsp://${A}:${B}@h/${D}?x=${E}&y=${F}g&${G}") == {"A", "B", "E", "G"}
