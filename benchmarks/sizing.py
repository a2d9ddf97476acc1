"""Network and disk per camera: sizes of real frames, and of tables that are filled with one camera's rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import cv2
import sqlalchemy as sa

from benchmarks import clips
from benchmarks.isolation import run_on_cores
from benchmarks.recorded import EPOCH, FPS, captured_at
from benchmarks.servers import Servers
from benchmarks.stages import join_results
from benchmarks.throughput import QUALITY
from bus.messages import MICROSECONDS, MINUTE_US, CameraMinute, Partition, Results
from common.clock import wall_clock_us
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Detector
from ingest.demo.render import Renderer
from ingest.encoding import encode_jpeg
from media.images import decode_gray
from storage import tables
from storage.day_partitions import start_of_day
from storage.writer import Writer

VISITS_PER_HOUR = 60
VISIT_S = 15
OPEN_HOURS = 12
"""The assumed day: 60 visits of 15 seconds in each of 12 opening hours."""

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
    """Figures per camera. `rows` and `size` (bytes with indexes) are those of one day, by table."""

    frame_bytes: dict[str, float]
    """Mean size of a JPEG, by scene."""
    rows: dict[str, float]
    size: dict[str, float]


def measure(servers: Servers, data: Path, hours: int) -> Sizing:
    """Encode pictures, and fill a database with `hours` of one camera, scaled to a day."""
    frame_bytes = {
        name: fmean(map(len, clips.encode_jpegs(read(data), _PICTURES, QUALITY)))
        for name, read in clips.WORKLOADS.items()
    }
    frame_bytes["the demo's cameras"] = fmean(map(len, _demo_jpegs()))
    seconds = run_on_cores(1, _analyse_clip, data, VISIT_S)
    with servers.make_workspace(1) as workspace:
        empty = _sizes(workspace.engine)
        _fill(workspace.engine, seconds, hours)
        rows, full = _rows(workspace.engine), _sizes(workspace.engine)
    # Rows per minute are written outside the opening hours too.
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


def _analyse_clip(data: Path, seconds: int) -> list[Results]:
    """The results, second by second, of two people who stay in view for `seconds`."""
    cv2.setNumThreads(1)
    jpegs = clips.encode_jpegs(clips.WORKLOADS[_WORKLOAD](data), seconds * FPS, QUALITY)
    analyser = Analyser(Detector(), Classifier(), "benchmark")
    parts = [
        analyser.analyse(_CAMERA, captured_at(seq), decode_gray(jpeg)).results
        for seq, jpeg in enumerate(jpegs)
    ]
    each = [join_results(parts[start : start + FPS]) for start in range(0, len(parts), FPS)]
    return [*each, analyser.close(_CAMERA)]


def _fill(engine: sa.Engine, seconds: Sequence[Results], hours: int) -> None:
    """Write `VISITS_PER_HOUR` visits of the same people, from the start of the present day (UTC).

    One write for each second with people and for each minute without. VACUUM runs once per hour of written
    time; in production PostgreSQL starts it itself once a minute.
    """
    writer = Writer(engine)
    partition = Partition("sizing", 0)
    people = len({visit.visit_id for part in seconds for visit in part.visits})
    minutes_between = 60 * people // VISITS_PER_HOUR
    start = start_of_day(wall_clock_us())
    offset = 0
    for minute in range(60 * hours):
        now = start + minute * MINUTE_US
        parts = seconds if minute % minutes_between == 0 else [Results()]
        run = uuid.uuid4().hex
        for part in parts:
            offset += FPS
            count = CameraMinute(_CAMERA, now, captured=FPS, analysed=FPS, watched_us=MICROSECONDS)
            writer.write(replace(_shift(part, now - EPOCH, run), minutes=(count,)), {partition: offset})
        if minute % 60 == 59:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")


def _shift(results: Results, by_us: int, run: str) -> Results:
    """The same results at another time, with new visit ids."""

    def new_id(visit_id: str) -> str:
        return uuid.uuid5(uuid.NAMESPACE_OID, run + visit_id).hex

    return Results(
        visits=tuple(
            replace(
                each,
                visit_id=new_id(each.visit_id),
                first_seen=each.first_seen + by_us,
                last_seen=each.last_seen + by_us,
            )
            for each in results.visits
        ),
        observations=tuple(
            replace(each, visit_id=new_id(each.visit_id), observed_at=each.observed_at + by_us)
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
    """Bytes of each table with its indexes, all partitions together."""
    query = sa.text("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(:name)")
    with engine.connect() as connection:
        return {
            # On older servers a table without partitions is not in the tree.
            name: int(connection.execute(query, {"name": name}).scalar_one() or _table_size(connection, name))
            for name in _TABLES
        }


def _table_size(connection: sa.Connection, name: str) -> int:
    return int(connection.execute(sa.select(sa.func.pg_total_relation_size(name))).scalar_one())
