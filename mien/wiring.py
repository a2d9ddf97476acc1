"""The composition root: the only place that picks concrete parts."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass

import cv2
import sqlalchemy as sa

from bus.embedded import EmbeddedBus
from bus.messages import MICROSECONDS
from bus.transport import FrameReader, FrameWriter
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Detector
from inference.worker import Pace, ResultSink, Worker
from ingest.cameras import Camera, CameraList
from ingest.capture import CaptureSettings
from ingest.health import CaptureSink
from ingest.native import prepare_opencv
from ingest.supervisor import Supervisor
from mien.metrics import MeasuredAnalyser, Metrics
from mien.pipeline import Pipeline, Workforce
from mien.settings import Settings
from mien.tally import Tally
from mien.upkeep import keep_up
from storage.engine import open_database
from storage.errors import Fenced
from storage.registry import CameraRegistry, CameraRow
from storage.writer import OUTAGES, Writer


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched, and how.

    `only`: ids of registered cameras, None for all of them. `fast`: recordings are read as quickly as
    they are analysed, every frame unless a camera has an fps of its own. `loop`: recordings begin again
    at their end.
    """

    only: frozenset[str] | None = None
    fast: bool = False
    loop: bool = False

    @property
    def live_guests(self) -> frozenset[str]:
        """Cameras that may be of this run alone and would be missed after it: those named for a live run."""
        return self.only if self.only and not self.fast else frozenset()


class RegisteredCameras:
    """The registered cameras as captures want them; a `ingest.cameras.CameraList`."""

    def __init__(self, registry: CameraRegistry, watch: Watch, fps: float) -> None:
        self._registry = registry
        self._watch = watch
        self._fps = None if watch.fast else fps

    def cameras(self) -> list[Camera]:
        """Those that are watched, the paused ones among them."""
        only = self._watch.only
        return [
            Camera(row.id, row.source, row.fps or self._fps, not row.enabled, row.pause_reason)
            for row in self._registry.cameras()
            if only is None or row.id in only
        ]


def registry(settings: Settings) -> CameraRegistry:
    """The cameras of the database."""
    return CameraRegistry(database(settings))


def configured_cameras(settings: Settings) -> list[CameraRow]:
    """The cameras of the configuration file."""
    return [
        CameraRow(each.id, each.source, each.name or each.id, each.site, each.zone, each.fps)
        for each in settings.cameras
    ]


def database(settings: Settings) -> sa.Engine:
    """The database, brought to the current version."""
    return open_database(settings.database)


def pipeline(settings: Settings, engine: sa.Engine, watch: Watch) -> tuple[Pipeline, Tally]:
    """Everything between cameras and database, ready to run in this process.

    Raises ModelError where a model file cannot be used.
    """
    tally = Tally(Writer(engine))
    # Other processes may store into the same database: their positions are not ours.
    bus = EmbeddedBus(settings.workers, settings.buffer_frames, topic=f"embedded/{uuid.uuid4().hex}")
    frames = bus.writer()
    analysers = Analysers()
    workers = [
        worker(settings, bus.reader([number], tally.positions), tally, analysers.one(), watch.fast)
        for number in range(settings.workers)
    ]
    cameras = RegisteredCameras(CameraRegistry(engine), watch, settings.fps)
    reading = captures(settings, cameras, frames, tally, watch)
    return Pipeline(reading, frames, Workforce(workers), lambda: keep_up(engine, settings), OUTAGES), tally


def prepare() -> None:
    """Set up the libraries that know global settings only; to be called before any is used."""
    prepare_opencv()
    cv2.setNumThreads(1)  # Cameras and workers are the threads; more would only contend.


class Analysers:
    """Analysers that share one detector and one classifier.

    Raises ModelError where a model file cannot be used.
    """

    def __init__(self) -> None:
        prepare()
        self._detector, self._classifier = Detector(), Classifier()
        metadata = self._classifier.metadata
        self._model = f"{metadata.name} {metadata.version}"

    def one(self) -> Analyser:
        """An analyser for one worker."""
        return Analyser(self._detector, self._classifier, self._model)

    def measured(self, metrics: Metrics) -> Analyser:
        """One that tells how long it takes."""
        return MeasuredAnalyser(self._detector, self._classifier, self._model, metrics=metrics)


def worker(
    settings: Settings, reader: FrameReader, sink: ResultSink, analyser: Analyser, every_frame: bool
) -> Worker:
    """A worker on one reader; `every_frame`: however old a frame is when its turn comes."""
    return Worker(
        reader,
        sink,
        analyser,
        pace=None if every_frame else Pace(max_age_us=max_age_us(settings)),
        outages=OUTAGES,
        fenced=(Fenced,),
    )


def captures(
    settings: Settings, cameras: CameraList, frames: FrameWriter, sink: CaptureSink, watch: Watch
) -> Supervisor:
    """What reads the cameras and publishes their frames."""
    return Supervisor(
        cameras,
        frames,
        sink,
        CaptureSettings(
            longest_side=settings.longest_side,
            jpeg_quality=settings.jpeg_quality,
            fast=watch.fast,
            loop=watch.loop,
        ),
        outages=OUTAGES,
        environ=os.environ,
    )


def max_age_us(settings: Settings) -> int:
    """The setting `max_frame_age` in microseconds."""
    return round(settings.max_frame_age * MICROSECONDS)
