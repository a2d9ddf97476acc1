"""Parts that one machine and many machines have in common."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from bus.codec import MAX_AHEAD_US
from bus.embedded import EmbeddedBus
from common.clock import wall_clock_us
from mien.settings import Settings
from mien.totals import CountingStore
from mien.wiring.parts import AnalyserFactory, create_worker
from storage.writer import Writer
from tests.support.buses import frame
from tests.support.mjpeg_camera import jpeg


@pytest.mark.parametrize(("every_frame", "analysed"), [(True, 2), (False, 1)])
def test_a_worker_that_analyses_every_frame_accepts_the_times_of_recordings_that_are_read_fast(
    engine: sa.Engine, every_frame: bool, analysed: int
) -> None:
    now = wall_clock_us()
    bus = EmbeddedBus()
    writer = bus.writer()
    for seq, captured_at in enumerate((now, now + 2 * MAX_AHEAD_US)):
        writer.publish(
            replace(frame(seq), captured_at=captured_at, epoch=now, width=128, height=96, jpeg=jpeg(seq))
        )
    writer.close()
    store = CountingStore(Writer(engine))
    analyser = AnalyserFactory().create()
    settings = Settings(max_frame_age=3600)
    worker = create_worker(settings, bus.reader([0], store.positions), store, analyser, every_frame)
    worker.run(threading.Event())
    assert store.totals()["till"].frames["analysed"] == analysed
