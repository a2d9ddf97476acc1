"""Parts that `mien run`, `mien ingest` and `mien work` have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from bus.codec import MAX_AHEAD_US
from bus.messages import MICROSECONDS, Switches
from bus.sinks import CaptureSink, ResultSink
from bus.transport import FrameReader, FrameWriter
from common.clock import wall_clock_us
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
from mien.wiring.run_options import RunOptions
from mien.wiring.source_rules import create_source_rules
from storage.engine import Database
from storage.leases import CameraLeases
from storage.open_hours import describe_closed
from storage.registry import CameraRegistry, CameraRow

LEASES_STOP_S = 3.0
"""How long the release of leases may take at the end; those of a database that does not answer expire."""


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
) -> Worker:
    """Create a worker on one reader.

    With `every_frame` no frame is too old to be analysed, or too far in the future: the times of recordings
    that are read fast run ahead.
    """
    if every_frame:
        return Worker(reader, sink, analyser, live_limits=None, max_ahead_us=None)
    live_limits = LiveLimits(max_age_us=max_frame_age_us(settings))
    return Worker(reader, sink, analyser, live_limits=live_limits, max_ahead_us=MAX_AHEAD_US)


@contextmanager
def keep_leases(engine: Database, options: RunOptions) -> Iterator[LeaseKeeper]:
    """Keep the leases of this process's cameras, and release them after the block.

    Raises what ended the keeper's thread, which `LeaseKeeper.check` raises before.
    """
    shares = options.only is None
    keeper = LeaseKeeper(CameraLeases(engine, shares=shares), shares=shares)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop(LEASES_STOP_S)
    keeper.check()


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
