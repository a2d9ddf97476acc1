"""Roll-ups equal sums over the rows, in any order of writing and rolling up."""

from __future__ import annotations

import random
from datetime import date
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, CameraMinute, Visit
from common.access import LOCAL
from storage import tables
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit, day_timeline
from storage.figures.trend import read_trend
from storage.figures.weekdays import read_week
from storage.local_time import HOUR_US, date_of, day_start, hour_edges, hour_start
from storage.registry import CameraRegistry, CameraRow
from storage.retention import Retention, purge
from storage.rollups import read_hours_until, read_until, roll_up
from storage.sums import ALL_COLUMNS, read_coverage, read_visit_sums
from storage.writer import Writer
from tests.support.databases import T0, estimate, results, rows, visit

BERLIN = "Europe/Berlin"
DAY_US = 24 * HOUR_US
LABELS = [("happiness", "female"), ("anger", "male"), ("neutral", "male"), ("unknown", "unknown")]


def some_visits(dice: random.Random, n: int, start: int, days: float, closed: bool = True) -> list[Visit]:
    found = []
    for _ in range(n):
        looks, gender = dice.choice(LABELS)
        known = "neutral" if looks == "unknown" else looks
        found.append(
            visit(
                f"{dice.getrandbits(100):x}",
                camera=dice.choice(["till", "door"]),
                first_seen=start + dice.randrange(round(days * DAY_US)),
                seconds=dice.choice([0.5, 1, 3.2, 10, 59, 4000]),
                looks=estimate(known, "male" if gender == "male" else "female", 0.4 + dice.random() / 2),
                closed=closed,
            )
        )
    return found


def some_minutes(dice: random.Random, n: int, start: int, days: float) -> list[CameraMinute]:
    return [
        CameraMinute(
            dice.choice(["till", "door"]),
            start + dice.randrange(round(days * DAY_US / MINUTE_US)) * MINUTE_US,
            captured=300,
            analysed=290,
            watched_us=dice.randrange(60) * MICROSECONDS,
        )
        for _ in range(n)
    ]


def totals(engine: sa.Engine, table: sa.Table) -> dict[str, float]:
    with engine.connect() as connection:
        row = connection.execute(sa.select(*(sa.func.sum(table.c[name]) for name in ALL_COLUMNS))).one()
    return dict(zip(ALL_COLUMNS, (float(value or 0) for value in row), strict=True))


def exact_totals(engine: sa.Engine, start: int, end: int) -> dict[str, float]:
    with engine.connect() as connection:
        parts = [
            read_visit_sums(connection, start, end, HOUR_US, which="closed"),
            read_coverage(connection, start, end, HOUR_US).sums,
        ]
    return {
        name: float(total)
        for part in parts
        for name, total in zip(part.columns, part.values.sum(axis=0), strict=True)
    }


def without_schedule(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if name != "scheduled_us"}


def test_hours_and_days_equal_the_sums_of_the_rows(engine: sa.Engine) -> None:
    dice = random.Random(1)
    start = day_start(date(2023, 10, 28), ZoneInfo(BERLIN))
    writer = Writer(engine)
    writer.write(results(some_visits(dice, 400, start, 3.4), minutes=some_minutes(dice, 300, start, 3.4)), {})
    now = start + 3 * DAY_US + 15 * HOUR_US
    assert roll_up(engine, now, BERLIN) > 70
    with engine.connect() as connection:
        hour_until, day_until = read_until(connection, BERLIN)
    assert hour_until == hour_start(now - 2 * HOUR_US, ZoneInfo(BERLIN))
    assert day_until == day_start(date(2023, 10, 31), ZoneInfo(BERLIN)), "25 hours are one day"
    hours, days = totals(engine, tables.camera_hours), totals(engine, tables.camera_days)
    assert without_schedule(hours) == pytest.approx(exact_totals(engine, 0, hour_until))
    assert without_schedule(days) == pytest.approx(exact_totals(engine, 0, day_until))
    assert sum(hours[name] for name in tables.CROSS_COUNTS) == hours["visits"]
    assert sum(hours[name] for name in tables.DWELL_BINS) == hours["visits"]


