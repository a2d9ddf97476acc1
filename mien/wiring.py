"""The composition root: the only place that picks concrete parts."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass

import cv2
import sqlalchemy as sa

from bus.embedded import EmbeddedBus
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Detector
from inference.worker import Pace, Worker
from ingest.cameras import Camera
from ingest.capture import CaptureSettings
from ingest.native import prepare_opencv
from ingest.supervisor import Supervisor
from mien.pipeline import Pipeline
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
    prepare_opencv()
    cv2.setNumThreads(1)  # Cameras and workers are the threads; more would only contend.
    detector, classifier = Detector(), Classifier()
    model = f"{classifier.metadata.name} {classifier.metadata.version}"
    writer = Writer(engine)
    tally = Tally(writer)
    # Other processes may store into the same database: their positions are not ours.
    bus = EmbeddedBus(settings.workers, settings.buffer_frames, topic=f"embedded/{uuid.uuid4().hex}")
    frames = bus.writer()
    workers = [
        Worker(
            bus.reader([number], tally.positions),
            tally,
            Analyser(detector, classifier, model),
            pace=None if watch.fast else Pace(max_age_us=round(settings.max_frame_age * 1e6)),
            outages=OUTAGES,
            fenced=(Fenced,),
        )
        for number in range(settings.workers)
    ]
    captures = Supervisor(
        RegisteredCameras(CameraRegistry(engine), watch, settings.fps),
        frames,
        tally,
        CaptureSettings(
            longest_side=settings.longest_side,
            jpeg_quality=settings.jpeg_quality,
            fast=watch.fast,
            loop=watch.loop,
        ),
        outages=OUTAGES,
        environ=os.environ,
    )
    return Pipeline(captures, frames, workers, lambda: keep_up(engine, settings), OUTAGES), tally
