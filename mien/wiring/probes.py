"""Tests of cameras for the dashboard, by the process that captures: it has the secrets and the network.

Each test runs in a child process, so that a source that hangs, or a decoder that needs much memory, disturbs
no capture. Nothing is stored.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from common.child import command
from common.masks import MaskError, make_masks
from common.source_identity import whole_source
from ingest.errors import SourceError
from ingest.sources import check_browser_source
from mien.internal_server import Answer, Request, Routes
from mien.settings import PREFIX, Settings
from mien.wiring.source_rules import create_source_rules
from storage.errors import StorageError
from storage.registry import CameraRegistry

MOST_AT_ONCE = 2
PROBE_S = 40.0
"""The longest time of a test; less than a handler of the internal server may take."""
READ_S = 3.0
"""How long the pictures are read."""

_SETTINGS = (
    *("database", "bus", "source_networks", "source_variables", "source_parameters"),
    *("dashboard_address", "dashboard_port", "health_address", "health_port"),
    *("internal_address", "internal_port"),
)
"""The settings by which sources are judged."""

_log = logging.getLogger(__name__)


class Probes:
    """Tests cameras on request.

    Args:
        settings: by which sources are judged and opened.
        registry: the registered cameras.
        arguments: of the child process.
    """

    def __init__(
        self, settings: Settings, registry: CameraRegistry, arguments: Callable[[], list[str]] | None = None
    ) -> None:
        self._registry = registry
        self._rules = create_source_rules(settings)
        self._environment = os.environ | _environment(settings)
        self._arguments = arguments or (lambda: command("mien.cli.probe_process"))
        self._free = threading.Semaphore(MOST_AT_ONCE)

    @property
    def routes(self) -> Routes:
        """The route of the internal server."""
        return {"POST /probe": self.answer}

    def answer(self, request: Request) -> Answer:
        """Test a registered camera ("camera": its id) or a "source"; "check": judge the source alone.

        "masks" are those that are to be blanked, instead of the camera's own ones.
        """
        try:
            wanted = self._read(request.body)
        except (SourceError, StorageError, MaskError, ValueError) as error:
            return _problem(HTTPStatus.BAD_REQUEST, str(error))
        if wanted.pop("check"):
            return Answer({"source": wanted["source"]})
        if not self._free.acquire(blocking=False):
            return _problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "other cameras are being tested: try again in a moment"
            )
        try:
            return self._run(json.dumps({**wanted, "seconds": READ_S}))
        finally:
            self._free.release()

    def _read(self, body: bytes) -> dict[str, Any]:
        """The request for the child; a source that is not registered is judged."""
        wanted = json.loads(body)
        if not isinstance(wanted, dict):
            raise ValueError("expected a JSON object")
        masks = make_masks(wanted["masks"]) if wanted.get("masks") is not None else None
        if "camera" in wanted:
            camera = self._registry.get(str(wanted["camera"]))
            chosen = camera.masks if masks is None else masks
            found = {"source": camera.source, "masks": chosen, "thorough": camera.thorough}
            return {**found, "from_browser": False, "check": False}
        source = whole_source(str(wanted.get("source", "")).strip())
        check_browser_source(source, self._rules)
        check = bool(wanted.get("check"))
        found = {"source": source, "masks": masks or (), "thorough": False}
        return {**found, "from_browser": True, "check": check}

    def _run(self, request: str) -> Answer:
        try:
            done = subprocess.run(
                self._arguments(),
                input=request.encode(),
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=PROBE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _problem(HTTPStatus.GATEWAY_TIMEOUT, f"the camera was not read within {PROBE_S:.0f} s")
        try:
            answer: Mapping[str, Any] = json.loads(done.stdout)
        except ValueError:
            _log.error("the test of a camera ended with exit code %d and no result", done.returncode)
            return _problem(HTTPStatus.BAD_GATEWAY, "the test ended without a result: try again")
        return _problem(HTTPStatus.BAD_REQUEST, answer["problem"]) if "problem" in answer else Answer(answer)


def _environment(settings: Settings) -> dict[str, str]:
    """The settings of the child, which reads no configuration file."""
    values = settings.model_dump(mode="json", include=set(_SETTINGS))
    return {
        f"{PREFIX}{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }


def _problem(status: HTTPStatus, text: str) -> Answer:
    return Answer({"problem": text}, status)