def test_rows_that_are_stored_late_are_in_the_next_roll_up(engine: sa.Engine) -> None:
    dice = random.Random(2)
    start = day_start(date(2023, 11, 6), ZoneInfo(BERLIN))
    now = start + 2 * DAY_US
    writer = Writer(engine)
    writer.write(results(some_visits(dice, 50, start, 1.5, closed=False)), {})
    writer.write(results(minutes=some_minutes(dice, 50, start, 1.5)), {})
    roll_up(engine, now, BERLIN)
    assert totals(engine, tables.camera_hours)["visits"] == 0, "open visits are not rolled up"
    writer.write(results(some_visits(random.Random(2), 50, start, 1.5)), {})
    writer.write(results(some_visits(dice, 60, start, 1.5), minutes=some_minutes(dice, 60, start, 1.5)), {})
    assert rows(engine, tables.rollup_changes) != []
    roll_up(engine, now, BERLIN)
    hours = totals(engine, tables.camera_hours)
    assert hours["visits"] == 110
    assert without_schedule(hours) == pytest.approx(exact_totals(engine, 0, now))
    assert rows(engine, tables.rollup_changes) == []
    assert roll_up(engine, now, BERLIN) == 0, "nothing changes any more"


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", BERLIN])
def test_a_late_row_in_the_hour_of_local_midnight_is_rolled_up_once(engine: sa.Engine, zone: str) -> None:
    midnight = day_start(date(2023, 11, 7), ZoneInfo(zone))
    writer = Writer(engine)
    writer.write(results([visit("first", first_seen=midnight - 12 * HOUR_US, closed=True)]), {})
    now = midnight + 3 * DAY_US
    roll_up(engine, now, zone)
    late = [
        visit(f"late {minutes}", first_seen=midnight + minutes * MINUTE_US, closed=True)
        for minutes in (-10, 10)
    ]
    writer.write(results(late), {})
    assert roll_up(engine, now, zone) == 48, "both days of the hour"
    assert totals(engine, tables.camera_hours)["visits"] == totals(engine, tables.camera_days)["visits"] == 3
    assert rows(engine, tables.rollup_changes) == []
    assert roll_up(engine, now, zone) == 0, "nothing changes any more"


@pytest.mark.parametrize("zone", ["Asia/Kolkata", BERLIN])
def test_a_late_row_keeps_the_coverage_of_minutes_that_retention_has_deleted(
    engine: sa.Engine, zone: str
) -> None:
    start = day_start(date(2023, 11, 7), ZoneInfo(zone))
    now = start + 20 * DAY_US
    writer = Writer(engine)
    hours = range(start, start + 3 * DAY_US, HOUR_US)
    watched = [CameraMinute("till", hour, captured=300, watched_us=MINUTE_US) for hour in hours]
    writer.write(results(minutes=watched), {})
    roll_up(engine, now, zone)
    before = totals(engine, tables.camera_hours)
    purge(engine, Retention(visits=400, coverage=10).cutoffs(now))
    assert rows(engine, tables.camera_minutes) == []
    noon = start + 36 * HOUR_US
    quiet = CameraMinute("till", noon, captured=1, watched_us=MICROSECONDS)
    writer.write(results([visit("late", first_seen=noon, closed=True)], minutes=[quiet]), {})
    assert roll_up(engine, now, zone) > 0
    for table in (tables.camera_hours, tables.camera_days):
        after = totals(engine, table)
        assert after["visits"] == 1
        assert {name: after[name] for name in tables.COVERAGE_SUMS} == {
            name: before[name] for name in tables.COVERAGE_SUMS
        }


def test_a_late_row_changes_no_schedule_of_the_past(engine: sa.Engine) -> None:
    start = day_start(date(2023, 11, 6), ZoneInfo(BERLIN))
    now = start + 4 * DAY_US
    registry = CameraRegistry(engine)
    for camera in ("till", "door"):
        registry.add(LOCAL, CameraRow(camera, f"demo://{camera}", open_hours="09:00-18:00"))
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created_at=start))
    writer = Writer(engine)
    writer.write(results([visit("first", first_seen=start, closed=True)]), {})
    roll_up(engine, now, BERLIN)
    before = totals(engine, tables.camera_days)["scheduled_us"]
    assert before == 2 * 3 * 9 * HOUR_US, "three days are complete"
    registry.set_schedule(LOCAL, "till", "")
    registry.remove(LOCAL, "door")
    evening = CameraMinute("till", start + 20 * HOUR_US, captured=1, watched_us=30 * MICROSECONDS)
    writer.write(results(minutes=[evening]), {})
    roll_up(engine, now, BERLIN)
    assert totals(engine, tables.camera_days)["scheduled_us"] == before + 30 * MICROSECONDS


