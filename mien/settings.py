"""Every setting, and the only reader of the environment.

A setting is taken from the command line, else from the environment variable `MIEN_<NAME>`, else from the
configuration file, else it has the default that is defined here. `docs/configuration.md` describes them all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)
from pydantic_settings import (
    SettingsError as UnreadableSetting,
)

from bus.messages import check_camera_id
from mien.errors import SettingsError

DEFAULT_FILE = Path("mien.yaml")
PREFIX = "MIEN_"
EMBEDDED = "embedded:"
"""The bus inside one process."""
_SECRET = {"database", "bus", "source", "writer_password", "reader_password"}
"""Settings whose values may contain a password: error messages do not show them."""


def local_timezone() -> str:
    """The IANA name of this machine's time zone, "UTC" where the machine names none."""
    named = os.environ.get("TZ", "").lstrip(":")
    linked = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    for name in (named, linked):
        if name and _is_timezone(name):
            return name
    return "UTC"


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _usable_id(camera_id: str) -> str:
    try:
        return check_camera_id(camera_id)
    except ValueError:
        raise ValueError("expected 1 to 64 of a-z 0-9 . _ -, a letter or digit first") from None


def _known_timezone(name: str) -> str:
    if not _is_timezone(name):
        raise ValueError("expected an IANA time zone such as Europe/Berlin")
    return name


def _known_bus(url: str) -> str:
    if url != EMBEDDED and not url.startswith("kafka://"):
        raise ValueError(f"expected {EMBEDDED} or kafka://HOST[:PORT][/TOPIC]")
    return url


class CameraSettings(BaseModel):
    """One camera of the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, AfterValidator(_usable_id)]
    source: str = Field(min_length=1)
    name: str = ""
    site: str = ""
    zone: str = ""
    fps: float | None = Field(default=None, gt=0, le=120)


class Settings(BaseSettings):
    """The settings of one process; see `load` for where they come from."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database: str = "sqlite:///mien.db"
    bus: Annotated[str, AfterValidator(_known_bus)] = EMBEDDED
    cameras: tuple[CameraSettings, ...] = ()

    fps: float = Field(default=5.0, gt=0, le=120)
    longest_side: int = Field(default=1280, ge=160, le=4096)
    jpeg_quality: int = Field(default=85, ge=30, le=100)
    buffer_frames: int = Field(default=16, ge=1, le=1000)
    partitions: int = Field(default=16, ge=1, le=1000)
    topic_minutes: int = Field(default=5, ge=1, le=1440)
    topic_copies: int = Field(default=1, ge=1, le=9)

    workers: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 4), ge=1, le=64)
    max_frame_age: float = Field(default=2.0, gt=0, le=3600)

    writer_password: SecretStr | None = None
    reader_password: SecretStr | None = None

    keep_visits_days: int = Field(default=400, ge=1)
    keep_observations_days: int = Field(default=30, ge=1)
    keep_coverage_days: int = Field(default=400, ge=1)

    dashboard_address: str = "127.0.0.1"
    dashboard_port: int = Field(default=8501, ge=1, le=65535)
    dashboard_trusted_network: bool = False
    refresh_seconds: float = Field(default=2.0, ge=0.5, le=3600)
    suppress_below: int = Field(default=10, ge=1)
    timezone: Annotated[str, AfterValidator(_known_timezone)] = Field(default_factory=local_timezone)

    health_address: str = "127.0.0.1"
    health_port: int | None = Field(default=None, ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, configuration file, in this order."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)


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

    class Configured(Settings):
        model_config = SettingsConfigDict(yaml_file=path)

    try:
        return Configured(**given)
    except ValidationError as error:
        raise SettingsError(_first(error, path, given)) from None
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise SettingsError(f"{path}:{line} not YAML: {error.problem}") from None
    except UnreadableSetting as error:
        raise SettingsError(f"environment: {error}: expected JSON") from None
    except (ValueError, TypeError, OSError) as error:
        raise SettingsError(f"{path}: expected settings as `name: value`, one per line") from error


def environment(settings: Settings) -> dict[str, str]:
    """The settings that a process started by this one needs, as environment variables."""
    names = ("database", "refresh_seconds", "suppress_below", "timezone", "fps")
    return {f"{PREFIX}{name.upper()}": str(getattr(settings, name)) for name in names}


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
    value = "" if secret else f" {problem['input']!r}"
    wanted = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{source}: {where}{value}: expected {wanted.removeprefix('expected ')}"
