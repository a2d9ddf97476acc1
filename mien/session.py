"""One run of everything on this machine: pipeline, dashboard, signals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, suppress

from mien import wiring
from mien.dashboard_process import Dashboard
from mien.errors import StartError
from mien.settings import EMBEDDED, Settings
from mien.signals import stopping
from mien.tally import Tally
from storage.errors import StorageError
from storage.registry import CameraRegistry, CameraRow
from storage.standstill import let_go
from storage.writer import OUTAGES


def run(
    settings: Settings,
    cameras: Collection[CameraRow],
    watch: wiring.Watch,
    *,
    dashboard: Dashboard | None,
    announce: Callable[[str | None], None],
) -> tuple[Tally, Mapping[str, str]]:
    """Register `cameras`, run until a signal comes or every recording has ended, then stop all.

    `announce` is called with the dashboard's address, or None without one, when all of it runs. Returns
    what the run did, and the recordings that could not be read with the reason.

    Raises the errors of the parts that cannot start.
    """
    if settings.bus != EMBEDDED:
        raise StartError("bus: MIEN_BUS names Kafka; use `mien ingest` and `mien work`, or unset it")
    engine = wiring.database(settings)
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        stop = stack.enter_context(stopping())
        stack.enter_context(let_go(engine, stop))
        registry = CameraRegistry(engine)
        known = {camera.id for camera in registry.cameras()}
        registry.sync(cameras)
        if not registry.cameras():
            raise StartError("no cameras: pass --source, list them in mien.yaml or use `mien cameras add`")
        if watch.live_guests:
            stack.callback(_forget, registry, watch.live_guests - known)
        pipeline, tally = wiring.pipeline(settings, engine, watch)
        if dashboard:
            stack.enter_context(dashboard)
        teller = _Teller(dashboard, stop, announce)
        failures = pipeline.run(stop, teller.tick)
        return tally, failures


def _forget(registry: CameraRegistry, guests: Iterable[str]) -> None:
    """Unregister cameras that were watched for this run alone: nobody misses them afterwards."""
    for camera_id in guests:
        with suppress(StorageError, *OUTAGES):
            registry.remove(camera_id)


class _Teller:
    """Announces the dashboard once it answers, and watches it from then on."""

    def __init__(
        self, page: Dashboard | None, stop: threading.Event, announce: Callable[[str | None], None]
    ) -> None:
        self._page, self._stop, self._announce = page, stop, announce
        self._announced = False

    def tick(self) -> None:
        if not self._announced:
            self._announced = True
            if self._page:
                self._page.wait_until_ready(self._stop)
            self._announce(self._page.url if self._page else None)
        if self._page:
            self._page.watch()
