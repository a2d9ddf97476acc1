"""One run of everything on this machine: pipeline, dashboard, signals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack

from mien import wiring
from mien.dashboard_process import Dashboard
from mien.errors import StartError
from mien.settings import Settings
from mien.signals import stopping
from mien.tally import Tally
from storage.registry import CameraRegistry, CameraRow


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
    engine = wiring.database(settings)
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        stop = stack.enter_context(stopping())
        registry = CameraRegistry(engine)
        registry.sync(cameras)
        if not registry.cameras():
            raise StartError("no cameras: pass --source, list them in mien.yaml or use `mien cameras add`")
        pipeline, tally = wiring.pipeline(settings, engine, watch)
        if dashboard:
            stack.enter_context(dashboard)
        teller = _Teller(dashboard, stop, announce)
        failures = pipeline.run(stop, teller.tick)
        return tally, failures


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
