"""Errors of SQLAlchemy and of the drivers become errors of storage, which are those of a sink."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from bus.messages import CameraHealth, CameraState, Partition, Results
from bus.sinks import SinkError, SinkFenced, SinkRefused, SinkUnavailable
from common.access import LOCAL
from storage.engine import open_database
from storage.errors import DatabaseError, DatabaseUnavailable, DataRefused, Fenced
from storage.registry import CameraRegistry, CameraRow
from storage.translation import translate_errors
from storage.writer import Writer
from tests.support.databases import visit

LANE = Partition("frames", 0)
HEALTH = CameraHealth("till", CameraState.ONLINE, "", 1, 1, 5.0, 1, 0)


def test_the_errors_of_storage_are_those_of_a_sink() -> None:
    assert issubclass(DatabaseUnavailable, SinkUnavailable)
    assert issubclass(DataRefused, SinkRefused)
    assert issubclass(Fenced, SinkFenced)
    assert not issubclass(DatabaseError, SinkError), "a missing table is no fault of the data"


@pytest.mark.parametrize(
    "bad",
    [
        {"last_seen": 2**63},
        {"first_seen": -(2**64), "last_seen": 5},
        {"quality": float("nan"), "visit_id": None},
        {"model": "\ud800"},
    ],
    ids=["integer", "negative", "missing", "text"],
)
def test_a_value_that_does_not_fit_its_column_is_refused_and_nothing_is_stored(
    engine: sa.Engine, bad: dict[str, object]
) -> None:
    writer = Writer(engine)
    writer.write(Results(), {LANE: 3})
    with pytest.raises(DataRefused) as caught:
        writer.write(Results(visits=(replace(visit("v1"), **bad),)), {LANE: 4})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert writer.positions([LANE]) == {LANE: 3}
    writer.write(Results(visits=(visit("v1"),)), {LANE: 4})


def test_a_state_that_does_not_fit_its_column_is_refused(engine: sa.Engine) -> None:
    writer = Writer(engine)
    with pytest.raises(DataRefused):
        writer.report(replace(HEALTH, since=2**63))
    writer.report(HEALTH)


def test_a_camera_that_does_not_fit_its_columns_is_refused_as_such(engine: sa.Engine) -> None:
    with pytest.raises(DataRefused):
        CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1", partition=2**63))


def test_a_missing_table_is_an_error_of_the_database(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE camera_states RENAME TO hidden")
    with pytest.raises(DatabaseError, match="camera_states") as caught:
        Writer(engine).report(HEALTH)
    assert not isinstance(caught.value, DataRefused)


def test_a_sqlstate_can_be_declared_an_outage(postgresql_url: str) -> None:
    open_database(postgresql_url).dispose()
    url = sa.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url)
    translate_errors(engine, unavailable_states={"42P01"})
    with engine.connect() as connection:
        with pytest.raises(DatabaseUnavailable, match="nowhere"):
            connection.exec_driver_sql("SELECT 1 FROM nowhere")
        assert connection.invalidated
    engine.dispose()
