"""What one camera leaves on the wire and in PostgreSQL: real pictures, and a database that is filled."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import cv2
import sqlalchemy as sa

from benchmarks import clips
from benchmarks.isolation import on_cores
from benchmarks.recorded import EPOCH, FPS, captured_at
from benchmarks.servers import Servers
from benchmarks.stages import joined
from benchmarks.throughput import QUALITY
from bus.messages import MICROSECONDS, MINUTE_US, CameraMinute, Partition, Results
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Detector
from ingest.demo.render import Renderer
from ingest.pictures import encode_jpeg
from media.images import decode_gray
from storage import tables
from storage.partitions import day_of
from storage.writer import Writer

VISITS_PER_HOUR = 60
VISIT_S = 15
OPEN_HOURS = 12
"""The day that is filled in: so many visits of such length in each hour that the shop is open."""

_CAMERA = "camera"
_WORKLOAD = "two faces, 640x480"
_DEMO = ("entrance", "shelf", "till")
_DEMO_OPENING_S = 1_767_614_400
_DEMO_PICTURES = 20
_PICTURES = 100
_DEMO_EVERY_S = 7.0
_TABLES = ("visits", "observations", "visit_minutes", "camera_minutes")


@dataclass(frozen=True, slots=True)
class Sizing:
    """Per camera. `rows` and `size` (bytes with indexes): of one day, by table."""

    frame_bytes: dict[str, float]
    """Mean JPEG, by what the camera sees."""
    rows: dict[str, float]
    size: dict[str, float]


def measure(servers: Servers, data: Path, hours: int) -> Sizing:
    """Encode pictures, and fill a database with some hours of one camera, of which a day is made."""
    frame_bytes = {
        name: fmean(map(len, clips.jpegs(read(data), _PICTURES, QUALITY)))
        for name, read in clips.WORKLOADS.items()
    }
    frame_bytes["the demo's cameras"] = fmean(map(len, _demo_jpegs()))
    seconds = on_cores(1, _seen, data, VISIT_S)
    with servers.place(1) as place:
        empty = _sizes(place.engine)
        _fill(place.engine, seconds, hours)
        rows, full = _rows(place.engine), _sizes(place.engine)
    # What is written by the minute is written day and night.
    times = {name: 24 / hours if name == "camera_minutes" else OPEN_HOURS / hours for name in _TABLES}
    return Sizing(
        frame_bytes=frame_bytes,
        rows={name: rows[name] * times[name] for name in _TABLES},
        size={name: (full[name] - empty[name]) * times[name] for name in _TABLES},
    )


def _demo_jpegs() -> Iterator[bytes]:
    for camera in _DEMO:
        renderer = Renderer(camera)
        for number in range(_DEMO_PICTURES):
            yield encode_jpeg(renderer.frame(_DEMO_OPENING_S + number * _DEMO_EVERY_S), QUALITY)


def _seen(data: Path, seconds: int) -> list[Results]:
    """What an analyser makes of two people who stay in view for so long, second by second."""
    cv2.setNumThreads(1)
    jpegs = clips.jpegs(clips.WORKLOADS[_WORKLOAD](data), seconds * FPS, QUALITY)
    analyser = Analyser(Detector(), Classifier(), "benchmark")
    parts = [
        analyser.analyse(_CAMERA, captured_at(seq), decode_gray(jpeg)).results
        for seq, jpeg in enumerate(jpegs)
    ]
    each = [joined(parts[start : start + FPS]) for start in range(0, len(parts), FPS)]
    return [*each, analyser.close(_CAMERA)]


def _fill(engine: sa.Engine, seconds: Sequence[Results], hours: int) -> None:
    """Let the same people come as often as `VISITS_PER_HOUR` says, from the beginning of this day (UTC) on.

    A write for each second of theirs and for each minute without them. Once in an hour of the filled time
    what is outdated is made room again, which PostgreSQL does by itself once a minute.
    """
    writer = Writer(engine)
    lane = Partition("sizing", 0)
    people = len({visit.visit_id for part in seconds for visit in part.visits})
    minutes_between = 60 * people // VISITS_PER_HOUR
    start = day_of(time.time_ns() // 1000)
    offset = 0
    for minute in range(60 * hours):
        now = start + minute * MINUTE_US
        coming = seconds if minute % minutes_between == 0 else [Results()]
        run = uuid.uuid4().hex
        for part in coming:
            offset += FPS
            count = CameraMinute(_CAMERA, now, captured=FPS, analysed=FPS, watched_us=MICROSECONDS)
            writer.write(replace(_moved(part, now - EPOCH, run), minutes=(count,)), {lane: offset})
        if minute % 60 == 59:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")


def _moved(results: Results, by_us: int, run: str) -> Results:
    """The same people at another time, as others."""

    def other(visit_id: str) -> str:
        return uuid.uuid5(uuid.NAMESPACE_OID, run + visit_id).hex

    return Results(
        visits=tuple(
            replace(
                each,
                visit_id=other(each.visit_id),
                first_seen=each.first_seen + by_us,
                last_seen=each.last_seen + by_us,
            )
            for each in results.visits
        ),
        observations=tuple(
            replace(each, visit_id=other(each.visit_id), observed_at=each.observed_at + by_us)
            for each in results.observations
        ),
    )


def _rows(engine: sa.Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            name: connection.execute(
                sa.select(sa.func.count()).select_from(tables.metadata.tables[name])
            ).scalar_one()
            for name in _TABLES
        }


def _sizes(engine: sa.Engine) -> dict[str, int]:
    """Bytes of each table with its indexes, all days together."""
    query = sa.text("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(:name)")
    with engine.connect() as connection:
        return {
            # A table without partitions is no tree on older servers.
            name: int(connection.execute(query, {"name": name}).scalar_one() or _plain(connection, name))
            for name in _TABLES
        }


def _plain(connection: sa.Connection, name: str) -> int:
    return int(connection.execute(sa.select(sa.func.pg_total_relation_size(name))).scalar_one())
