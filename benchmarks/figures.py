"""Time of each figure of the dashboard on a long simulated history, and tables that are read in full."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa

from benchmarks.markdown import render_table
from benchmarks.servers import open_private_database
from common.clock import wall_clock_us
from dashboard.selection import PRESETS, WEEK, Selection
from storage.camera_status import read_camera_status
from storage.engine import Database, open_database
from storage.events import read_events
from storage.figures.classes import read_classes
from storage.figures.comparison import Chosen, compare
from storage.figures.cross import read_cross
from storage.figures.quality import read_oldest, read_quality
from storage.figures.selection import Choice
from storage.figures.simulated import has_simulated_data
from storage.figures.timeline import Timeline, Unit, day_timeline, shifted
from storage.figures.trend import read_trend
from storage.figures.weekdays import read_week
from storage.local_time import date_of
from storage.newest_result import read_newest_result
from storage.simulation.load import load_history
from storage.simulation.scenario import create_scenario

LIMITS_MS = {"SQLite": 500.0, "PostgreSQL": 300.0}
"""The longest time that a figure may take, 95th percentile."""

_ZONE = ZoneInfo("Europe/Berlin")
_SUPPRESS_BELOW = 10
_MANY_ROWS = 10_000
"""Rows from which a table may not be read as a whole."""
_EVENT_DAYS, _BASELINE_DAYS = 14, 56

_HEAD = """## Figures of the dashboard

Milliseconds until a figure is read from a simulated history of {days} days and {cameras} cameras with
{visits:,} visits: every figure that a page shows, for every period, {repeats} times each, nothing cached,
groups of fewer than 10 visits hidden. The limits at the 95th percentile are {sqlite:.0f} ms on SQLite,
{postgresql:.0f} ms on PostgreSQL. *Whole tables*: tables of more than 10,000 rows, and day partitions of the
whole history, that a query reads in full.
"""

Question = Callable[[Database], object]


@dataclass(frozen=True, slots=True)
class FigureTime:
    """Milliseconds of one figure, and the tables that its queries read in full."""

    database: str
    figure: str
    p50_ms: float
    p95_ms: float
    whole_tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FigureTimes:
    """All figures on both databases."""

    days: int
    cameras: int
    visits: int
    repeats: int
    times: list[FigureTime] = field(default_factory=list)


def measure(days: int, cameras: int, repeats: int) -> FigureTimes:
    """Simulate the history on both databases and measure.

    Raises ServersUnavailable where this machine has no PostgreSQL.
    """
    now = wall_clock_us()
    scenario = create_scenario(days, cameras, 1, date_of(now, _ZONE))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = {
            "SQLite": f"sqlite:///{Path(folder) / 'mien.db'}",
            "PostgreSQL": stack.enter_context(open_private_database()),
        }
        result: FigureTimes | None = None
        for name, url in urls.items():
            engine = open_database(url)
            visits = load_history(engine, scenario, _ZONE.key, now)
            engine.dispose()
            result = result or FigureTimes(days, cameras, visits, repeats)
            reader = open_database(url, read_only=True)
            stack.callback(reader.dispose)
            measure_database(result, name, reader, now)
    assert result is not None
    return result


def measure_database(result: FigureTimes, name: str, engine: Database, now: int) -> None:
    """Add the figures of one database that has the history; it is open for reading, as the dashboard's is."""
    questions = list_questions(now, [camera.camera_id for camera in read_camera_status(engine, now)])
    for figure, question in questions.items():
        with recorded_statements(engine) as statements:
            question(engine)
        whole = find_whole_tables(engine, statements, result.days)
        milliseconds = [_time(question, engine) for _ in range(result.repeats)]
        p50, p95 = np.percentile(milliseconds, [50, 95]).tolist()
        result.times.append(FigureTime(name, figure, p50, p95, tuple(sorted(whole))))


def list_questions(now: int, cameras: Sequence[str]) -> dict[str, Question]:
    """What the pages ask, by the name of the figure and its period."""
    choice = Choice(_SUPPRESS_BELOW)
    questions: dict[str, Question] = {
        "state of the cameras, events, freshness": partial(_read_state, now=now),
        "oldest rows": read_oldest,
    }
    for period in PRESETS:
        timeline = Selection(period).timeline(now, _ZONE)
        questions[f"trend, {period}"] = partial(read_trend, timeline=timeline, choice=choice)
    for period in ("28 days", "13 weeks", "12 months"):
        timeline = Selection(period).timeline(now, _ZONE)
        part = Choice(_SUPPRESS_BELOW, frozenset(cameras[:3]))
        questions |= {
            f"trend of three cameras, {period}": partial(read_trend, timeline=timeline, choice=part),
            f"the weeks before, {period}": partial(
                read_trend, timeline=shifted(timeline, 4 * WEEK), choice=choice
            ),
            f"hours of the week, {period}": partial(read_week, timeline=timeline, choice=choice),
            f"expression by gender, {period}": partial(read_cross, timeline=timeline, choice=choice),
            f"quality, {period}": partial(read_quality, timeline=timeline),
            f"face size and confidence, {period}": partial(read_classes, timeline=timeline, choice=choice),
        }
    return questions | _list_comparisons(now, cameras)


