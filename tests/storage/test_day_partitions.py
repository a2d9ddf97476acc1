"""Day partitions: created in advance, filled from the default one, dropped as a whole, without blocking."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, Observation
from storage import day_partitions, tables
from storage.day_partitions import DAY_US, DAYS_AHEAD, PARTITION_COLUMNS, DayPartition, start_of_day
from storage.engine import open_database
from storage.errors import DatabaseUnavailable
from storage.writer import Writer
from tests.support.databases import estimate, results, rows, visit

TODAY = start_of_day(1_700_000_000 * MICROSECONDS)
NOW = TODAY + 10 * 3600 * MICROSECONDS
VISITS, SECONDS = PARTITION_COLUMNS


@pytest.fixture
def engine(postgresql_url: str) -> Iterator[sa.Engine]:
    engine = open_database(postgresql_url)
    yield engine
    engine.dispose()


def seen(engine: sa.Engine, *days: float) -> None:
    """Store a closed visit with an observation at each of `days` after the start of today."""
    starts = {f"v{day:g}": TODAY + round(day * DAY_US) for day in days}
    visits = [visit(name, closed=True, first_seen=start) for name, start in starts.items()]
    seconds = [Observation(name, "till", start, estimate()) for name, start in starts.items()]
    Writer(engine).write(results(visits, seconds), {})


def place(engine: sa.Engine, time: sa.Column[int]) -> dict[str, str]:
    """The partition of each visit's row."""
    with engine.connect() as connection:
        query = f"SELECT visit_id, tableoid::regclass::text FROM {time.table.description}"
        return dict(connection.exec_driver_sql(query).all())


def days(engine: sa.Engine, time: sa.Column[int] = VISITS) -> list[DayPartition]:
    with engine.connect() as connection:
        return day_partitions.read_day_partitions(connection, time)


@pytest.mark.parametrize("time", PARTITION_COLUMNS, ids=str)
def test_today_and_a_week_ahead_are_created_once(engine: sa.Engine, time: sa.Column[int]) -> None:
    made = day_partitions.create_missing(engine, time, NOW)
    assert [day.start for day in made] == [TODAY + n * DAY_US for n in range(DAYS_AHEAD + 1)]
    assert made[0] == DayPartition(f"{time.table.description}_20231114", TODAY, TODAY + DAY_US)
    assert days(engine, time) == made
    assert day_partitions.create_missing(engine, time, NOW + 3600 * MICROSECONDS) == []
    assert [day.start for day in day_partitions.create_missing(engine, time, NOW + DAY_US)] == [made[-1].end]


def test_rows_are_stored_in_their_day_partition(engine: sa.Engine) -> None:
    for time in PARTITION_COLUMNS:
        day_partitions.create_missing(engine, time, NOW)
    seen(engine, 0, 0.999999, 1, 7)
    wanted = {"v0": "20231114", "v0.999999": "20231114", "v1": "20231115", "v7": "20231121"}
    for time in PARTITION_COLUMNS:
        table = time.table.description
        assert place(engine, time) == {name: f"{table}_{day}" for name, day in wanted.items()}


def test_no_row_is_refused_and_each_moves_to_its_day_partition_later(engine: sa.Engine) -> None:
    before = rows_of(engine)
    seen(engine, -400, -1, 0.5, 7.5, 8, 3000)
    with engine.connect() as connection:
        assert sum(day_partitions.count_default_rows(connection, VISITS).values()) == 6
    stored = rows_of(engine)
    assert stored != before
    for time in PARTITION_COLUMNS:
        made = {day.name[-8:] for day in day_partitions.create_missing(engine, time, NOW)}
        assert {"20221010", "20231113", "20231114", "20231121"} < made
        where = {
            name: table.removeprefix(time.table.description) for name, table in place(engine, time).items()
        }
        assert where == {
            "v-400": "_20221010",
            "v-1": "_20231113",
            "v0.5": "_20231114",
            "v7.5": "_20231121",
            "v8": "_default",
            "v3000": "_default",
        }
        with engine.connect() as connection:
            left = day_partitions.count_default_rows(connection, time)
        assert left == {TODAY + 8 * DAY_US: 1, TODAY + 3000 * DAY_US: 1}
    assert rows_of(engine) == stored, "moving the rows changed none"


def rows_of(engine: sa.Engine) -> list[list[dict[str, object]]]:
    return [rows(engine, table) for table in (tables.visits, tables.observations, tables.visit_minutes)]


def test_a_visit_whose_row_was_moved_still_has_one_row(engine: sa.Engine) -> None:
    writer = Writer(engine)
    writer.write(results([visit("v1", 3, first_seen=TODAY)]), {})
    day_partitions.create_missing(engine, VISITS, NOW)
    writer.write(results([visit("v1", 9, first_seen=TODAY)]), {})
    writer.write(results([visit("v1", 12, first_seen=TODAY, closed=True)]), {})
    assert [(row["frames"], row["closed"]) for row in rows(engine, tables.visits)] == [(12, True)]
    assert [row["visits"] for row in rows(engine, tables.visit_minutes)] == [1]


def test_a_visit_over_midnight_stays_in_the_day_on_which_it_started(engine: sa.Engine) -> None:
    day_partitions.create_missing(engine, VISITS, NOW)
    late = TODAY + DAY_US - MICROSECONDS
    for seconds, closed in ((0.5, False), (30, False), (60, True)):
        seen_on = visit("v1", round(seconds * 10), first_seen=late, seconds=seconds, closed=closed)
        Writer(engine).write(results([seen_on]), {})
    assert place(engine, VISITS) == {"v1": "visits_20231114"}


