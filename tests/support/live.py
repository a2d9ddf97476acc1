"""A process that analyses the simulated entrance and serves live pictures of it, within a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from bus.messages import MICROSECONDS
from common.clock import wall_clock_us
from inference.analyser import Analyser
from ingest.demo.camera import DemoCamera
from mien.internal_server import Services, serve_internal
from mien.settings import Settings
from mien.wiring.parts import AnalyserFactory
from storage.processes import read_processes
from tests.support.buses import eventually

BUSY = 1_700_000_000.0 + 30
"""A time at which people are in front of the simulated entrance."""


class EntranceAnalyser:
    """Analyses the simulated entrance at five frames a second of its own clock."""

    def __init__(self, analyser: Analyser, camera_id: str) -> None:
        self._analyser = analyser
        self._camera_id = camera_id
        self._time = BUSY
        self._camera = DemoCamera("entrance", clock=lambda: self._time)
        self._offset = wall_clock_us() - round(BUSY * MICROSECONDS)

    def see(self, frames: int = 1) -> None:
        """Analyse the next frames."""
        for _ in range(frames):
            at = round(self._time * MICROSECONDS) + self._offset
            self._analyser.analyse(self._camera_id, at, self._camera.read())
            self._time += 0.2


@contextmanager
def analysing_process(engine: sa.Engine, camera_id: str, settings: Settings) -> Iterator[EntranceAnalyser]:
    """An analyser of this camera whose live pictures an internal server offers, listed in the database."""
    factory = AnalyserFactory()
    services = Services(captures=False, analyses=True, routes=factory.create_previews(settings).routes)
    before = len(read_processes(engine))
    with serve_internal(settings, engine, services):
        eventually(lambda: len(read_processes(engine)) > before, "the process is not listed")
        yield EntranceAnalyser(factory.create(), camera_id)
