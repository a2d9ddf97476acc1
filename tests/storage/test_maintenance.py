"""Maintenance lets SQLite know how its rows are distributed, so that it chooses the right indexes."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from bus.messages import MICROSECONDS
from storage import tables
from storage.engine import open_database
from storage.maintenance import maintain
from storage.retention import Retention
from storage.writer import Writer
from tests.support.databases import T0, results, visit


def test_statistics_of_sqlite_are_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    engine = open_database(url)
    visits = [visit(f"v{n}", first_seen=T0 + n * MICROSECONDS, closed=True) for n in range(200)]
    Writer(engine).write(results(visits), {})
    maintain(engine, Retention(), T0)
    engine.dispose()
    reader = open_database(url, read_only=True)
    columns = tables.visits.c
    closed = sa.select(columns.visit_id).where(
        columns.closed, columns.first_seen >= T0, columns.first_seen < T0 + MICROSECONDS
    )
    statement = closed.compile(reader, compile_kwargs={"literal_binds": True})
    with reader.connect() as connection:
        kept = connection.exec_driver_sql("SELECT stat FROM sqlite_stat1 WHERE idx = 'visits_open'").scalar()
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()
    reader.dispose()
    assert str(kept) == "200 200 1"
    assert "visits_by_time" in plan[0][3], "nearly all visits are closed, so their time says more"
