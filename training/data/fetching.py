"""Download a published file: goes on where it was cut off, and takes nothing but what was announced.

What has arrived lies beside the target under the name `.part` and gets its own name only when its size and
SHA-256 are right.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from training.data.sources import Download
from training.errors import FetchError

Report = Callable[[int], None]
"""Called with the number of bytes that are there so far."""

ATTEMPTS = 5
"""Connections in a row that may bring nothing new before it is given up."""
PAUSE = 1.0
"""Seconds before the second attempt; twice as many before each one after it."""
TIMEOUT = 30.0
"""Seconds of silence after which a connection counts as cut."""

_BLOCK = 1 << 16
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_BROKEN = (
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
    urllib.error.URLError,
)
"""What a connection that fails raises; not OSError, which may be the disk's."""


class _Cut(Exception):
    """The connection ended early; what came is kept, and it is worth another attempt."""


def download(file: Download, target: Path, report: Report, pause: float = PAUSE) -> bool:
    """Bring a file to `target`; False where it was there already.

    Raises FetchError where the server cannot be reached or refuses, and where something else than the file
    is at its address or at `target`; what is at `target` stays.
    """
    if target.exists():
        if _sha256(target) != file.sha256:
            raise FetchError(f"{target}: is not the published file; move it away to fetch that one")
        return False
    part = target.with_name(f"{target.name}.part")
    begun = part.exists()
    _complete(file, part, report, pause)
    if begun and _sha256(part) != file.sha256:
        # It may be the beginning that an earlier run has left: once more, from nothing.
        part.unlink()
        _complete(file, part, report, pause)
    found = _sha256(part)
    if found != file.sha256:
        part.unlink()
        raise FetchError(f"{file.url}: SHA-256 is {found}, expected {file.sha256}; nothing was kept")
    part.replace(target)
    return True


def _complete(file: Download, part: Path, report: Report, pause: float) -> None:
    """Bring the file in `part` to its announced size, over as many connections as it takes."""
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()
    failures = 0
    while (before := part.stat().st_size if part.exists() else 0) < file.size:
        try:
            _append(file, part, before, report)
        except _Cut as cut:
            grown = part.exists() and part.stat().st_size > before
            failures = 1 if grown else failures + 1
            if failures == ATTEMPTS:
                raise FetchError(
                    f"{file.url}: {cut}, {ATTEMPTS} times in a row; what has come is kept"
                ) from cut
            time.sleep(pause * 2 ** (failures - 1))


def _append(file: Download, part: Path, start: int, report: Report) -> None:
    """Add what one connection brings; the file is begun anew where the server cannot go on."""
    headers = {"User-Agent": "mien", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        request = urllib.request.Request(file.url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            goes_on = answer.status == HTTPStatus.PARTIAL_CONTENT and _begins_at(answer, start)
            _receive(answer, file, part, start if goes_on else 0, report)
    except urllib.error.HTTPError as error:
        # It is an answer that is still open, too.
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise _Cut("the server has less than was there already") from error
        if error.code in _TRANSIENT:
            raise _Cut(f"the server answers {error.code} {error.reason}") from error
        raise FetchError(f"{file.url}: the server answers {error.code} {error.reason}") from error
    except _BROKEN as error:
        reason = getattr(error, "reason", error)
        raise _Cut(f"no connection ({reason or type(error).__name__})") from error


def _begins_at(answer: http.client.HTTPResponse, start: int) -> bool:
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return match is not None and int(match[1]) == start


def _receive(
    answer: http.client.HTTPResponse, file: Download, part: Path, start: int, report: Report
) -> None:
    # None where the server does not announce it.
    if answer.length is not None and start + answer.length != file.size:
        raise FetchError(f"{file.url}: {start + answer.length:,} bytes, expected {file.size:,}")
    size = start
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab" if start else "wb") as out:
        while block := answer.read(_BLOCK):
            size += len(block)
            if size > file.size:
                raise FetchError(f"{file.url}: more than {file.size:,} bytes, expected as many")
            out.write(block)
            report(size)
    if size < file.size:
        raise _Cut(f"the connection ended after {size:,} of {file.size:,} bytes")


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
