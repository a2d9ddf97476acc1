"""The parts of a camera's source: which of them may hold a secret, which are references to the environment.

A camera's address has user and password (the user info), and parameters in its query, sometimes in its path
(`/user=..._password=...`). Manufacturers name these parameters as they like, so that no list of words finds
the secret ones. Every value is therefore a secret unless its parameter is known to be harmless.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

# fmt: off
HARMLESS = frozenset(
    {
        "action", "audio", "audiocodec", "bitrate", "cam", "camera", "cameraid", "camid", "ch",
        "channel", "channelid", "channelno", "channels", "chid", "chn", "chno", "codec", "color",
        "colour", "compression", "date", "duration", "enablesrtp", "fmt", "format", "fps", "framerate",
        "frames", "gop", "h", "h264", "h265", "height", "input", "interval", "keyframeinterval",
        "level", "live", "media", "mirror", "mjpeg", "mode", "monitor", "motion", "nbframes", "overlay",
        "preset", "profile", "proto", "protocol", "q", "quality", "rate", "real_stream", "refresh",
        "req_fps", "res", "resolution", "rotate", "rotation", "scale", "sensor", "size", "source",
        "speed", "stream", "streamid", "streamname", "streamno", "streamprofile", "streamtype",
        "substream", "subtype", "svc", "track", "trackid", "transport", "transportmode", "type",
        "unicast", "vcodec", "video", "videocodec", "videocodectype", "videokeyframeinterval",
        "videostream", "view", "viewid", "w", "width",
    }
)
# fmt: on
"""Parameters, in lower case, whose values are shown and stored."""

REFERENCE = re.compile(r"\$\{(\w+)\}")
"""`${NAME}`: the value of an environment variable."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_UNEXPECTED = re.compile(r"[\s\\\x00-\x1f\x7f\x80-\x9f]")
"""Characters that no address contains; two programs would split such an address differently."""
_FINGERPRINT = re.compile(r"sha256=[0-9A-Fa-f:]{64,95}")
"""The certificate of a camera, pinned in its address."""
_KEY = re.compile(r"[A-Za-z][\w.\[\]-]{0,31}", re.ASCII)
_WORD = re.compile(r"[A-Za-z_.-]{1,20}")
"""The name of a parameter; other texts before `=` may belong to a secret."""
_KEY_ALONE = re.compile(r"[a-z_]{1,12}")
"""A parameter without a value, such as `password=`; a longer text before `=` may be base64."""
_HARMLESS_VALUE = re.compile(r"[\w.,:*+%-]{1,64}", re.ASCII)
_NEXT_PATH_PARAMETER = re.compile(r"_(?=[A-Za-z][A-Za-z0-9.-]*=)")

