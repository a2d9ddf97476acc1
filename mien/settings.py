"""Every setting, and the only reader of the environment.

A setting is taken from the command line, else from the environment variable `MIEN_<NAME>`, else from the
configuration file, else it has the default that is defined here. `docs/configuration.md` describes them all.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as UnreadableSetting,
)

from bus.messages import check_camera_id
from common.masks import MaskError, Masks, make_masks
from common.redaction import redact_source
from common.timezones import UnknownTimezone, find_local_timezone, open_timezone
from ingest.address_policy import DEFAULT_NETWORKS, parse_network
from ingest.cameras import DEFAULT_VARIABLES
from mien.alerts.addresses import SHORTEST_SECRET, parse_mqtt, parse_webhook
from mien.errors import SettingsError
from mien.settings_file import read_settings_file
from mien.unknown_variables import describe_unknown_variable
from storage.errors import StorageError
from storage.open_hours import parse_open_hours

DEFAULT_FILE = Path("mien.yaml")
PREFIX = "MIEN_"
EMBEDDED = "embedded:"
"""The bus inside one process."""
_LONGEST_SHOWN = 80
_MOST_DAYS = 36_500
"""Of a retention: a hundred years."""
_ENVIRONMENT_ONLY = ("oidc_client_secret", "alert_webhook_secret", "alert_mqtt_password")
"""Secrets that are refused in the configuration file."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_BASE_PATH = re.compile(r"[\w.~-]*(/[\w.~-]+)*", re.ASCII)
_SECRET = {
    *("database", "bus", "source"),
    *("alert_webhook", "alert_webhook_secret", "alert_mqtt", "alert_mqtt_password"),
    *("writer_password", "reader_password", "analyst_password", "operator_password", "oidc_client_secret"),
}
"""Settings whose values may contain a password: error messages do not show them."""


def _usable_id(camera_id: str) -> str:
    try:
        return check_camera_id(camera_id)
    except ValueError:
        raise ValueError("expected 1 to 64 of a-z 0-9 . _ -, a letter or digit first") from None


def _known_timezone(name: str) -> str:
    try:
        open_timezone(name)
    except UnknownTimezone:
        raise ValueError(
            "expected an IANA time zone such as Europe/Berlin, a file or a rule of one"
        ) from None
    return name


def _usable_address(address: str) -> str:
    """An address to listen on; an empty one would be every address of this machine."""
    if not address.strip():
        raise ValueError("expected an address of this machine such as 127.0.0.1, or 0.0.0.0 for all of them")
    return address.strip()


def streamlit_path() -> str:
    """The base path that Streamlit's own variable names, "" without one."""
    return os.environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")


def _usable_path(path: str) -> str:
    path = path.strip("/")
    if not _BASE_PATH.fullmatch(path):
        raise ValueError("expected a path such as shop/mien, of a-z A-Z 0-9 . _ ~ - and /")
    return path


def _usable_url(text: str) -> str:
    """An address of a web server; without TLS on this machine alone, or where `http` is allowed."""
    try:
        parts = urlsplit(text)
    except ValueError:  # Such as an IPv6 address without its bracket.
        parts = urlsplit("")
    wrong = parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in {"http", "https"} or not parts.hostname or wrong:
        raise ValueError("expected an address such as https://shop.example/mien")
    return text.rstrip("/")


def _protected_url(text: str) -> str:
    url = _usable_url(text)
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _THIS_MACHINE:
        raise ValueError("expected an address that begins with https://")
    # An issuer is compared as it is written.
    return text


def _usable_webhook(url: SecretStr) -> SecretStr:
    parse_webhook(url.get_secret_value())
    return url


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(f"expected at least {SHORTEST_SECRET} characters")
    return secret


def _usable_mqtt(url: str) -> str:
    parse_mqtt(url)
    return url


def _known_bus(url: str) -> str:
    if url != EMBEDDED and not url.startswith("kafka://"):
        raise ValueError(f"expected {EMBEDDED} or kafka://HOST[:PORT][/TOPIC]")
    return url


def _known_networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            parse_network(text)
        except ValueError as error:
            raise ValueError(f"networks such as 192.168.7.0/24; {error}") from None
    return texts


def _in_lower_case(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text.lower() for text in texts)


_Region = tuple[float, float, float, float] | tuple[tuple[float, float], ...]


def _known_masks(regions: tuple[_Region, ...]) -> Masks:
    try:
        return make_masks(regions)
    except MaskError as error:
        raise ValueError(f"rectangles or polygons; {error}") from None


def _known_hours(text: str) -> str:
    try:
        parse_open_hours(text)
    except StorageError:
        raise ValueError("opening hours such as Mo-Sa 09:00-20:00, Su 11:00-18:00") from None
    return text.strip()


