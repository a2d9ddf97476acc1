"""`mien ingest`: captures that publish to Kafka, whose frames workers analyse in other processes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from bus.messages import CameraMinute, minute_of
from bus.sinks import SinkUnavailable
from common.access import LOCAL
from common.clock import wall_clock_us
from mien.internal_server import Services, serve_internal
from mien.loops.claims import claim_sources
from mien.loops.process import open_process
from mien.metrics import Metrics
from mien.settings import Settings
from mien.totals import RunResult, with_captured
from mien.wiring import scaled
from mien.wiring.parts import keep_leases
from mien.wiring.probes import Probes
from mien.wiring.registry import configured_policies, create_registry
from mien.wiring.run_options import RunOptions
from storage.registry import CameraRow

CAPTURES_STOP_S = 3.0
"""How long captures may take to stop; one that takes longer is abandoned."""
_TICK_S = 0.1

_log = logging.getLogger(__name__)


def run_ingestion(settings: Settings, cameras: Sequence[CameraRow], options: RunOptions) -> RunResult | None:
    """Register `cameras`, then capture until a signal arrives or all recordings are read and acknowledged.

    Returns None where a signal arrived before a broker answered. Raises the errors of the parts that cannot
    start.
    """
    with open_process(settings) as (stop, metrics, engine), keep_leases(engine, options) as leases:
        registry = create_registry(settings, engine)
        cameras, options = claim_sources(leases, registry, cameras, options, stop)
        registry.sync(LOCAL, cameras, configured_policies(settings))
        partitions = scaled.wait_for_partitions(settings, stop, metrics.record_heartbeat)
        if partitions is None:
            return None
        parts = scaled.create_ingest_parts(settings, engine, options, leases, partitions, metrics)
        services = Services(captures=True, analyses=False, routes=Probes(settings, registry).routes)
        with serve_internal(settings, engine, services):
            capture(parts, metrics, stop, drain=options.fast)
        totals = with_captured(parts.store.totals(), parts.supervisor.captured())
        return RunResult(totals, dict(parts.supervisor.failures()))


def capture(parts: scaled.IngestParts, metrics: Metrics, stop: threading.Event, drain: bool) -> None:
    """Capture until `stop` is set or every recording has been read and, with `drain`, Kafka has its frames.

    Raises what ended the supervisor, the leases or the writer.
    """
    parts.supervisor.start()
    try:
        while not (stop.is_set() or parts.supervisor.ended.is_set()):
            parts.check()
            metrics.update_captured(parts.supervisor.captured())
            stop.wait(_TICK_S)
        while drain and not (stop.is_set() or parts.frames.wait_until_empty(_TICK_S)):
            parts.check()
    finally:
        parts.supervisor.stop(CAPTURES_STOP_S)
        parts.frames.close()
        _count_last_drops(parts)
    parts.check()


def _count_last_drops(parts: scaled.IngestParts) -> None:
    """Store how many frames were dropped when the writer was closed, after the last counts of captures."""
    minute = minute_of(wall_clock_us())
    try:
        for camera in parts.registry.cameras():
            if dropped := parts.frames.take_drops(camera.id):
                captured = sum(dropped.values())
                parts.store.count(CameraMinute(camera.id, minute, captured, dropped=dropped))
    except SinkUnavailable as error:
        _log.error("the counts of frames that were dropped at the end were not stored: %s", error)
