"""Cameras, their ids and names, and the variables in their sources."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from bus.messages import check_camera_id
from ingest.cameras import Camera, camera_id_of, camera_name_of, expand
from ingest.errors import SourceError

PASSWORDS = (
    "s3cret",
    "p@ss",
    "a/b",
    "w#rd",
    "q?uery",
    "semi;colon",
    "am&p",
    "50%",
    "c:olon",
    "ü…",
    "'quote\"",
)


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_variable_holds_a_password_unencoded(password: str) -> None:
    environ = {"MIEN_CAMERA_DOOR": password}
    url = urlsplit(
        expand("rtsp://admin:${MIEN_CAMERA_DOOR}@cam/live?key=${MIEN_CAMERA_DOOR}&channel=1", environ)
    )
    assert (url.username, url.hostname, url.path) == ("admin", "cam", "/live")
    assert unquote(url.password or "") == password
    assert parse_qs(url.query) == {"key": [password], "channel": ["1"]}


def test_a_variable_may_hold_user_and_password() -> None:
    assert expand("rtsp://${LOGIN}@cam/", {"LOGIN": "admin:p@ss"}, ["LOGIN"]) == "rtsp://admin:p%40ss@cam/"


def test_parameters_in_a_path_may_be_references() -> None:
    source = "rtsp://cam/user=${U}_password=${P}_channel=1.sdp?real_stream"
    assert (
        expand(source, {"U": "a/b", "P": "c_d"}, "UP")
        == "rtsp://cam/user=a%2Fb_password=c_d_channel=1.sdp?real_stream"
    )


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("${ALL}", "path"),
        ("${DIR}/clip.mp4", "path"),
        ("/videos/${NAME}.mp4", "path"),
        ("${SCHEME}://cam/live", "path"),
        ("rtsp://${HOST}/live", "host"),
        ("rtsp://cam.${DOMAIN}:554/live", "host"),
        ("rtsp://cam:${PORT}/live", "host"),
        ("rtsp://cam/${PATH}", "path"),
        ("http://cam/${A}=1?x=1", "text without a name in its path"),
        ("rtsp://u:${A}${B}@cam/", "password"),
        ("rtsp://u:x${A}@cam/", "password"),
        ("rtsp://${A}x@cam/", "user name"),
        ("http://cam/?x=${A}y", "value of 'x' in its query"),
        ("http://cam/?${A}=1", "text without a name in its query"),
        ("http://cam/#${A}", "text after #"),
        ("http://cam/?x=${A-B}", "value of 'x' in its query"),
        ("demo://${A}", "host"),
        ("rtsp://u:${A} @cam/", "address"),
    ],
)
def test_a_reference_elsewhere_is_refused_and_its_value_is_not_read(source: str, part: str) -> None:
    class Unread(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            raise AssertionError(name)

    with pytest.raises(SourceError, match=f"^{re.escape(part)}: a reference such as"):
        expand(source, Unread(), ["*"])


@pytest.mark.parametrize(
    "name", ["HOME", "MIEN_DATABASE", "AWS_SECRET_ACCESS_KEY", "mien_camera_x", "XMIEN_CAMERA_A"]
)
def test_other_variables_cannot_be_referred_to(name: str) -> None:
    environ = {name: "hush", "MIEN_CAMERA_DOOR": "open"}
    with pytest.raises(
        SourceError, match=rf"^\$\{{{name}\}}: cameras may not refer to this variable"
    ) as caught:
        expand(f"rtsp://u:${{{name}}}@cam/", environ)
    assert "hush" not in str(caught.value)
    assert "MIEN_CAMERA_*" in str(caught.value)
    assert expand(f"rtsp://u:${{{name}}}@cam/", environ, ["DOOR_*", name]) == "rtsp://u:hush@cam/"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SourceError, match=r"\$\{MIEN_CAMERA_A\}.*set the environment variable MIEN_CAMERA_A"):
        expand("rtsp://admin:${MIEN_CAMERA_A}@cam/live", {})


@pytest.mark.parametrize(
    ("source", "camera_id"),
    [
        ("0", "webcam-0"),
        ("rtsp://host/door", "host-door"),
        ("rtsp://admin:p/w@10.0.0.5:554/Streaming/101?token=1", "10.0.0.5-554-streaming-101"),
        ("http://cam.local/video?password=s3cret", "cam.local-video"),
        ("https://cam.local/a?b=1#sha256=0000", "cam.local-a"),
        ("demo://entrance", "entrance"),
        ("clips/Front Door.MP4", "front-door"),
        ("pictures/", "pictures"),
        ("clips/\u6b63\u9762.mp4", "camera"),
        ("/clips/Stra\udcdfe.jpg", "stra-e"),
        ("file:///clips/Stra%DFe.jpg", "stra-e"),
        ("20261128", "20261128"),
        ("\u00b2", "camera"),
        ("/", "camera"),
        ("http://" + "x" * 100, "x" * 64),
    ],
)
def test_an_id_is_derived_from_the_source(source: str, camera_id: str) -> None:
    assert check_camera_id(camera_id_of(source)) == camera_id


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/clips/Front Door.MP4", "Front Door"),
        ("/clips/\u6b63\u9762.mp4", "\u6b63\u9762"),
        ("file:///clips/Stra%DFe.jpg", "Stra\\udcdfe"),
        ("rtsp://u:${A}@host/door?channel=1", "host-door"),
        ("0", "webcam-0"),
        ("/" + "x" * 250, "x" * 200),
        ("/", "camera"),
    ],
)
def test_a_name_for_people_is_derived_from_the_source(source: str, name: str) -> None:
    assert camera_name_of(source) == name


def test_a_camera_checks_itself_and_does_not_show_its_source() -> None:
    with pytest.raises(ValueError, match="camera id 'Till 1'"):
        Camera("Till 1", "0", 5)
    with pytest.raises(ValueError, match="camera till: fps 0: expected more than 0"):
        Camera("till", "0", 0)
    assert "s3cret" not in repr(Camera("till", "rtsp://u:s3cret@h/", 5))


def test_a_variable_that_is_not_utf8_is_named_and_its_value_is_not_shown() -> None:
    value = os.fsdecode(b"gr\xfc\xdf-hush")
    with pytest.raises(SourceError, match=r"^\$\{MIEN_CAMERA_A\}: its value is not UTF-8") as caught:
        expand("rtsp://admin:${MIEN_CAMERA_A}@cam/live", {"MIEN_CAMERA_A": value})
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