def test_another_time_zone_builds_the_roll_ups_again_and_says_so(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    start = day_start(date(2023, 11, 6), ZoneInfo(BERLIN))
    Writer(engine).write(results(some_visits(random.Random(3), 80, start, 2)), {})
    for zone in (BERLIN, "Asia/Kolkata"):
        roll_up(engine, start + 4 * DAY_US, zone)
        assert totals(engine, tables.camera_days)["visits"] == 80
    (warning,) = (each.getMessage() for each in caplog.records)
    assert "for the time zone Asia/Kolkata instead of Europe/Berlin" in warning
    with engine.connect() as connection:
        assert read_until(connection, BERLIN) == (0, 0)
    found = {row["day"] for row in rows(engine, tables.camera_days)}
    assert all((day - day_start(date(2023, 11, 6), ZoneInfo("Asia/Kolkata"))) % DAY_US == 0 for day in found)


def test_scheduled_time_is_the_open_hours_of_a_camera(engine: sa.Engine) -> None:
    zone = ZoneInfo(BERLIN)
    start = day_start(date(2023, 11, 6), zone)
    CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://till"))
    with engine.begin() as connection:
        connection.execute(
            sa.update(tables.cameras).values(created_at=start, open_hours="Mo-Fr 09:30-18:00, Sa 10:00-14:00")
        )
    evening = CameraMinute("till", start + 20 * HOUR_US, captured=1, watched_us=30 * MICROSECONDS)
    Writer(engine).write(results(minutes=[evening]), {})
    roll_up(engine, start + 9 * DAY_US, BERLIN)
    scheduled = [int(str(row["scheduled_us"])) / HOUR_US for row in rows(engine, tables.camera_days)]
    assert scheduled == pytest.approx([8.5 + 30 / 3600, 8.5, 8.5, 8.5, 8.5, 4.0, 8.5]), "closed on Sunday"


def test_nothing_is_rolled_up_without_rows(engine: sa.Engine) -> None:
    assert roll_up(engine, T0, BERLIN) == 0
    assert rows(engine, tables.rollup_state) == []


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, date(2023, 10, 29), 25),
        (BERLIN, date(2024, 3, 31), 23),
        ("Australia/Lord_Howe", date(2023, 10, 1), 24),
        ("Asia/Kolkata", date(2023, 10, 1), 24),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
    ],
)
def test_a_day_has_its_hours(zone: str, day: date, hours: int) -> None:
    edges = hour_edges(day, ZoneInfo(zone))
    assert len(edges) - 1 == hours
    assert edges == sorted(set(edges))
    assert hour_start(edges[3] + 1, ZoneInfo(zone)) == edges[3]


def test_hours_serve_other_time_zones_whose_hours_are_full(engine: sa.Engine) -> None:
    dice = random.Random(5)
    writer = Writer(engine)
    writer.write(results(some_visits(dice, 300, T0, 20), minutes=some_minutes(dice, 300, T0, 20)), {})
    roll_up(engine, T0 + 21 * DAY_US, BERLIN)
    with engine.connect() as connection:
        until, _ = read_until(connection, BERLIN)
        for name, expected in (("Etc/UTC", until), (BERLIN, until), ("Asia/Kolkata", 0)):
            assert read_hours_until(connection, ZoneInfo(name), T0, T0 + 20 * DAY_US) == expected
    choice, zone = Choice(1), ZoneInfo("Etc/UTC")
    first, last = date_of(T0, zone), date_of(T0 + 20 * DAY_US, zone)
    timeline = day_timeline(first, last, Unit.DAY, T0 + 21 * DAY_US, zone)
    rolled = read_week(engine, timeline, choice), count_by_day(engine, timeline, choice)
    with engine.begin() as connection:
        connection.execute(sa.delete(tables.rollup_state))
    assert (read_week(engine, timeline, choice), count_by_day(engine, timeline, choice)) == rolled


def count_by_day(engine: sa.Engine, timeline: Timeline, choice: Choice) -> list[int | None]:
    return [slot.figures.visits for slot in read_trend(engine, timeline, choice).slots]
