"""Settings from arguments, environment and file, and error messages for invalid ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mien.errors import SettingsError
from mien.settings import CameraSettings, Settings, environment, load

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No configuration file and no variable of the caller has an effect."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MIEN_{name.upper()}", raising=False)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "mien.yaml"
    path.write_text(text)
    return path


def refusal(text: str, folder: Path) -> str:
    path = written(folder, text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_arguments_override_environment_file_and_defaults_in_this_order(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(elsewhere, "fps: 1\njpeg_quality: 40\nworkers: 3\n")
    monkeypatch.setenv("MIEN_FPS", "2")
    monkeypatch.setenv("MIEN_WORKERS", "4")
    settings = load(workers=5, jpeg_quality=None)
    assert (settings.workers, settings.fps, settings.jpeg_quality) == (5, 2, 40)
    assert settings.longest_side == 1280


def test_cameras_of_the_file(elsewhere: Path) -> None:
    path = written(
        elsewhere, "cameras:\n  - {id: door, source: 'rtsp://u:${MIEN_CAMERA_A}@h/1', site: Berlin, fps: 2}\n"
    )
    assert load(path).cameras == (
        CameraSettings(id="door", source="rtsp://u:${MIEN_CAMERA_A}@h/1", site="Berlin", fps=2),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fps: fast\n", "fps 'fast': expected a valid number"),
        ("fps: 0.05\n", "fps '0.05': expected greater than or equal to 0.1"),
        ("frames: 3\n", "frames: there is no such setting"),
        ("cameras: [{id: Door 1, source: x}]\n", "cameras.0.id 'Door 1': expected 1 to 64 of a-z"),
        ("cameras: [{id: door}]\n", "cameras.0.source: is missing"),
        ("cameras: [{id: door, source: x, fsp: 3}]\n", "cameras.0.fsp: there is no such setting"),
        ("timezone: Mars/Olympus\n", "timezone 'Mars/Olympus': expected an IANA time zone"),
        ("log_level: loud\n", "log_level 'loud': expected 'debug', 'info'"),
        (
            "cameras: [{id: a, source: x}, {id: a, source: y}]\n",
            "cameras.1.id 'a': expected an id that no other camera has",
        ),
        ("health_address: ''\n", "health_address '': expected an address of this machine such as 127.0.0.1"),
        ("internal_address: ' '\n", "internal_address ' ': expected an address of this machine"),
        ("dashboard_address: ''\n", "dashboard_address '': expected an address of this machine"),
        ("- fps\n", "expected settings as `name: value`"),
        ("a: [1,\nfps: {", "line 2: not YAML"),
    ],
)
def test_an_error_names_setting_value_and_expectation(text: str, message: str, elsewhere: Path) -> None:
    assert refusal(text, elsewhere).startswith(message)


def test_an_error_names_the_source_of_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SettingsError, match=r"^command line: fps -1.0: expected greater than or equal to 0.1$"
    ):
        load(fps=-1.0)
    monkeypatch.setenv("MIEN_WORKERS", "none")
    with pytest.raises(SettingsError, match=r"^MIEN_WORKERS: workers 'none': expected a valid integer"):
        load()
    monkeypatch.setenv("MIEN_CAMERAS", "door")
    with pytest.raises(SettingsError, match=r"^MIEN_CAMERAS: expected JSON, such as '\["):
        load()


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("MIEN_KEEP_VISIT_DAYS", "MIEN_KEEP_VISITS_DAYS"),
        ("mien_time_zone", "MIEN_TIMEZONE"),
        ("MIEN_CAMARA_DOOR", "MIEN_CAMERA_*"),
    ],
)
def test_a_variable_that_nothing_reads_is_refused_with_the_nearest_name(
    variable: str, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "hush")
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value) == (
        f"environment: {variable}: there is no such setting; the nearest name is {nearest}; "
        "docs/configuration.md lists all"
    )


def test_variables_that_something_reads_are_accepted(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(elsewhere, "source_variables: [MIEN_SHOP_*]\nbus: 'kafka://u:${MIEN_KAFKA}@h'\n")
    for name in ("MIEN_SHOP_A", "MIEN_KAFKA", "MIEN_CAMERA_A", "MIEN_DATA", "MIEN_TEST_X"):
        monkeypatch.setenv(name, "1")
    # Kubernetes sets these where a Service is called mien, or mien-web.
    for name in ("MIEN_SERVICE_HOST", "MIEN_PORT", "MIEN_WEB_SERVICE_PORT_HTTP", "MIEN_PORT_80_TCP_ADDR"):
        monkeypatch.setenv(name, "10.0.0.1")
    monkeypatch.setenv("mien_fps", "3")
    assert load().fps == 3
    (elsewhere / "mien.yaml").unlink()
    with pytest.raises(SettingsError, match="MIEN_KAFKA: there is no such setting"):
        load()


def test_a_file_that_is_named_must_exist(elsewhere: Path) -> None:
    with pytest.raises(SettingsError, match=r"other.yaml: there is no such file"):
        load(elsewhere / "other.yaml")


def test_no_error_shows_a_password(elsewhere: Path) -> None:
    assert "secret" not in refusal("database: ['postgresql://u:secret@h/d']\n", elsewhere)
    assert "secret" not in refusal("cameras: [{id: door, source: {a: 'rtsp://u:secret@h'}}]\n", elsewhere)


def test_a_child_process_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    given = load(
        database="sqlite:///other.db",
        suppress_below=3,
        refresh_seconds=1.5,
        timezone="Asia/Tokyo",
        dashboard_address="0.0.0.0",
        dashboard_url="https://shop.example/mien",
        dashboard_base_path="mien",
        users_file="users.json",
        session_hours=1.5,
        oidc_issuer="https://login.example/",
        oidc_operators=("a b", 'c"'),
    )
    for name, value in environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings().model_dump() == given.model_dump()


def test_the_secret_of_the_client_is_in_the_environment_alone(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refusal("oidc_client_secret: hush\n", elsewhere)
    assert "oidc_client_secret: expected in the environment alone, as MIEN_OIDC_CLIENT_SECRET" in message
    assert "hush" not in message
    (elsewhere / "mien.yaml").unlink()
    monkeypatch.setenv("MIEN_OIDC_CLIENT_SECRET", "hush")
    settings = load()
    assert "hush" not in repr(settings)
    assert "MIEN_OIDC_CLIENT_SECRET" not in environment(settings), "the child inherits it"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("oidc_issuer", "http://login.example"),
        ("oidc_issuer", "login.example"),
        ("oidc_issuer", "https://u:secret@login.example"),
        ("dashboard_url", "shop.example/mien"),
        ("dashboard_url", "javascript://x"),
        ("dashboard_url", "https://shop.example/?a=b"),
        ("session_hours", "0"),
        ("session_hours", "nan"),
    ],
)
def test_a_setting_of_sign_in_that_is_not_safe_is_refused(elsewhere: Path, setting: str, value: str) -> None:
    message = refusal(f"{setting}: '{value}'\n", elsewhere)
    assert f"{setting}" in message
    assert "secret" not in message


def test_every_setting_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", DOCS.read_text(), re.MULTILINE))
    for name, field in Settings.model_fields.items():
        assert name in rows, f"{name} is missing in {DOCS.name}"
        if field.default_factory is None and field.default != ():
            default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
            if isinstance(field.default, tuple):
                default = ", ".join(field.default)
            assert rows[name].replace("`", "").strip() == default, (
                f"{name} has another default in {DOCS.name}"
            )