class CameraSettings(BaseModel):
    """One camera of the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, AfterValidator(_usable_id)]
    source: str = Field(min_length=1)
    name: str = ""
    site: str = ""
    zone: str = ""
    fps: float | None = Field(default=None, ge=0.1, le=120)
    thorough: bool = False
    open_hours: Annotated[str, AfterValidator(_known_hours)] | None = None
    purpose: str | None = Field(default=None, max_length=500)
    notice_at: date | None = None
    masks: Annotated[tuple[_Region, ...], AfterValidator(_known_masks)] | None = None
    expression: bool | None = None
    gender: bool | None = None


def _with_unique_ids(cameras: tuple[CameraSettings, ...]) -> tuple[CameraSettings, ...]:
    known: set[str] = set()
    for index, camera in enumerate(cameras):
        if camera.id in known:
            problem = {"error": ValueError("expected an id that no other camera has")}
            raise ValidationError.from_exception_data(
                "cameras",
                [{"type": "value_error", "loc": (index, "id"), "input": camera.id, "ctx": problem}],
            )
        known.add(camera.id)
    return cameras


_Address = Annotated[str, AfterValidator(_usable_address)]


class Settings(BaseSettings):
    """The settings of one process; see `load` for where they come from."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database: str = "sqlite:///mien.db"
    bus: Annotated[str, AfterValidator(_known_bus)] = EMBEDDED
    cameras: Annotated[tuple[CameraSettings, ...], AfterValidator(_with_unique_ids)] = ()
    source_networks: Annotated[tuple[str, ...], AfterValidator(_known_networks)] = DEFAULT_NETWORKS
    source_variables: tuple[str, ...] = DEFAULT_VARIABLES
    source_parameters: Annotated[tuple[str, ...], AfterValidator(_in_lower_case)] = ()

    fps: float = Field(default=5.0, ge=0.1, le=120)
    longest_side: int = Field(default=1280, ge=160, le=4096)
    jpeg_quality: int = Field(default=85, ge=30, le=100)
    motion_gate: bool = True
    buffer_frames: int = Field(default=16, ge=1, le=1000)
    partitions: int = Field(default=16, ge=1, le=1000)
    topic_minutes: int = Field(default=5, ge=1, le=1440)
    topic_copies: int = Field(default=1, ge=1, le=9)
    dead_letter_originals: bool = False

    workers: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 4), ge=1, le=64)
    max_frame_age: float = Field(default=2.0, gt=0, le=3600)

    writer_password: SecretStr | None = None
    reader_password: SecretStr | None = None
    analyst_password: SecretStr | None = None
    operator_password: SecretStr | None = None

    keep_visits_days: int = Field(default=400, ge=1, le=_MOST_DAYS)
    keep_observations_days: int = Field(default=30, ge=1, le=_MOST_DAYS)
    keep_coverage_days: int = Field(default=400, ge=1, le=_MOST_DAYS)
    keep_audit_days: int = Field(default=400, ge=1, le=_MOST_DAYS)

    dashboard_address: _Address = "127.0.0.1"
    dashboard_port: int = Field(default=8501, ge=1, le=65535)
    dashboard_trusted_network: bool = False
    dashboard_base_path: Annotated[str, AfterValidator(_usable_path)] = Field(default_factory=streamlit_path)
    dashboard_url: Annotated[str, AfterValidator(_usable_url)] | None = None
    users_file: Path | None = None
    session_hours: float = Field(default=8.0, gt=0, le=720)
    oidc_issuer: Annotated[str, AfterValidator(_protected_url)] | None = None
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_scopes: str = "openid email profile"
    oidc_role_claim: str = Field(default="groups", min_length=1)
    oidc_operators: tuple[str, ...] = ("mien-operators",)
    oidc_analysts: tuple[str, ...] = ("mien-analysts",)
    oidc_sites_claim: str = ""
    refresh_seconds: float = Field(default=2.0, ge=0.5, le=3600)
    suppress_below: int = Field(default=10, ge=1)
    timezone: Annotated[str, AfterValidator(_known_timezone)] = Field(
        default_factory=lambda: find_local_timezone().name
    )

    internal_address: _Address = "127.0.0.1"
    internal_port: int = Field(default=0, ge=0, le=65535)
    live_unblurred: bool = False

    alert_webhook: Annotated[SecretStr, AfterValidator(_usable_webhook)] | None = None
    alert_webhook_secret: Annotated[SecretStr, AfterValidator(_long_enough)] | None = None
    alert_mqtt: Annotated[str, AfterValidator(_usable_mqtt)] | None = None
    alert_mqtt_user: str | None = None
    alert_mqtt_password: SecretStr | None = None
    alert_ca: Path | None = None

    operator_name: str = Field(default="", max_length=200)
    contact: str = Field(default="", max_length=200)
    log_files: tuple[str, ...] = ()

    health_address: _Address = "127.0.0.1"
    health_port: int | None = Field(default=None, ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def requires_sign_in(self) -> bool:
        """Whether users of the dashboard sign in, by a password file or by OpenID Connect."""
        return self.users_file is not None or self.oidc_issuer is not None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment; `load` adds the configuration file."""
        return init_settings, env_settings


def load(file: Path | None = None, **given: Any) -> Settings:
    """The settings, those that are `given` first; None means not given.

    `file` is a YAML file that must exist; without it `mien.yaml` is read where there is one.

    Raises:
        SettingsError: naming the source, the setting, its value and what was expected.
    """
    if file is not None and not file.is_file():
        raise SettingsError(f"configuration {file}: there is no such file")
    path = file or DEFAULT_FILE
    given = {name: value for name, value in given.items() if value is not None}
    try:
        in_file = read_settings_file(path) if path.is_file() else {}
        for name in _ENVIRONMENT_ONLY:
            if name in in_file:
                raise SettingsError(
                    f"{path}: {name}: expected in the environment alone, as {PREFIX}{name.upper()}"
                )
        settings = _with_file(in_file)(**given)
    except ValidationError as error:
        raise SettingsError(_first(error, path, given)) from None
    except (UnreadableSetting, RecursionError) as error:
        raise SettingsError(_expect_json(error)) from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    unknown = describe_unknown_variable(
        os.environ, PREFIX, Settings.model_fields.keys(), settings.source_variables, settings.bus
    )
    if unknown:
        raise SettingsError(f"environment: {unknown}")
    return settings


def _expect_json(error: Exception) -> str:
    """What is wrong with a variable that is not JSON; without its value, which may contain a password."""
    named = re.search(r'field "(\w+)"', str(error))
    if named is None:
        return "environment: a value is nested too deeply, expected JSON"
    return f'{PREFIX}{named[1].upper()}: expected JSON, such as \'["one", "other"]\' for a list'


def _with_file(in_file: Mapping[str, Any]) -> type[Settings]:
    """Settings whose last source is the content of the configuration file."""

    class Configured(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            usual = super().settings_customise_sources(settings_cls, *sources, **named)
            return *usual, InitSettingsSource(settings_cls, dict(in_file))

    return Configured


_SIGN_IN = (
    *("dashboard_address", "dashboard_trusted_network", "dashboard_base_path", "dashboard_url"),
    *("users_file", "session_hours", "oidc_issuer", "oidc_client_id", "oidc_scopes", "oidc_role_claim"),
    *("oidc_operators", "oidc_analysts", "oidc_sites_claim"),
)
"""What the dashboard needs to know who may use it; the secret is in its environment already."""


def environment(settings: Settings) -> dict[str, str]:
    """The settings that a process started by this one needs, as environment variables."""
    names = (
        *("database", "bus", "refresh_seconds", "suppress_below", "timezone", "fps", "live_unblurred"),
        *("keep_visits_days", "keep_observations_days", "keep_coverage_days", "keep_audit_days"),
        *("operator_name", "contact"),
    )
    shown = {name: str(getattr(settings, name)) for name in names}
    for name in (*_SIGN_IN, "log_files", "source_parameters"):
        value = getattr(settings, name)
        if value is not None:
            shown[name] = json.dumps(value) if isinstance(value, tuple) else str(value)
    return {f"{PREFIX}{name.upper()}": value for name, value in shown.items()}


def _first(error: ValidationError, path: Path, given: Mapping[str, Any]) -> str:
    """The first problem of a validation, in one line."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    top = str(problem["loc"][0]) if problem["loc"] else ""
    variable = f"{PREFIX}{top.upper()}"
    source = "command line" if top in given else variable if variable in os.environ else str(path)
    if problem["type"] == "extra_forbidden":
        return f"{source}: {where}: there is no such setting; docs/configuration.md lists all"
    if problem["type"] == "missing":
        return f"{source}: {where}: is missing"
    secret = _SECRET & {str(part) for part in problem["loc"]}
    value = "" if secret else f" {_shown(problem['input'])}"
    if problem["type"] == "tuple_type":
        return f"{source}: {where}{value}: expected a list, such as [one, other]"
    wanted = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{source}: {where}{value}: expected {wanted.removeprefix('expected ')}"


def _shown(value: object) -> str:
    """A value for a message: short, and without secrets wherever a user has put them by mistake."""
    if isinstance(value, dict | list | tuple):
        return f"(a {'mapping' if isinstance(value, dict) else 'list'})"
    text = repr(redact_source(value) if isinstance(value, str) else value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
