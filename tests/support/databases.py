"""Fresh databases for tests: SQLite always, PostgreSQL where MIEN_TEST_POSTGRESQL names a server."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, CameraMinute, Estimate, Observation, Results, Visit
from storage import tables
from storage.engine import open_database

T0 = 1_700_000_000 * MICROSECONDS - 1_700_000_000 * MICROSECONDS % MINUTE_US
"""The start of a UTC minute in November 2023."""


class Templates:
    """A database of the newest version for each backend, made at the first use, to make copies of.

    A copy takes a tenth of the time of the migrations.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, str] = {}
        self._open = ExitStack()

    @contextmanager
    def copy(self, backend: str, folder: Path) -> Iterator[str]:
        """The URL of a database of the newest version without rows, which is dropped afterwards."""
        template = self._template(backend)
        if backend == "sqlite":
            shutil.copyfile(sa.make_url(template).database or "", folder / "mien.db")
        with fresh_database(backend, folder, sa.make_url(template).database) as url:
            yield url

    def drop(self) -> None:
        """Drop the databases that copies were made from."""
        self._open.close()

    def _template(self, backend: str) -> str:
        if backend not in self._made:
            url = self._open.enter_context(fresh_database(backend, self._folder))
            open_database(url).dispose()
            self._made[backend] = url
        return self._made[backend]


@contextmanager
def fresh_database(backend: str, folder: Path, template: str | None = None) -> Iterator[str]:
    """The URL of a database that is dropped afterwards: empty, or on PostgreSQL a copy of `template`."""
    if backend == "sqlite":
        yield f"sqlite:///{folder}/mien.db"
        return
    server = os.environ.get("MIEN_TEST_POSTGRESQL")
    if not server:
        reason = "MIEN_TEST_POSTGRESQL names no PostgreSQL server"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    name = f"mien_{uuid.uuid4().hex}"
    with administrator() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with administrator() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def administrator() -> Iterator[sa.Connection]:
    """A connection to the PostgreSQL test server, outside of any transaction."""
    engine = sa.create_engine(os.environ["MIEN_TEST_POSTGRESQL"], isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Run as a user for whom file permissions apply, even if the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def rows(engine: sa.Engine, table: sa.Table) -> list[dict[str, object]]:
    """All rows of a table, by primary key."""
    with engine.connect() as connection:
        found = connection.execute(sa.select(table).order_by(*table.primary_key.columns)).mappings().all()
    return [dict(row) for row in found]


def contents(engine: sa.Engine) -> dict[str, list[dict[str, object]]]:
    """All rows of all tables by table, without the write times of positions."""
    found = {table.name: rows(engine, table) for table in tables.metadata.sorted_tables}
    for row in found["offsets"]:
        del row["written_at"]
    return found


def estimate(expression: str = "happiness", gender: str = "female", p: float = 0.7) -> Estimate:
    """Probability `p` for this expression, equal ones for the others; `p` for this gender."""
    rest = (1 - p) / (len(tables.EXPRESSIONS) - 1)
    expressions = {name: p if name == expression else rest for name in tables.EXPRESSIONS}
    return Estimate(expressions, p if gender == "female" else 1 - p, expression, gender)


def visit(
    visit_id: str,
    frames: int = 3,
    *,
    closed: bool = False,
    camera: str = "till",
    first_seen: int = T0,
    seconds: float = 1.0,
    looks: Estimate | None = None,
) -> Visit:
    """A visit of `seconds` from `first_seen`."""
    return Visit(
        visit_id=visit_id,
        camera_id=camera,
        first_seen=first_seen,
        last_seen=first_seen + round(seconds * MICROSECONDS),
        frames=frames,
        face_size=60.0,
        quality=0.9,
        estimate=looks or estimate(),
        model="network 1",
        closed=closed,
    )


def observation(visit_id: str, second: int = 0, camera: str = "till") -> Observation:
    """An observation of a visit at a second after T0."""
    return Observation(visit_id, camera, T0 + second * MICROSECONDS, estimate())


def results(
    visits: Iterable[Visit] = (),
    observations: Iterable[Observation] = (),
    minutes: Iterable[CameraMinute] = (),
) -> Results:
    """One batch's results."""
    return Results(tuple(visits), tuple(observations), tuple(minutes))
