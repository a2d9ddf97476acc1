"""Cameras to be watched; a source can be shown without its passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Protocol
from urllib.parse import quote

from bus.messages import check_camera_id
from ingest.errors import SourceError

_HIDDEN = "***"
# Greedy up to the last @: a password may itself contain @, / or #. Too much is hidden rather than too little.
_PASSWORD = re.compile(r"(://[^\s/:]*:)\S*@")
_SECRET_PARAMETER = re.compile(
    r"([?&;][\w.-]*(?:pass|pwd|pw|token|secret|key|auth|sig|cred)[\w.-]*=)[^&\s]*", re.IGNORECASE
)
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_NOT_IN_AN_ID = re.compile(r"[^a-z0-9._-]+")
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera to be watched.

    `source` is written as for `ingest.sources.open_source` and may refer to environment variables as
    `${NAME}`. `fps` pictures per second are sampled, None samples every one.
    """

    id: str
    source: str = field(repr=False)
    fps: float | None
    paused: bool = False
    pause_reason: str = ""

    def __post_init__(self) -> None:
        check_camera_id(self.id)
        if self.fps is not None and not self.fps > 0:
            raise ValueError(f"camera {self.id}: fps {self.fps}: expected more than 0")


class CameraList(Protocol):
    """The cameras to be watched, as they are registered at present."""

    def cameras(self) -> Sequence[Camera]:
        """The cameras to be watched now, each id once; called every few seconds.

        Raises:
            SinkUnavailable: the list cannot be read at present; the previous list stays in force.
        """


def redact(text: str) -> str:
    """`text` with the passwords of every URL in it hidden, in the login and in the query."""
    return _SECRET_PARAMETER.sub(rf"\1{_HIDDEN}", _PASSWORD.sub(rf"\1{_HIDDEN}@", text))


def expand(source: str, environ: Mapping[str, str]) -> str:
    """`source` with each `${NAME}` replaced by that variable's value.

    In the login and the query of a URL the value is percent-encoded, so that a variable holds a password
    unencoded, whatever characters it has.

    Raises:
        SourceError: names the variable that is missing.
    """
    login_ends = source.rfind("@") if "://" in source else -1
    query_begins = source.find("?") if "://" in source else -1

    def value(reference: re.Match[str]) -> str:
        name, at = reference[1], reference.start()
        if name not in environ:
            raise SourceError(f"${{{name}}} is not set: set the environment variable {name}")
        in_login = source.find("://") < at < login_ends
        in_query = 0 <= query_begins < at
        return quote(environ[name], safe=":") if in_login or in_query else environ[name]

    return _REFERENCE.sub(value, source)


def camera_id_of(source: str) -> str:
    """A camera id derived from a source; the caller makes it unique.

    "0" gives "webcam-0", "rtsp://host/door" "host-door", "demo://entrance" "entrance", a path its name
    without the suffix. Logins and queries never become part of it.
    """
    if source.isdigit():
        return f"webcam-{source}"[:_LONGEST_ID]
    scheme, separator, rest = source.partition("://")
    text = rest.rpartition("@")[2].partition("?")[0] if separator else PurePath(scheme).stem
    return _NOT_IN_AN_ID.sub("-", text.lower())[:_LONGEST_ID].strip("-._") or "camera"
