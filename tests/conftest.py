"""Fixtures that several test files share; see `tests.support.distribution` for tests in parallel."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage.engine import open_database
from tests.support.brokers import Broker, jars
from tests.support.databases import Templates, fresh_database
from tests.support.distribution import GroupScheduling, mark_services, sort_by_duration
from tests.support.extras import module_without_extra
from tests.support.postgres import Server, private_server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mark_services(items)
    if hasattr(config, "workerinput"):  # A worker of pytest-xdist.
        sort_by_duration(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    config.option.loadscopereorder = False  # Keep the order of `sort_by_duration`.
    return GroupScheduling(config, log)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return module_without_extra(module_path, parent)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once for each kind of database."""
    with fresh_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def postgresql_url(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with fresh_database("postgresql", tmp_path) as url:
        yield url


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Templates]:
    """The databases that `migrated_url` copies."""
    templates = Templates(tmp_path_factory.mktemp("templates"))
    yield templates
    templates.drop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path, templates: Templates) -> Iterator[str]:
    """The URL of a database of the newest version without rows, once for each kind of database."""
    with templates.copy(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def engine(migrated_url: str) -> Iterator[sa.Engine]:
    """An engine on a database without rows, once for each kind of database."""
    engine = open_database(migrated_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def running_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka broker of this test process."""
    broker = Broker(tmp_path_factory.mktemp("kafka"), jars())
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def broker(running_broker: Broker) -> Iterator[Broker]:
    """A running Kafka broker; a test that stops it must start it again."""
    yield running_broker
    gc.collect()  # The client leaves sockets to the collector: close them in this test, not in the next.


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A running PostgreSQL server of this test process; a test that stops it must start it again."""
    with private_server() as server:
        server.start()
        yield server
