"""The analyst's views: small groups are hidden in them, and the role reads nothing else."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.messages import UNKNOWN
from common.access import LOCAL
from storage import tables
from storage.analyst_views import VIEWS
from storage.protection import Protection, change_protection
from storage.roles import grant
from storage.tables import EXPRESSIONS, GENDERS
from tests.storage.test_roles import K, Urls, all_roles, opened, plain, refused

pytestmark = pytest.mark.integration

HOUR_US = 3_600_000_000
T0 = 1_700_000_000_000_000 // HOUR_US * HOUR_US
LABELS = (*EXPRESSIONS, UNKNOWN)
GENDER_LABELS = (*GENDERS, UNKNOWN)
Hour = dict[tuple[str, str], int]
"""The visits of one hour by expression and gender."""


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Urls]:
    with all_roles(Path(tmp_path_factory.mktemp("views"))) as urls:
        yield urls


def store(urls: Urls, hours: list[Hour], camera: str = "till") -> None:
    """Replace the rolled up hours of the database."""
    required = [column.name for column in tables.camera_hours.columns if not column.nullable]
    rows = []
    for number, hour in enumerate(hours):
        row: dict[str, object] = dict.fromkeys(required, 0)
        row |= {"hour": T0 + number * HOUR_US, "camera_id": camera, "visits": sum(hour.values())}
        row |= {f"n_{one}_{other}": count for (one, other), count in hour.items()}
        rows.append(
            row | {"scheduled_us": HOUR_US, "watched_us": HOUR_US // 2, "mood": 0.5 * sum(hour.values())}
        )
    with opened(urls.owner) as engine, engine.begin() as connection:
        connection.execute(sa.delete(tables.camera_hours))
        connection.execute(sa.insert(tables.camera_hours), rows)


def read(urls: Urls, query: str) -> list[tuple[object, ...]]:
    with plain(urls.analyst) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def visits_by(urls: Urls, view: str, label: str) -> list[dict[str, int | None]]:
    """The shown visits by label, hour by hour; None where hidden."""
    found: dict[object, dict[str, int | None]] = {}
    for hour, name, visits in read(urls, f"SELECT hour, {label}, visits FROM {view} ORDER BY hour"):
        found.setdefault(hour, {})[str(name)] = None if visits is None else int(str(visits))
    return list(found.values())


def test_hours_with_few_visits_have_no_row(urls: Urls) -> None:
    store(urls, [{("happiness", "female"): n} for n in (0, 1, 9, 10, 25)])
    assert [row[0] for row in read(urls, "SELECT visits FROM analyst_hours ORDER BY hour")] == [10, 25]
    (row,) = read(
        urls,
        "SELECT extract(epoch FROM hour), camera, site, mood_index, coverage, simulated FROM analyst_hours "
        "WHERE visits = 10",
    )
    assert [float(str(row[0])), *row[1:]] == [(T0 + 3 * HOUR_US) / 1e6, "till", "", 50.0, 0.5, False]
    for view in ("analyst_expressions", "analyst_genders"):
        assert read(urls, f"SELECT count(DISTINCT hour) FROM {view}") == [(2,)]


def test_few_visits_of_an_expression_are_hidden_with_the_next_larger_ones(urls: Urls) -> None:
    store(
        urls,
        [
            {("happiness", "female"): 40, ("anger", "male"): 12, ("fear", "male"): 3},
            {("happiness", "female"): 40, ("anger", "male"): 12},
            {("happiness", "female"): 30, ("anger", "male"): 4, ("fear", "male"): 4, (UNKNOWN, UNKNOWN): 4},
            {("happiness", "female"): 30, ("anger", "male"): 4},
        ],
    )
    zeros = dict.fromkeys(LABELS, 0)
    assert visits_by(urls, "analyst_expressions", "expression") == [
        zeros | {"happiness": 40, "anger": None, "fear": None},
        zeros | {"happiness": 40, "anger": 12},
        zeros | {"happiness": 30, "anger": None, "fear": None, UNKNOWN: None},
        zeros | {"happiness": None, "anger": None},
    ]
    assert visits_by(urls, "analyst_genders", "gender")[0] == {"female": 40, "male": 15, UNKNOWN: 0}


@pytest.mark.parametrize("seed", range(3))
def test_the_attacker_learns_no_group_of_few_visits_by_subtraction(urls: Urls, seed: int) -> None:
    """What is hidden in an hour is the total less what is shown: nothing, or several labels with K visits."""
    dice = random.Random(seed)
    hours = [
        {
            (dice.choice(LABELS), dice.choice(GENDER_LABELS)): dice.choice([1, 2, 5, 9, 10, 15, 30])
            for _ in range(dice.randrange(1, 8))
        }
        for _ in range(150)
    ]
    store(urls, hours)
    shown_hours = [hour for hour in hours if sum(hour.values()) >= K]
    for view, label, place in (("analyst_expressions", "expression", 0), ("analyst_genders", "gender", 1)):
        found = visits_by(urls, view, label)
        assert len(found) == len(shown_hours)
        for hour, cells in zip(shown_hours, found, strict=True):
            true: Counter[str] = Counter()
            for key, count in hour.items():
                true[key[place]] += count
            hidden = [name for name, visits in cells.items() if visits is None]
            assert all(visits == true[name] for name, visits in cells.items() if visits is not None)
            assert all(visits == 0 or visits >= K for visits in cells.values() if visits is not None)
            alone = [name for name in true if true[name]] == hidden
            assert not hidden or alone or (len(hidden) >= 2 and sum(true[name] for name in hidden) >= K)


def test_a_condition_cannot_look_at_hidden_rows(urls: Urls) -> None:
    """A division by zero would reveal them if it were evaluated before the suppression."""
    store(urls, [{("happiness", "female"): 3}, {("happiness", "female"): 30}])
    assert read(urls, "SELECT visits FROM analyst_hours WHERE 1 / (visits - 3) >= 0") == [(30,)]


@pytest.mark.parametrize("table", [*sorted(tables.metadata.tables), "alembic_version", "visits_default"])
def test_an_analyst_reads_the_views_alone(urls: Urls, table: str) -> None:
    assert refused(urls.analyst, f"SELECT count(*) FROM {table}") == f"permission denied for table {table}"


@pytest.mark.parametrize("view", VIEWS)
def test_an_analyst_cannot_write(urls: Urls, view: str) -> None:
    answer = refused(urls.analyst, f"DELETE FROM {view}", "SET default_transaction_read_only = off")
    assert answer in {f"permission denied for view {view}", f'cannot delete from view "{view}"'}
    for statement in ("CREATE TABLE mine (a int)", "CREATE TEMPORARY TABLE mine (a int)"):
        assert "permission denied" in refused(
            urls.analyst, statement, "SET default_transaction_read_only = off"
        )


def test_the_views_hide_as_many_as_the_settings_say(urls: Urls) -> None:
    store(urls, [{("happiness", "female"): n} for n in (4, 5, 30)])
    with opened(urls.owner) as engine:
        grant(engine, urls.roles(), 5)
        try:
            assert read(urls, "SELECT visits FROM analyst_hours ORDER BY hour") == [(5,), (30,)]
            assert visits_by(urls, "analyst_expressions", "expression")[0]["happiness"] == 5
        finally:
            grant(engine, urls.roles(), K)


def test_a_larger_k_that_an_operator_chooses_applies_at_once_and_a_smaller_one_never(urls: Urls) -> None:
    store(urls, [{("happiness", "female"): n} for n in (9, 10, 25, 30)])
    configured = Protection(K, 400, 30, 400)
    with opened(urls.operator) as engine:
        change_protection(engine, LOCAL, configured, {"suppress_below": 26})
        try:
            assert read(urls, "SELECT visits FROM analyst_hours ORDER BY hour") == [(30,)]
            for view in ("analyst_expressions", "analyst_genders"):
                assert read(urls, f"SELECT count(DISTINCT hour) FROM {view}") == [(1,)]
            with engine.begin() as connection:
                connection.execute(sa.update(tables.protection_choices).values(value=1))
            assert read(urls, "SELECT visits FROM analyst_hours ORDER BY hour") == [(10,), (25,), (30,)]
        finally:
            change_protection(engine, LOCAL, configured, {"suppress_below": K})
    assert read(urls, "SELECT visits FROM analyst_hours ORDER BY hour") == [(10,), (25,), (30,)]
