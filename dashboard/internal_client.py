"""Client of the internal servers of Mien's processes (`mien.internal_server`); no proxy is used."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from storage.processes import Process

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of an answer."""


class ProcessError(Exception):
    """A process gave no usable answer; the message names it and what to check, and contains no secret."""


class ProcessUnreachable(ProcessError):
    """A process that is listed as running does not answer."""


class ProcessRefused(ProcessError):
    """A process refused a request; the message is its reason."""


def call(
    process: Process,
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    content: Mapping[str, Any] | None = None,
    timeout_s: float = 5.0,
) -> Mapping[str, Any]:
    """The answer of a process to a request such as "GET", "/preview"; `content` is sent as JSON.

    Raises ProcessUnreachable where it does not answer within `timeout_s` seconds, and ProcessRefused where it
    answers with an error.
    """
    parts = urlsplit(process.address)
    target = f"{path}?{urlencode(query)}" if query else path
    body = None if content is None else json.dumps(content).encode()
    headers = {"Authorization": f"Bearer {process.token}"}
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        answer = response.read(LARGEST_ANSWER + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ProcessUnreachable(
            f"{process.name} does not answer at {process.address} ({_reason(error)}): check that it runs, "
            "and that the dashboard's machine may connect to this address (settings internal_address and "
            "internal_port)"
        ) from error
    finally:
        connection.close()
    return _content(process, response.status, answer)


def _content(process: Process, status: int, answer: bytes) -> Mapping[str, Any]:
    if status == http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ProcessUnreachable(f"{process.name} failed to answer; its log says why")
    try:
        content = json.loads(answer) if len(answer) <= LARGEST_ANSWER else None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ProcessUnreachable(f"{process.name}: another program answers at {process.address}")
    if status != http.HTTPStatus.OK:
        raise ProcessRefused(str(content.get("problem", f"status {status}")))
    return content


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error) or type(error).__name__).lower()
