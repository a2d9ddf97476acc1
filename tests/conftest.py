"""Fixtures that several test files share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.engine import open_database
from tests.support.brokers import Broker, jars
from tests.support.databases import BACKENDS, fresh_database
from tests.support.postgres import Server, private_server
from tests.support.training_data import write_data


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once for each kind of database."""
    with fresh_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def postgresql_url(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with fresh_database("postgresql", tmp_path) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on a database that was just made, once for each kind of database."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def running_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka broker for the whole session."""
    broker = Broker(tmp_path_factory.mktemp("kafka"), jars())
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def broker(running_broker: Broker) -> Iterator[Broker]:
    """A Kafka broker that runs; a test that stops it starts it again."""
    yield running_broker
    gc.collect()  # The client leaves sockets to the collector: they are this test's, not the next one's.


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server that runs; a test that stops it starts it again."""
    with private_server() as server:
        server.start()
        yield server


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small made data folder to train on; a test that changes data makes its own."""
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where those data are kept decoded."""
    return tmp_path_factory.mktemp("cache")