def test_old_day_partitions_are_dropped(engine: sa.Engine) -> None:
    seen(engine, -3, -2, -1.5, -1, 0)
    for time in PARTITION_COLUMNS:
        day_partitions.create_missing(engine, time, NOW)
        assert day_partitions.drop_before(engine, time, TODAY - DAY_US) == 3
        assert [day.start for day in days(engine, time)][:2] == [TODAY - DAY_US, TODAY]
        assert day_partitions.drop_before(engine, time, TODAY - DAY_US) == 0
        assert set(place(engine, time)) == {"v-1", "v0"}
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT to_regclass('visits_20231112')").scalar() is None


def test_every_day_partition_has_the_indexes_of_its_table(engine: sa.Engine) -> None:
    for time in PARTITION_COLUMNS:
        day_partitions.create_missing(engine, time, NOW)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        for name in ("visits_20231114", "observations_20231114"):
            kinds = {
                (
                    tuple(index["column_names"]),
                    index.get("dialect_options", {}).get("postgresql_using", "btree"),
                )
                for index in inspector.get_indexes(name)
            }
            column = "first_seen" if name.startswith("visits") else "observed_at"
            assert ((column,), "brin") in kinds
            assert inspector.get_pk_constraint(name)["constrained_columns"] == ["visit_id", column]


def test_a_query_for_one_day_reads_one_day_partition(engine: sa.Engine) -> None:
    day_partitions.create_missing(engine, VISITS, NOW)
    query = f"EXPLAIN SELECT * FROM visits WHERE first_seen >= {TODAY} AND first_seen < {TODAY + DAY_US}"
    with engine.connect() as connection:
        plan = "\n".join(connection.exec_driver_sql(query).scalars())
    assert "visits_20231114" in plan
    assert "visits_20231115" not in plan
    assert "visits_default" not in plan


def test_the_oldest_row_is_found_on_any_day(engine: sa.Engine) -> None:
    """In the default partition before all days, on the first, a later and the last of them, and after all."""
    day_partitions.create_days(engine, VISITS, [TODAY + number * DAY_US for number in range(-12, 3)])

    def oldest(camera: str) -> int | None:
        with engine.connect() as connection:
            return day_partitions.read_oldest_time(connection, VISITS, tables.visits.c.camera_id == camera)

    assert oldest("till") is None
    for day in (20, 2, 1, -5, -11, -12, -400):
        seen(engine, day + 0.5)
        assert oldest("till") == TODAY + round((day + 0.5) * DAY_US), day
    assert oldest("gate") is None


def test_writers_continue_while_day_partitions_are_created_and_dropped(
    engine: sa.Engine, postgresql_url: str
) -> None:
    """Writers fill the default partition with rows of the days that are created and dropped."""
    others = [open_database(postgresql_url) for _ in range(3)]
    done = threading.Event()
    failed: list[BaseException] = []
    written: list[list[str]] = [[] for _ in others]

    def write(number: int) -> None:
        writer = Writer(others[number])
        try:
            while not done.is_set():
                name = f"w{number} {len(written[number])}"
                start = TODAY + len(written[number]) % DAYS_AHEAD * DAY_US
                second = Observation(name, "till", start, estimate())
                writer.write(results([visit(name, closed=True, first_seen=start)], [second]), {})
                written[number].append(name)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(others))]
    for thread in threads:
        thread.start()
    for day in range(4):
        for time in PARTITION_COLUMNS:
            day_partitions.create_missing(engine, time, NOW + (day - DAYS_AHEAD) * DAY_US)
            day_partitions.drop_before(engine, time, TODAY)
    done.set()
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    everything = sorted(name for names in written for name in names)
    assert len(everything) > 10
    assert sorted(str(row["visit_id"]) for row in rows(engine, tables.visits)) == everything
    assert sorted(str(row["visit_id"]) for row in rows(engine, tables.observations)) == everything
    for other in others:
        other.dispose()


def test_concurrent_maintenance_creates_each_day_partition_once(
    engine: sa.Engine, postgresql_url: str
) -> None:
    others = [open_database(postgresql_url) for _ in range(4)]
    start = threading.Barrier(len(others))
    made: list[DayPartition] = []

    def maintain(other: sa.Engine) -> None:
        start.wait(timeout=60)
        made.extend(day_partitions.create_missing(other, VISITS, NOW))

    threads = [threading.Thread(target=maintain, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(made, key=lambda day: day.start) == days(engine)
    for other in others:
        other.dispose()


def test_a_change_waits_for_a_long_reader_for_a_limited_time(engine: sa.Engine, postgresql_url: str) -> None:
    seen(engine, -1)
    day_partitions.create_missing(engine, VISITS, NOW)
    reader = sa.create_engine(postgresql_url)
    with reader.begin() as connection:
        connection.exec_driver_sql("SELECT * FROM visits")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            day_partitions.drop_before(engine, VISITS, TODAY)
    assert day_partitions.drop_before(engine, VISITS, TODAY) == 1
    reader.dispose()


def test_a_date_range_has_the_first_and_the_last_date() -> None:
    day = [DayPartition("x", TODAY + n * DAY_US, TODAY + (n + 1) * DAY_US) for n in range(3)]
    assert day_partitions.date_range([]) == "none"
    assert day_partitions.date_range(day[:1]) == "2023-11-14"
    assert day_partitions.date_range(day) == "2023-11-14 to 2023-11-16"
