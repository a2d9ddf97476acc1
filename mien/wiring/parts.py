"""Parts that `mien run`, `mien ingest` and `mien work` have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2

from bus.codec import MAX_AHEAD_US
from bus.messages import MICROSECONDS, Switches
from bus.sinks import CaptureSink, ResultSink
from bus.transport import FrameReader, FrameWriter
from common.clock import wall_clock_us
from common.source_identity import whole_source
from common.timezones import open_timezone
from inference.analyser import Analyser
from inference.preview import PreviewBoard
from inference.thorough import ThoroughDetector
from inference.worker import LiveLimits, Worker
from ingest.cameras import Camera, CameraList, CameraPolicy
from ingest.capture import CaptureSettings
from ingest.leases import LeaseKeeper
from ingest.supervisor import Supervisor
from media.native import configure_opencv
from mien.metrics import MeasuredAnalyser, Metrics
from mien.settings import Settings
from mien.wiring.models import create_classifier, create_detector
from mien.wiring.previews import Previews
from mien.wiring.source_rules import create_source_rules
from storage.engine import Database, open_database
from storage.leases import CameraLeases
from storage.open_hours import describe_closed
from storage.registry import CameraRegistry, CameraRow

LEASES_STOP_S = 3.0
"""How long the release of leases may take at the end; those of a database that does not answer expire."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Which cameras are captured, and how recordings are read.

    `only`: ids of registered cameras, None for all of them. `fast`: recordings are read as fast as they are
    analysed, every frame unless a camera has an fps of its own. `loop`: recordings restart at their end.
    """

    only: frozenset[str] | None = None
    fast: bool = False
    loop: bool = False

    @property
    def temporary_cameras(self) -> frozenset[str]:
        """Cameras to remove from the registry after the run, unless they were registered before it.

        They are those that a live run names; a fast run ends, and its cameras stay as its history.
        """
        return self.only if self.only and not self.fast else frozenset()


class RegisteredCameras(CameraList):
    """The registered cameras that a run captures."""

    def __init__(self, registry: CameraRegistry, options: RunOptions, settings: Settings) -> None:
        self._registry = registry
        self._only = options.only
        self._fast = options.fast
        self._fps = None if options.fast else settings.fps
        self._zone = open_timezone(settings.timezone)

    def cameras(self) -> list[Camera]:
        """All of them, also those that are paused or closed; raises SinkUnavailable."""
        now = wall_clock_us()
        return [
            Camera(
                row.id,
                row.source,
                row.fps or self._fps,
                paused=not row.enabled,
                pause_reason=row.pause_reason,
                thorough=row.thorough,
                closed=self._why_closed(row, now),
                policy=CameraPolicy(row.masks, Switches(row.read_expression, row.read_gender)),
            )
            for row in self._registry.cameras()
            if self._only is None or row.id in self._only
        ]

    def _why_closed(self, row: CameraRow, now: int) -> str:
        """Why a camera is not captured now; a recording that is read fast has times of its own."""
        return "" if self._fast else describe_closed(row.open_hours, now, self._zone)


def open_settings_database(settings: Settings) -> Database:
    """Open the database of the settings, upgraded to the current version where this process may do so."""
    return open_database(settings.database)


@contextmanager
def open_registry(settings: Settings) -> Iterator[CameraRegistry]:
    """Open the camera registry in the database of the settings, and close it at the end of the block."""
    engine = open_settings_database(settings)
    try:
        yield create_registry(settings, engine)
    finally:
        engine.dispose()


def create_registry(settings: Settings, engine: Database) -> CameraRegistry:
    """Create the camera registry of an open database."""
    return CameraRegistry(engine, settings.source_parameters)


def configured_cameras(settings: Settings) -> list[CameraRow]:
    """List the cameras of the configuration file."""
    return [
        CameraRow(
            each.id,
            whole_source(each.source),
            each.name or each.id,
            each.site,
            each.zone,
            each.fps,
            thorough=each.thorough,
        )
        for each in settings.cameras
    ]


def configured_policies(settings: Settings) -> dict[str, dict[str, Any]]:
    """What the configuration file says about the policies of its cameras, by camera; the rest is kept."""
    return {
        each.id: {
            name: value
            for name, value in {
                "open_hours": each.open_hours,
                "purpose": each.purpose,
                "notice_at": each.notice_at and each.notice_at.isoformat(),
                "masks": each.masks,
                "read_expression": each.expression,
                "read_gender": each.gender,
            }.items()
            if value is not None
        }
        for each in settings.cameras
    }


def configure_libraries() -> None:
    """Configure libraries that have only global settings; to be called before any of them is used."""
    configure_opencv()
    cv2.setNumThreads(1)  # Cameras and workers are threads already; more threads would only contend.


class AnalyserFactory:
    """Creates analysers that share one detector and one classifier.

    Raises ModelError where a model file cannot be used.
    """

    def __init__(self) -> None:
        configure_libraries()
        self._detector, self._classifier = create_detector(), create_classifier()
        self._thorough = ThoroughDetector(self._detector)
        metadata = self._classifier.metadata
        self._model = f"{metadata.name} {metadata.version}"
        self._board = PreviewBoard()

    def create(self) -> Analyser:
        """Create an analyser for one worker."""
        return Analyser(
            self._detector, self._classifier, self._model, thorough=self._thorough, previews=self._board
        )

    def create_measured(self, metrics: Metrics) -> Analyser:
        """Create an analyser for one worker that records its durations."""
        return MeasuredAnalyser(
            self._detector, self._classifier, self._model, metrics, self._thorough, self._board
        )

    def create_previews(self, settings: Settings) -> Previews:
        """Create what draws the live pictures of all analysers of this factory."""
        return Previews(self._board, self._detector, allow_unblurred=settings.live_unblurred)


def create_worker(
    settings: Settings,
    reader: FrameReader,
    sink: ResultSink,
    analyser: Analyser,
    every_frame: bool,
    max_ahead_us: int | None = MAX_AHEAD_US,
) -> Worker:
    """Create a worker on one reader; with `every_frame` no frame is too old to be analysed."""
    live_limits = None if every_frame else LiveLimits(max_age_us=max_frame_age_us(settings))
    return Worker(reader, sink, analyser, live_limits=live_limits, max_ahead_us=max_ahead_us)


@contextmanager
def keep_leases(engine: Database, options: RunOptions) -> Iterator[LeaseKeeper]:
    """Keep the leases of this process's cameras, and release them after the block."""
    shares = options.only is None
    keeper = LeaseKeeper(CameraLeases(engine, shares=shares), shares=shares)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop(LEASES_STOP_S)


def create_supervisor(
    settings: Settings,
    cameras: CameraList,
    leases: LeaseKeeper,
    frames: FrameWriter,
    sink: CaptureSink,
    options: RunOptions,
) -> Supervisor:
    """Create the supervisor of the captures, which publish to `frames`."""
    return Supervisor(
        cameras,
        leases,
        frames,
        sink,
        CaptureSettings(
            longest_side=settings.longest_side,
            jpeg_quality=settings.jpeg_quality,
            motion_gate=settings.motion_gate,
            fast=options.fast,
            loop=options.loop,
        ),
        rules=create_source_rules(settings),
    )


def max_frame_age_us(settings: Settings) -> int:
    """Convert the setting `max_frame_age` to microseconds."""
    return round(settings.max_frame_age * MICROSECONDS)