def _list_comparisons(now: int, cameras: Sequence[str]) -> dict[str, Question]:
    today = date_of(now, _ZONE).toordinal()

    def days(first: int, last: int) -> Timeline:
        start, end = date.fromordinal(today - first), date.fromordinal(today - last)
        return day_timeline(start, end, Unit.DAY, now, _ZONE)

    event = days(_EVENT_DAYS, 1), days(_EVENT_DAYS + _BASELINE_DAYS, _EVENT_DAYS + 1)
    return {
        "compare two quarters": partial(_compare, a=Chosen(days(91, 1)), b=Chosen(days(182, 92))),
        "compare two cameras, a year": partial(
            _compare,
            a=Chosen(days(364, 1), frozenset(cameras[:1])),
            b=Chosen(days(364, 1), frozenset(cameras[1:2])),
        ),
        "compare an event with its baseline": partial(
            _compare, a=Chosen(event[0]), b=Chosen(event[1]), matched=True
        ),
    }


def _compare(engine: Database, a: Chosen, b: Chosen, matched: bool = False) -> object:
    return compare(engine, a, b, _SUPPRESS_BELOW, matched=matched)


def _read_state(engine: Database, now: int) -> object:
    return (
        read_newest_result(engine),
        read_camera_status(engine, now),
        read_events(engine),
        has_simulated_data(engine),
    )


def _time(question: Question, engine: Database) -> float:
    began = time.perf_counter()
    question(engine)
    return 1000 * (time.perf_counter() - began)


Statement = tuple[str, Any]


@contextmanager
def recorded_statements(engine: Database) -> Iterator[list[Statement]]:
    """The statements with their parameters that are executed in the block."""
    statements: list[Statement] = []

    def add(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            statements.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", add)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", add)


def find_whole_tables(engine: Database, statements: Sequence[Statement], days: int) -> set[str]:
    """The large tables that the plans of some statements read in full."""
    find = _find_on_sqlite if engine.dialect.name == "sqlite" else _find_on_postgresql
    with engine.connect() as connection:
        return {table for statement in statements for table in find(connection, statement, days)}


def _find_on_sqlite(connection: sa.Connection, statement: Statement, _days: int) -> Iterator[str]:
    text, parameters = statement
    tables = set(sa.inspect(connection).get_table_names())
    for *_, detail in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters):
        words = str(detail).split()
        is_scan = words[0] == "SCAN" and words[1] in tables
        # With a limit, a scan in the order of an index ends after the first rows.
        is_limited = "USING" in words and "LIMIT" in text
        if is_scan and not is_limited and _has_many_rows(connection, words[1]):
            yield words[1]


def _has_many_rows(connection: sa.Connection, table: str) -> bool:
    query = f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {_MANY_ROWS}) AS first"
    return bool(connection.exec_driver_sql(query).scalar() == _MANY_ROWS)


def _find_on_postgresql(connection: sa.Connection, statement: Statement, days: int) -> Iterator[str]:
    plan: Any = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement[0]}", statement[1]).scalar()
    nodes = list(_nodes(plan[0]["Plan"]))
    scanned = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]
    partitions = [name for name in scanned if name.startswith(("visits_", "observations_"))]
    if len(partitions) >= days:
        yield partitions[0].split("_")[0]
    for name in set(scanned) - set(partitions):
        if _has_many_rows(connection, name):
            yield name


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        yield from _nodes(each)


def to_dict(times: FigureTimes) -> dict[str, Any]:
    """The measurement as JSON types."""
    return asdict(times)


def render_section(result: dict[str, Any]) -> str:
    """The section of the page."""
    times = [FigureTime(**each) for each in result["times"]]
    rows = [
        (
            each.figure,
            each.database,
            f"{each.p50_ms:.0f}",
            f"{each.p95_ms:.0f}",
            ", ".join(each.whole_tables) or "none",
        )
        for each in sorted(times, key=lambda each: -each.p95_ms)
    ]
    head = _HEAD.format(
        **{name: result[name] for name in ("days", "cameras", "visits", "repeats")},
        sqlite=LIMITS_MS["SQLite"],
        postgresql=LIMITS_MS["PostgreSQL"],
    )
    return f"{head}\n{render_table(('figure', 'database', 'p50', 'p95', 'whole tables'), rows)}"
