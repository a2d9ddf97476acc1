"""Cameras, their ids, and passwords that stay hidden."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from bus.messages import check_camera_id
from ingest.cameras import Camera, camera_id_of, expand, redact
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
@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:{}@10.0.0.5:554/live",
        "cannot open 'http://admin:{}@cam.local/video?channel=1': refused",
        "two: rtsp://a:{0}@one/x and rtsp://user@shop:{0}@two/y",
        "rtsp://:{}@host/",
    ],
)
def test_a_password_in_a_url_is_hidden(password: str, text: str) -> None:
    hidden = redact(text.format(password))
    assert password not in hidden
    assert "***@" in hidden


@pytest.mark.parametrize("name", ["password", "PWD", "token", "access_token", "apiKey", "X-Auth", "secret2"])
def test_a_secret_in_a_query_is_hidden(name: str) -> None:
    hidden = redact(f"http://cam/video?channel=1&{name}=v3ry#s;cret&size=2")
    assert hidden == f"http://cam/video?channel=1&{name}=***&size=2"


@pytest.mark.parametrize(
    "text", ["http://cam:8080/video?channel=1", "10:30 mail a@b", "clip.mp4", "rtsp://u@h/x"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_variable_holds_a_password_as_it_is(password: str) -> None:
    url = urlsplit(expand("rtsp://admin:${DOOR}@cam/live?key=${DOOR}", {"DOOR": password}))
    assert (url.username, url.hostname, url.path) == ("admin", "cam", "/live")
    assert "@" not in url.query


def test_references_outside_of_login_and_query_are_taken_as_they_are() -> None:
    environ = {"HOST": "10.0.0.5:554", "PATH_": "a/b", "ALL": "rtsp://u:p@h/x?y=1", "DIR": "/data"}
    assert expand("rtsp://${HOST}/${PATH_}", environ) == "rtsp://10.0.0.5:554/a/b"
    assert expand("${ALL}", environ) == "rtsp://u:p@h/x?y=1"
    assert expand("${DIR}/clip.mp4", environ) == "/data/clip.mp4"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SourceError, match=r"\$\{DOOR\}.*set the environment variable DOOR"):
        expand("rtsp://admin:${DOOR}@cam/live", {})


@pytest.mark.parametrize(
    ("source", "camera_id"),
    [
        ("0", "webcam-0"),
        ("rtsp://host/door", "host-door"),
        ("rtsp://admin:p/w@10.0.0.5:554/Streaming/101?token=1", "10.0.0.5-554-streaming-101"),
        ("http://cam.local/video?password=s3cret", "cam.local-video"),
        ("demo://entrance", "entrance"),
        ("clips/Front Door.MP4", "front-door"),
        ("pictures/", "pictures"),
        ("${DOOR_URL}", "door_url"),
        ("/", "camera"),
        ("http://" + "x" * 100, "x" * 64),
    ],
)
def test_an_id_tells_where_a_source_leads(source: str, camera_id: str) -> None:
    assert check_camera_id(camera_id_of(source)) == camera_id


def test_a_camera_checks_itself_and_does_not_show_its_source() -> None:
    with pytest.raises(ValueError, match="camera id 'Till 1'"):
        Camera("Till 1", "0", 5)
    with pytest.raises(ValueError, match="camera till: fps 0: expected more than 0"):
        Camera("till", "0", 0)
    assert "s3cret" not in repr(Camera("till", "rtsp://u:s3cret@h/", 5))