Kind = Literal["text", "user", "password", "value", "unknown"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a source.

    `kind` is "text" for what is never a secret (scheme, host, path, names of parameters), "user" and
    "password" for the user info, "value" for parameters, and "unknown" for what cannot be split or has no
    meaning. `field` names the part for messages; it holds no secret.
    """

    text: str
    kind: Kind = "text"
    field: str = ""
    key: str = ""

    @property
    def reference(self) -> str | None:
        """The name of the variable where a user name, password or value is a reference and nothing else."""
        match = REFERENCE.fullmatch(self.text) if self.kind not in ("text", "unknown") else None
        return match[1] if match else None


def split_source(source: str) -> list[Part]:
    """Split a source into parts; their texts joined are the source.

    A source without `://`, such as a path or the number of a webcam, is one part of kind "text". An address
    that is not well-formed is one unknown part after its scheme, since it is unknown where its secrets begin
    and end.
    """
    scheme, separator, rest = source.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return [Part(source, field="path")]
    start = Part(f"{scheme}://", field="scheme")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    authority, tail = rest[:end], rest[end:]
    if _UNEXPECTED.search(rest) or "@" in tail:
        return [start, Part(rest, "unknown", "address")]
    path_and_query, sign, fragment = tail.partition("#")
    path, question, query = path_and_query.partition("?")
    parts = [start, *_authority(authority), *_path(path)]
    if question:
        parts += [Part("?"), *_parameters(query, r"([&;])", "query")]
    if _FINGERPRINT.fullmatch(fragment):
        parts.append(Part(f"#{fragment}", field="fingerprint"))
    elif sign:
        parts += [Part("#"), Part(fragment, "unknown", "text after #")]
    return [part for part in parts if part.text]


def is_harmless(part: Part, harmless: Collection[str]) -> bool:
    """Whether a part can be shown: it is text or a reference, or a plain value of a harmless parameter."""
    if part.kind == "text" or part.reference:
        return True
    if part.kind != "value" or part.key.lower() not in harmless:
        return False
    return part.text == part.key or bool(_HARMLESS_VALUE.fullmatch(part.text))


def is_name(part: Part) -> bool:
    """Whether a part is `key=`, and the key looks like the name of a parameter."""
    return part.field == "parameter" and bool(_WORD.fullmatch(part.key))


def find_literal_secret(source: str, further: Collection[str] = ()) -> str | None:
    """Name the first part of a source that may be a secret written out, None where there is none.

    A user name may be written out where the password after it is a reference; without one it may be a token.
    `further` are harmless parameters in addition to `HARMLESS`, in lower case. The name contains no secret.
    """
    parts = split_source(source)
    harmless = HARMLESS | set(further)
    has_reference = any(part.kind == "password" and part.reference for part in parts)
    for part in parts:
        if not (is_harmless(part, harmless) or (part.kind == "user" and has_reference and part.text)):
            return part.field
    return None


def explain_literal_secret(field: str) -> str:
    """The message for what `find_literal_secret` found: the field and the fix."""
    if field == "address":
        return (
            "source: its address contains a space, a backslash or a control character, or an @ behind the "
            "host; write it percent-encoded (@ as %40), and user and password as ${MIEN_CAMERA_...}"
        )
    return (
        f"source: {field} may be a secret and is written out; write ${{MIEN_CAMERA_...}} in its place and "
        "set that variable. If it is no secret, add the name of its parameter to source_parameters"
    )


def literal_secrets(source: str) -> frozenset[str]:
    """The texts of a source that may be secrets written out."""
    return frozenset(part.text for part in split_source(source) if not is_harmless(part, HARMLESS))


def references(source: str) -> frozenset[str]:
    """The names of the environment variables to which a source refers."""
    return frozenset(part.reference for part in split_source(source) if part.reference)


def _authority(authority: str) -> Iterator[Part]:
    login, at, host = authority.rpartition("@")
    user, colon, password = login.partition(":")
    yield Part(user, "user", "user name")
    yield Part(colon, field="login")
    yield Part(password, "password", "password")
    yield Part(at, field="login")
    yield Part(host, field="host")


def _path(path: str) -> Iterator[Part]:
    """The parts of a path; behind its first parameter everything is one."""
    has_parameters = False
    for number, piece in enumerate(re.split(r"([/&;,])", path)):
        has_parameters = has_parameters or "=" in piece
        if number % 2 or not has_parameters or not piece:
            yield Part(piece, field="path")
            continue
        for count, parameter in enumerate(_NEXT_PATH_PARAMETER.split(piece)):
            yield Part("_" if count else "", field="path")
            yield from _parameter(parameter, "path")


def _parameters(text: str, separators: str, where: str) -> Iterator[Part]:
    for number, parameter in enumerate(re.split(separators, text)):
        if number % 2:
            yield Part(parameter)
        else:
            yield from _parameter(parameter, where)


def _parameter(text: str, where: str) -> Iterator[Part]:
    """The parts of `key=value`; without a usable key all of it may be a secret, such as `?c2VjcmV0==`."""
    key, equals, value = text.partition("=")
    if _KEY.fullmatch(key) and value and not value.startswith("="):
        name = f"value of {key!r}" if _WORD.fullmatch(key) else "value"
        yield Part(f"{key}=", field="parameter", key=key)
        yield Part(value, "value", f"{name} in its {where}", key)
    elif not value and _KEY_ALONE.fullmatch(key) and equals:
        yield Part(text)
    elif not equals or not _KEY.fullmatch(key):
        yield Part(text, "value", f"text without a name in its {where}", text)
    else:
        yield Part(text, "value", f"text with = in its {where}")
