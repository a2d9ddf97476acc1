"""The configuration file: text as it was written, and one line for every file that is none."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from mien.errors import SettingsError
from mien.settings import load
from mien.settings_file import MOST_BYTES, read_settings_file

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{other}'] * 9)}]\n"
    for other, one in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine lists, each with nine times the one before: 80 million values in 400 bytes."""


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "mien.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fps: 5\n\x00", "expected UTF-8 text"),
        (b"\xff\xfe\xff", "not YAML"),
        ("name: Stra\xdfe".encode("latin-1"), "expected UTF-8 text"),
        (b"fps: \x07", "expected UTF-8 text"),
        ("cameras: " + "[" * 3000, "nested too deeply"),
        ("{a: " * 3000, "nested too deeply"),
        ("- " * 3000 + "x", "nested too deeply"),
        (LAUGHS, "aliases that stand for too many values"),
        ("cameras: &a [*a]", "aliases that stand for too many values"),
        ("a: &a {<<: *a}", "aliases that stand for too many values"),
        ("cameras: *all", "undefined alias"),
        ("fps: 1\nfps: 2", "a name occurs twice"),
        (
            "cameras:\n- {id: door, source: demo://a, source: demo://b}",
            "line 2: not YAML: a name occurs twice",
        ),
        ("? [fps]\n: 1", "expected a name before the colon"),
        ("<<: 3", "<< merges mappings alone"),
        ("fps: !!python/object/apply:os.system [ls]", "is not supported"),
        ("fps: !!binary AAAA", "is not supported"),
        ("fps: 1\n---\nfps: 2", "not YAML"),
        ("just text", "expected settings as `name: value`"),
        ("[1, 2]", "expected settings as `name: value`"),
        ("#" * MOST_BYTES + "\nfps: 1", "larger than 1 MB"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_one_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    path = written(tmp_path, content)
    tracemalloc.start()
    with pytest.raises(SettingsError) as caught:
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    text = str(caught.value)
    assert text.startswith(f"{path}:")
    assert message in text
    assert "\n" not in text
    assert len(text) < len(str(path)) + 200
    assert peak < 64_000_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("cameras: 5", "cameras '5': expected a list"),
        ("cameras: rtsp://u:hush@h/", "expected a list"),
        ("cameras: {door: 1}", "cameras (a mapping): expected"),
        ("cameras: [door]", "expected a valid dictionary"),
        ("cameras: [null]", "expected a valid dictionary"),
        ("cameras: [{id: door, source: [0]}]", "cameras.0.source"),
        ("cameras: [{id: door, source: }]", "cameras.0.source"),
        (f"fps: {'9' * 5000}", "expected"),
        (f"fps: '{'x' * 5000}'", "expected a valid number"),
        ("workers: 3.5", "workers '3.5': expected a valid integer"),
        ("workers: [3]", "workers (a list): expected a valid integer"),
        ("source_networks: [10.0.0.1/8]", "expected networks such as 192.168.7.0/24"),
        ("source_networks: everywhere", "source_networks"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_in_one_short_line(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, content))
    assert message in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_deeply_nested_variable_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CAMERAS", "[" * 100_000)
    with pytest.raises(SettingsError, match=r"expected JSON"):
        load()


def test_text_is_what_was_written(tmp_path: Path) -> None:
    content = """
cameras:
  - {id: door, source: 0, name: No, site: 0123, zone: 12:30, fps: 2}
  - {id: 7, source: demo://till, name: 2026-11-28, site: 1e3, zone: "~"}
motion_gate: no
health_port:
"""
    settings = load(written(tmp_path, content))
    door, seven = settings.cameras
    assert (door.source, door.name, door.site, door.zone, door.fps) == ("0", "No", "0123", "12:30", 2)
    assert (seven.id, seven.name, seven.site, seven.zone) == ("7", "2026-11-28", "1e3", "~")
    assert settings.motion_gate is False
    assert settings.health_port is None


def test_aliases_and_merge_keys_work(tmp_path: Path) -> None:
    content = """
x: &shop {site: Berlin, fps: 2}
y:
  - {<<: *shop, fps: 3}
  - {<<: [{zone: door}, *shop]}
z: *shop
"""
    values = read_settings_file(written(tmp_path, content))
    assert values == {
        "x": {"site": "Berlin", "fps": "2"},
        "y": [{"site": "Berlin", "fps": "3"}, {"zone": "door", "site": "Berlin", "fps": "2"}],
        "z": {"site": "Berlin", "fps": "2"},
    }


def test_an_empty_file_has_no_settings(tmp_path: Path) -> None:
    assert read_settings_file(written(tmp_path, "")) == {}
    assert load(written(tmp_path, "# fps: 3\n")).fps == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("log_files: /var/log/mien", "log_files '/var/log/mien': expected a list, such as [one, other]"),
        (
            "keep_visits_days: 1000000000",
            "keep_visits_days '1000000000': expected less than or equal to 36500",
        ),
        ("oidc_issuer: 'https://[::1'", "oidc_issuer 'https://[::1': expected an address such as"),
    ],
)
def test_an_error_says_what_to_write_instead(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, content))
    assert message in str(caught.value)
