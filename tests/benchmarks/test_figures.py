"""The benchmark of the dashboard: it asks what the pages ask, and finds tables that are read in full."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import sqlalchemy as sa

from benchmarks import figures
from bus.messages import MINUTE_US
from storage import tables
from storage.engine import open_database
from storage.local_time import day_start
from storage.simulation.load import load_history
from storage.simulation.scenario import create_scenario

TODAY = date(2024, 5, 20)


def test_every_figure_is_measured_on_a_simulated_history(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'mien.db'}"
    engine = open_database(url)
    now = day_start(TODAY, figures._ZONE) + 15 * 60 * MINUTE_US
    visits = load_history(engine, create_scenario(9, 3, 1, TODAY), figures._ZONE.key, now)
    engine.dispose()
    reader = open_database(url, read_only=True)
    result = figures.FigureTimes(9, 3, visits, repeats=1)
    figures.measure_database(result, "a database", reader, now)
    reader.dispose()
    assert len(result.times) == len(figures.list_questions(now, ["a", "b", "c"]))
    assert all(each.p95_ms > 0 for each in result.times)
    page = figures.render_section(figures.to_dict(result))
    assert f"{visits:,} visits" in page
    assert "| hours of the week, 12 months | a database |" in page


def test_a_query_that_reads_a_whole_table_is_found(engine: sa.Engine) -> None:
    minutes = tables.camera_minutes
    counts = dict.fromkeys(tables.COUNTS, 0)
    rows = [{"minute": n * MINUTE_US, "camera_id": "till", **counts} for n in range(figures._MANY_ROWS)]
    with engine.begin() as connection:
        connection.execute(sa.insert(minutes), rows)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE camera_minutes")
    whole = sa.select(sa.func.sum(minutes.c.captured))
    period = whole.where(minutes.c.minute >= 100 * MINUTE_US, minutes.c.minute < 110 * MINUTE_US)
    found = []
    for query in (whole, period):
        with figures.recorded_statements(engine) as statements, engine.connect() as connection:
            connection.execute(query)
        found.append(figures.find_whole_tables(engine, statements, days=30))
    assert found == [{"camera_minutes"}, set()]
