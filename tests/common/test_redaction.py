"""Redaction hides secrets wherever they are, and little else."""

from __future__ import annotations

import os
import random
import string
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from common.redaction import redact, redact_source

SPECIAL = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
LETTERS = string.ascii_letters + string.digits + "äß字"
SOURCES = (
    "rtsp://viewer:{}@10.0.0.5:554/live?channel=1",
    "rtsp://{}:${{MIEN_CAMERA_DOOR}}@10.0.0.5/live",
    "rtsp://{}@10.0.0.5/live",
    "http://:{}@cam.local/",
    "http://{}:@cam.local/",
    "http://cam/video?psw={}&channel=1",
    "http://cam/video?channel=1&loginpas={}",
    "http://cam/video?channel=1;token={};fps=2",
    "http://cam/video?{}",
    "http://cam/video?channel=1&{}",
    "http://cam/video?channel=1#{}",
    "http://cam/a/key={}/b",
    "rtsp://cam/user={}",
    "rtsp://cam/user=${{A}}_password={}",
    "rtsp://cam/user=${{A}}&password={}&channel=1",
    "https://u:${{B}}@cam/video;login={}",
    "gopher://{}@cam",
    "viewer:{}@10.0.0.5/live",
)
TEXTS = ("{}", "source {}: refused", "cannot open '{}'.", "a\nb {} c\n", "rtsp://other/x and {}")


def secrets(random_: random.Random, count: int, letters: str) -> Iterator[str]:
    """Random secrets; a recognizable middle makes a part that is left over visible."""
    for _ in range(count):
        ends = ["".join(random_.choices(letters, k=random_.randrange(6))) for _ in range(2)]
        yield f"{ends[0]}Hush{random_.randrange(10**6)}{ends[1]}"


@pytest.mark.parametrize("template", SOURCES)
def test_a_random_secret_of_a_source_is_never_shown(template: str) -> None:
    random_ = random.Random(template)
    for secret in secrets(random_, 300, LETTERS + SPECIAL + " \t"):
        shown = redact_source(template.format(secret))
        assert "Hush" not in shown, secret
        assert secret not in shown


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("template", SOURCES)
def test_a_random_secret_in_a_text_is_never_shown(template: str, text: str) -> None:
    random_ = random.Random(template + text)
    for secret in secrets(random_, 100, LETTERS + SPECIAL):
        shown = redact(text.format(template.format(secret)))
        assert "Hush" not in shown, secret


@pytest.mark.parametrize("text", ["{}", "realm {} of", "GET /{} HTTP/1.1", "x{}y"])
def test_a_known_secret_is_hidden_everywhere_and_in_every_encoding(text: str) -> None:
    random_ = random.Random(text)
    for secret in secrets(random_, 100, LETTERS + SPECIAL + " "):
        for form in (secret, quote(secret, safe=""), quote(secret, safe=":")):
            assert "Hush" not in redact(text.format(form), [secret, "other", ""])


@pytest.mark.parametrize("secret", [b"gr\xfc\xdfHush", b"Hush/\xff\xfe:", b"\xed\xa0\x80Hush"])
def test_a_known_secret_that_is_not_utf8_is_hidden_in_every_encoding(secret: bytes) -> None:
    text = os.fsdecode(secret)
    for form in (text, quote(secret, safe=""), quote(secret, safe=":")):
        assert redact(f"the camera refuses {form}, again", [text]) == "the camera refuses ***, again"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://viewer:${DOOR}@10.0.0.5/1?channel=2", "rtsp://***:${DOOR}@10.0.0.5/1?channel=2"),
        ("rtsp://${U}:${P}@h/x", "rtsp://${U}:${P}@h/x"),
        ("rtsp://u:p@h/x", "rtsp://***@h/x"),
        ("rtsp://p@h/x", "rtsp://***@h/x"),
        ("http://h/v?psw=p&fps=2&x=${A}", "http://h/v?psw=***&fps=2&x=${A}"),
        ("rtsp://h/user=a_password=b_channel=1.sdp?real_stream", "rtsp://h/user=***?real_stream"),
        ("rtsp://u:p q@h/x", "rtsp://***"),
        ("u:p@h/x", "***@h/x"),
        ("/videos/a=b@c.mp4", "/videos/a=b@c.mp4"),
        ("0", "0"),
    ],
)
def test_the_harmless_parts_of_a_source_are_shown(source: str, shown: str) -> None:
    assert redact_source(source) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two: rtsp://a:x@one/1 and rtsp://b:y@two/2.", "two: rtsp://***@one/1 and rtsp://***@two/2."),
        ("GET /video?x=hush&fps=2 HTTP/1.1", "GET /video?x=***&fps=2 HTTP/1.1"),
        ("Authorization: Basic aHVzaA==", "Authorization: ***"),
        ("connect: password=hush host=db", "connect: password=*** host=db"),
        ("postgresql://u:p@h:5/x?sslmode=verify-full: no", "postgresql://***@h:5/x?sslmode=***: no"),
    ],
)
def test_secrets_in_the_texts_of_libraries_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://cam:8080/video?channel=1",
        "10:30 mail a@b",
        "clip.mp4",
        "camera door: retrying: no answer within 10 s",
        "database sqlite:///mien.db: locked",
        "Dashboard: http://127.0.0.1:8501   (Ctrl-C stops)",
        "rtsp://${MIEN_CAMERA_USER}:${MIEN_CAMERA_PASSWORD}@cam/x",
        "http://cam/video?token=${MIEN_CAMERA_TOKEN}",
    ],
)
def test_text_without_a_secret_stays(text: str) -> None:
    assert redact(text) == text
