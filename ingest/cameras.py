"""Cameras to be watched, and the values of the environment in their sources."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol
from urllib.parse import quote

from bus.messages import EVERYTHING, Switches, check_camera_id
from common.log_lines import one_line
from common.masks import Masks
from common.source_identity import is_webcam, path_of
from common.source_parts import Part, split_source
from ingest.errors import SourceError

DEFAULT_VARIABLES = ("MIEN_CAMERA_*",)
"""Patterns of the names of environment variables that cameras may refer to."""

_NOT_IN_AN_ID = re.compile(r"[^a-z0-9._-]+")
_LONGEST_ID = 64
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class CameraPolicy:
    """`masks`: regions that are never captured. `switches`: what is estimated of the visitors."""

    masks: Masks = ()
    switches: Switches = EVERYTHING


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera to be watched.

    `source` is written as for `ingest.sources.open_source` and may refer to environment variables as
    `${NAME}`. `fps` pictures per second are sampled, None samples every one. The pictures of a `thorough` one
    are not reduced, so that small faces can be found in them. `closed` says why the camera is not captured
    at present, by its schedule; empty where it is. `policy` can change without a restart.
    """

    id: str
    source: str = field(repr=False)
    fps: float | None
    paused: bool = False
    pause_reason: str = ""
    thorough: bool = False
    closed: str = ""
    policy: CameraPolicy = field(default_factory=CameraPolicy)

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


def expand(source: str, environ: Mapping[str, str], variables: Collection[str] = DEFAULT_VARIABLES) -> str:
    """`source` with each `${NAME}` replaced by that variable's value.

    A reference is a whole user name, password or value of a parameter, and nothing else of an address. The
    value is percent-encoded, so that a variable holds a password unencoded, whatever characters it has.

    Args:
        source: a camera's source.
        environ: the environment.
        variables: patterns (`fnmatch`) of the names that cameras may refer to.

    Raises:
        SourceError: names the variable that is missing, not allowed or not UTF-8, or the part that may not be
        a reference.
    """
    return "".join(_expand_part(part, environ, variables) for part in split_source(source))


def _expand_part(part: Part, environ: Mapping[str, str], variables: Collection[str]) -> str:
    name = part.reference
    if name is None:
        if "${" in part.text:
            raise SourceError(
                f"{part.field}: a reference such as ${{MIEN_CAMERA_DOOR}} is a whole user name, password or "
                "value of a parameter; it cannot be a part of one, nor anything else of a source"
            )
        return part.text
    if not any(fnmatchcase(name, pattern) for pattern in variables):
        allowed = ", ".join(variables) or "none"
        raise SourceError(
            f"${{{name}}}: cameras may not refer to this variable (allowed: {allowed}); rename it to "
            f"MIEN_CAMERA_{name}, or add its name to source_variables"
        )
    if name not in environ:
        raise SourceError(f"${{{name}}} is not set: set the environment variable {name}")
    try:
        # One variable may hold `user:password`.
        return quote(environ[name], safe=":" if part.kind == "user" else "")
    except UnicodeEncodeError:
        raise SourceError(
            f"${{{name}}}: its value is not UTF-8: set the environment variable {name} again"
        ) from None


def camera_id_of(source: str) -> str:
    """A camera id derived from a source; the caller makes it unique.

    "0" gives "webcam-0", "rtsp://host/door" "host-door", "demo://entrance" "entrance", a path its name
    without the suffix. Logins and queries never become part of it.
    """
    if is_webcam(source):
        return f"webcam-{source}"
    path = path_of(source)
    rest = source.partition("://")[2]
    text = rest.rpartition("@")[2].partition("#")[0].partition("?")[0] if path is None else path.stem
    return _NOT_IN_AN_ID.sub("-", text.lower())[:_LONGEST_ID].strip("-._") or "camera"


def camera_name_of(source: str) -> str:
    """A name for people derived from a source: the name of a file in any script, otherwise the id."""
    path = path_of(source)
    name = one_line(path.stem)[:_LONGEST_NAME] if path else ""
    return name or camera_id_of(source)
