"""`mien run` and `mien demo`: captures, workers and upkeep in threads of this process, and the dashboard."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress

from bus.sinks import SinkUnavailable
from bus.transport import FrameWriter
from common.access import LOCAL
from ingest.supervisor import Supervisor
from mien.alerts.loop import send_alerts
from mien.dashboard_process import Dashboard, DashboardMonitor
from mien.errors import StartError
from mien.health_server import serve_health
from mien.internal_server import Services, serve_internal
from mien.loops.claims import claim_sources
from mien.loops.ingest import CAPTURES_STOP_S
from mien.loops.work import WorkerPool
from mien.metrics import Metrics
from mien.preview_window import PreviewWindow
from mien.process_limits import raise_open_file_limit
from mien.settings import EMBEDDED, Settings
from mien.signals import stop_on_signal
from mien.totals import RunResult
from mien.upkeep import Progress, UpkeepEnded, until_stopped
from mien.wiring import embedded
from mien.wiring.parts import keep_leases
from mien.wiring.probes import Probes
from mien.wiring.registry import configured_policies, create_registry, open_settings_database
from mien.wiring.run_options import RunOptions
from storage.errors import StorageError
from storage.hung_connections import abort_hung_connections
from storage.registry import CameraRegistry, CameraRow

UPKEEP_EVERY_S = 15 * 60.0
_TICK_S = 0.1

_log = logging.getLogger(__name__)


def run_pipeline(
    settings: Settings,
    cameras: Sequence[CameraRow],
    options: RunOptions,
    *,
    dashboard: Dashboard | None,
    announce: Callable[[str], None],
    show: bool = False,
) -> RunResult:
    """Register `cameras`, run until a signal arrives or every recording has ended, then stop everything.

    `announce` is called with the dashboard's address once the dashboard answers; without it everything else
    continues. With `show` a window has the live picture of the only camera; call `require_display` before.
    Raises the errors of the parts that cannot start, and the exception that ended a worker or the alerts.
    """
    if settings.bus != EMBEDDED:
        raise StartError("bus: MIEN_BUS names Kafka; use `mien ingest` and `mien work`, or unset it")
    raise_open_file_limit()
    engine = open_settings_database(settings)
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        stop = stack.enter_context(stop_on_signal())
        metrics = Metrics()
        stack.enter_context(serve_health(metrics, settings))
        stack.enter_context(abort_hung_connections(engine, stop))
        registry = create_registry(settings, engine)
        leases = stack.enter_context(keep_leases(engine, options))
        cameras, options = claim_sources(leases, registry, cameras, options, stop)
        registered_before = {camera.id for camera in registry.cameras()}
        registry.sync(LOCAL, cameras, configured_policies(settings))
        if not registry.cameras():
            if not dashboard:
                raise StartError(
                    "no cameras: pass --source, list them in mien.yaml or use `mien cameras add`"
                )
            _log.warning("no camera is registered yet: add one on the page Cameras of the dashboard")
        if options.temporary_cameras:
            stack.callback(_unregister, registry, options.temporary_cameras - registered_before)
        parts = embedded.create_parts(settings, engine, options, leases, metrics)
        routes = {**parts.previews.routes, **Probes(settings, registry).routes}
        services = Services(captures=True, analyses=True, routes=routes)
        stack.enter_context(serve_internal(settings, engine, services))
        pipeline = Pipeline(parts.supervisor, parts.frames, WorkerPool(parts.workers), parts.maintain)
        if not options.fast:
            stack.enter_context(send_alerts(engine, settings, metrics, stop))
        ticks: list[Callable[[], None]] = [lambda: metrics.update_captured(parts.supervisor.captured())]
        if dashboard:
            stack.enter_context(dashboard)
            ticks.append(DashboardMonitor(dashboard, announce).tick)
        if show:
            camera = _only_camera(registry, options)
            window = PreviewWindow(f"Mien: {camera}", lambda: parts.previews.draw(camera))
            ticks.append(stack.enter_context(window).tick)

        def tick() -> None:
            for each in ticks:
                each()

        failures = pipeline.run(stop, tick)
        lost = any(worker.stopped_in_outage for worker in parts.workers)
        return RunResult(parts.store.totals(), failures, results_lost=lost)


def _do_nothing() -> None:
    pass


def _only_camera(registry: CameraRegistry, options: RunOptions) -> str:
    """The camera that the run captures; raises StartError where there are several."""
    captured = sorted(options.only or {camera.id for camera in registry.cameras()})
    if len(captured) != 1:
        raise StartError(
            f"--show: shows one camera, and this run has {len(captured)}; name one with --source"
        )
    return captured[0]


def _unregister(registry: CameraRegistry, camera_ids: Iterable[str]) -> None:
    """Remove temporary cameras from the registry, as far as the database is available."""
    for camera_id in camera_ids:
        with suppress(StorageError):
            registry.remove(LOCAL, camera_id)


class Pipeline:
    """Captures and workers in threads of this process.

    Args:
        supervisor: reads the cameras.
        frames: the writer that captures publish to; closed once they have stopped, so that workers drain it.
        workers: analyse the frames.
        maintain: called at the start and every quarter of an hour; `SinkUnavailable` is logged, not raised.
            It ends between two transactions when the run is to stop.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        frames: FrameWriter,
        workers: WorkerPool,
        maintain: Callable[[Progress], None],
    ) -> None:
        self._supervisor = supervisor
        self._frames = frames
        self._workers = workers
        self._maintain = maintain

    def run(self, stop: threading.Event, tick: Callable[[], None] = _do_nothing) -> Mapping[str, str]:
        """Run until `stop` is set or every recording has been read and stored.

        `tick` is called several times a second. Returns the recordings that could not be read to their end,
        with the reason, by camera id. Raises the exception that ended a worker, the supervisor or the leases.
        """
        try:
            self._workers.start()
            self._supervisor.start()
            try:
                self._wait(stop, tick)
            finally:
                self._supervisor.stop(CAPTURES_STOP_S)
                self._frames.close()
            self._supervisor.check()
            self._workers.drain(stop)
        finally:
            self._workers.stop()
        return dict(self._supervisor.failures())

    def _wait(self, stop: threading.Event, tick: Callable[[], None]) -> None:
        upkeep_due = time.monotonic()
        while not (stop.is_set() or self._supervisor.ended.is_set() or self._workers.any_finished):
            self._supervisor.check()
            if time.monotonic() >= upkeep_due:
                self._try_to_maintain(until_stopped(stop, tick))
                upkeep_due = time.monotonic() + UPKEEP_EVERY_S
            tick()
            stop.wait(_TICK_S)

    def _try_to_maintain(self, progress: Progress) -> None:
        try:
            with suppress(UpkeepEnded):
                self._maintain(progress)
        except SinkUnavailable as error:
            _log.error("upkeep of the database failed and is tried again later: %s", error)
