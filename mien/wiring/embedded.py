"""All parts in one process, with the bus in memory: `mien run` and `mien demo`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from bus.embedded import EmbeddedBus
from bus.transport import FrameWriter
from inference.worker import Worker
from ingest.leases import LeaseKeeper
from ingest.supervisor import Supervisor
from mien.metrics import MeasuredReader, MeasuredStore, Metrics
from mien.settings import Settings
from mien.totals import CountingStore
from mien.upkeep import Progress, maintain_if_owner
from mien.wiring.parts import (
    AnalyserFactory,
    RegisteredCameras,
    create_supervisor,
    create_worker,
    max_frame_age_us,
)
from mien.wiring.previews import Previews
from mien.wiring.run_options import RunOptions
from storage.dead_letters import DeadLetterCounts
from storage.engine import Database
from storage.registry import CameraRegistry
from storage.writer import Writer


@dataclass(frozen=True, slots=True)
class EmbeddedParts:
    """Everything between cameras and database, not started yet."""

    supervisor: Supervisor
    frames: FrameWriter
    """The writer that the captures publish to."""
    workers: list[Worker]
    maintain: Callable[[Progress], None]
    """Maintains the database; raises SinkUnavailable and what the progress raises."""
    store: CountingStore
    previews: Previews
    """Draws live pictures of the cameras."""


def create_parts(
    settings: Settings, engine: Database, options: RunOptions, leases: LeaseKeeper, metrics: Metrics
) -> EmbeddedParts:
    """Create all parts.

    Raises ModelError where a model file cannot be used.
    """
    store = CountingStore(MeasuredStore(Writer(engine), metrics))
    # Other processes may store into the same database: their positions are not ours.
    bus = EmbeddedBus(settings.workers, settings.buffer_frames, topic=f"embedded/{uuid.uuid4().hex}")
    frames = bus.writer()
    analysers = AnalyserFactory()
    workers = [
        create_worker(
            settings,
            MeasuredReader(
                bus.reader([number], store.positions),
                metrics,
                max_frame_age_us(settings),
                dead_letters=DeadLetterCounts(engine),
            ),
            store,
            analysers.create_measured(metrics),
            options.fast,
        )
        for number in range(settings.workers)
    ]
    previews = analysers.create_previews(settings)
    cameras = RegisteredCameras(CameraRegistry(engine), options, settings)
    supervisor = create_supervisor(settings, cameras, leases, frames, store, options)
    metrics.follow_states(supervisor.states)
    return EmbeddedParts(
        supervisor,
        frames,
        workers,
        lambda progress: maintain_if_owner(engine, settings, progress),
        store,
        previews,
    )
