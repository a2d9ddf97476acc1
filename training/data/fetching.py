"""Resumable download of a published file, verified by size and SHA-256.

Received bytes are stored next to the target with the suffix `.part`; the file is renamed when size and
SHA-256 match.
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

ReportSize = Callable[[int], None]
"""Called with the number of bytes received so far."""

ATTEMPTS = 5
"""Consecutive connections without new bytes before the download fails."""
PAUSE = 1.0
"""Seconds before the second attempt; doubles for each later one (exponential back-off)."""
TIMEOUT = 30.0
"""Seconds without data after which a connection counts as interrupted."""

_BLOCK = 1 << 16
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_CONNECTION_ERRORS = (
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
    urllib.error.URLError,
)
"""Errors of a failed connection; not OSError, which may come from the disk."""


class _Interrupted(Exception):
    """The connection ended early: the received bytes are kept, and the download is retried."""


def download(file: Download, target: Path, report: ReportSize, pause: float = PAUSE) -> bool:
    """Download a file to `target`; returns False if it exists already.

    Raises FetchError if the server cannot be reached or refuses, or if another file is at the address or at
    `target`; an existing file at `target` is never changed.
    """
    if target.exists():
        if _sha256(target) != file.sha256:
            raise FetchError(
                f"{target}: is not the published file; move it to another folder to fetch the published one"
            )
        return False
    part = target.with_name(f"{target.name}.part")
    resumed = part.exists()
    _complete(file, part, report, pause)
    if resumed and _sha256(part) != file.sha256:
        # The part of an earlier run may be wrong: download again from the start.
        part.unlink()
        _complete(file, part, report, pause)
    found = _sha256(part)
    if found != file.sha256:
        part.unlink()
        raise FetchError(f"{file.url}: SHA-256 is {found}, expected {file.sha256}; nothing was kept")
    part.replace(target)
    return True


def _complete(file: Download, part: Path, report: ReportSize, pause: float) -> None:
    """Download `part` up to the published size, with as many connections as needed."""
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()
    failures = 0
    while (before := part.stat().st_size if part.exists() else 0) < file.size:
        try:
            _append(file, part, before, report)
        except _Interrupted as error:
            grown = part.exists() and part.stat().st_size > before
            failures = 1 if grown else failures + 1
            if failures == ATTEMPTS:
                raise FetchError(
                    f"{file.url}: {error}, {ATTEMPTS} times in a row; the received bytes are kept"
                ) from error
            time.sleep(pause * 2 ** (failures - 1))


def _append(file: Download, part: Path, start: int, report: ReportSize) -> None:
    """Append the bytes of one connection; restarts the file if the server cannot resume."""
    headers = {"User-Agent": "mien", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        request = urllib.request.Request(file.url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            resumes = answer.status == HTTPStatus.PARTIAL_CONTENT and _begins_at(answer, start)
            _receive(answer, file, part, start if resumes else 0, report)
    except urllib.error.HTTPError as error:
        # The error is also an open response.
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise _Interrupted("the server's file is shorter than the received part") from error
        if error.code in _TRANSIENT:
            raise _Interrupted(f"the server answers {error.code} {error.reason}") from error
        raise FetchError(f"{file.url}: the server answers {error.code} {error.reason}") from error
    except _CONNECTION_ERRORS as error:
        reason = getattr(error, "reason", error)
        raise _Interrupted(f"no connection ({reason or type(error).__name__})") from error


def _begins_at(answer: http.client.HTTPResponse, start: int) -> bool:
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return match is not None and int(match[1]) == start


def _receive(
    answer: http.client.HTTPResponse, file: Download, part: Path, start: int, report: ReportSize
) -> None:
    # None if the server does not announce the length.
    if answer.length is not None and start + answer.length != file.size:
        raise FetchError(f"{file.url}: {start + answer.length:,} bytes, expected {file.size:,}")
    size = start
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab" if start else "wb") as out:
        while block := answer.read(_BLOCK):
            size += len(block)
            if size > file.size:
                raise FetchError(f"{file.url}: more than the expected {file.size:,} bytes")
            out.write(block)
            report(size)
    if size < file.size:
        raise _Interrupted(f"the connection ended after {size:,} of {file.size:,} bytes")


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
