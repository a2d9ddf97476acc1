"""Parts that `mien run`, `mien ingest` and `mien work` have in common."""

from __future__ import annotations

import os
from dataclasses import dataclass

import cv2

from bus.codec import MAX_AHEAD_US
from bus.messages import MICROSECONDS
from bus.sinks import CaptureSink, ResultSink
from bus.transport import FrameReader, FrameWriter
from inference.analyser import Analyser
from inference.worker import LiveLimits, Worker
from ingest.cameras import Camera, CameraList
from ingest.capture import CaptureSettings
from ingest.supervisor import Supervisor
from media.native import configure_opencv
from mien.metrics import MeasuredAnalyser, Metrics
from mien.settings import Settings
from mien.wiring.models import create_classifier, create_detector
from storage.engine import Database, open_database
from storage.registry import CameraRegistry, CameraRow


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

    def __init__(self, registry: CameraRegistry, options: RunOptions, fps: float) -> None:
        self._registry = registry
        self._only = options.only
        self._fps = None if options.fast else fps

    def cameras(self) -> list[Camera]:
        """All of them, also paused ones; raises SinkUnavailable."""
        return [
            Camera(row.id, row.source, row.fps or self._fps, not row.enabled, row.pause_reason)
            for row in self._registry.cameras()
            if self._only is None or row.id in self._only
        ]


def open_settings_database(settings: Settings) -> Database:
    """Open the database of the settings, upgraded to the current version where this process may do so."""
    return open_database(settings.database)


def open_registry(settings: Settings) -> CameraRegistry:
    """Open the camera registry in the database of the settings."""
    return CameraRegistry(open_settings_database(settings))


def configured_cameras(settings: Settings) -> list[CameraRow]:
    """List the cameras of the configuration file."""
    return [
        CameraRow(each.id, each.source, each.name or each.id, each.site, each.zone, each.fps)
        for each in settings.cameras
    ]


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
        metadata = self._classifier.metadata
        self._model = f"{metadata.name} {metadata.version}"

    def create(self) -> Analyser:
        """Create an analyser for one worker."""
        return Analyser(self._detector, self._classifier, self._model)

    def create_measured(self, metrics: Metrics) -> Analyser:
        """Create an analyser for one worker that records its durations."""
        return MeasuredAnalyser(self._detector, self._classifier, self._model, metrics)


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


def create_supervisor(
    settings: Settings, cameras: CameraList, frames: FrameWriter, sink: CaptureSink, options: RunOptions
) -> Supervisor:
    """Create the supervisor of the captures, which publish to `frames`."""
    return Supervisor(
        cameras,
        frames,
        sink,
        CaptureSettings(
            longest_side=settings.longest_side,
            jpeg_quality=settings.jpeg_quality,
            fast=options.fast,
            loop=options.loop,
        ),
        environ=os.environ,
    )


def max_frame_age_us(settings: Settings) -> int:
    """Convert the setting `max_frame_age` to microseconds."""
    return round(settings.max_frame_age * MICROSECONDS)
