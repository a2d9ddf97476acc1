"""What `mien ingest` and `mien work` have in common: signals, health server and database of the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mien.alerts.loop import send_alerts
from mien.health_server import serve_health
from mien.metrics import Metrics
from mien.process_limits import raise_open_file_limit
from mien.settings import Settings
from mien.signals import stop_on_signal
from mien.wiring import scaled
from mien.wiring.registry import open_settings_database
from storage.engine import Database
from storage.hung_connections import abort_hung_connections


class ScaledProcess(NamedTuple):
    """One process of scaled mode; `stop` is set by a signal."""

    stop: threading.Event
    metrics: Metrics
    engine: Database


@contextmanager
def open_process(settings: Settings) -> Iterator[ScaledProcess]:
    """Open everything but the parts of the pipeline, and close it after the block.

    Raises SettingsError or AddressError for the setting `bus`, the errors of the parts that cannot start, and
    the exception that ended the alerts.
    """
    scaled.kafka_settings(settings)
    raise_open_file_limit()
    metrics = Metrics()
    with stop_on_signal() as stop, serve_health(metrics, settings):
        engine = open_settings_database(settings)
        try:
            with abort_hung_connections(engine, stop), send_alerts(engine, settings, metrics, stop):
                yield ScaledProcess(stop, metrics, engine)
        finally:
            engine.dispose()
