"""Identity of a camera's source: which texts name the same camera, in whatever way they are written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from common.source_parts import split_source

FILE = "file://"
"""Scheme of paths that are stored percent-encoded, since no text column can hold their bytes."""

_MOST_DIGITS = 4
_NOT_IN_AN_IDENTITY = ("user name", "password", "login", "host", "fingerprint")
_PORTS = {"rtsp": "554", "rtsps": "322", "http": "80", "https": "443"}


def is_webcam(source: str) -> bool:
    """Whether a source is the number of a webcam: up to four of the digits 0 to 9, and nothing else."""
    return source.isascii() and source.isdigit() and len(source) <= _MOST_DIGITS


def webcam_device(number: str) -> Path:
    """The device of a webcam on Linux."""
    return Path(f"/dev/video{int(number)}")


def path_of(source: str) -> Path | None:
    """The file or folder that a source names, None for every other source."""
    if source.startswith(FILE):
        return Path(bytes(unquote_to_bytes(source.removeprefix(FILE))).decode("utf-8", "surrogateescape"))
    return None if is_webcam(source) or "://" in source else Path(source)


def whole_source(source: str) -> str:
    """A source that means the same in every folder: the path of a file or folder is absolute.

    A number names a file or folder where there is one of that name and no webcam of that number. A path that
    is not UTF-8 becomes a URL.
    """
    path = path_of(source)
    if path is None and is_webcam(source) and Path(source).exists() and not webcam_device(source).exists():
        path = Path(source)
    if path is None:
        return source
    absolute = str(path.absolute())
    try:
        absolute.encode()
    except UnicodeEncodeError:
        return FILE + quote_from_bytes(absolute.encode("utf-8", "surrogateescape"))
    return absolute


def identify(source: str) -> str:
    """The identity of a source: a SHA-256, equal for two sources if they show the same camera.

    The login does not matter, nor upper and lower case of the host, nor a port that is the default;
    everything else does, the query included.
    """
    return hashlib.sha256(_normal_form(source).encode("utf-8", "surrogateescape")).hexdigest()


def _normal_form(source: str) -> str:
    if is_webcam(source):
        return f"webcam {int(source)}"
    path = path_of(source)
    if path is not None:
        return f"path {path.absolute()}"
    parts = split_source(source)
    scheme = parts[0].text.removesuffix("://").lower()
    host = "".join(part.text for part in parts if part.field == "host").lower()
    host = host.removesuffix(f":{_PORTS.get(scheme)}")
    rest = "".join(part.text for part in parts[1:] if part.field not in _NOT_IN_AN_IDENTITY)
    return f"{scheme}://{host}{rest or '/'}"
