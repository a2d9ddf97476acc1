"""Private broker and PostgreSQL for the benchmarks, with a topic and a database for each measurement."""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.kafka.settings import KafkaSettings, parse_url
from bus.kafka.topics import create_topics
from common.clock import wall_clock_us
from storage.engine import open_database
from storage.maintenance import maintain
from storage.retention import Retention
from tests.support.brokers import POM, Broker, jars
from tests.support.postgres import Server, private_server


class ServersUnavailable(Exception):
    """This machine has no broker or no PostgreSQL; the message names what is missing."""


@dataclass(frozen=True)
class Workspace:
    """An empty topic and an empty database.

    `variables`: the settings that select them, by environment variable.
    """

    folder: Path
    variables: dict[str, str]
    cluster: KafkaSettings
    engine: sa.Engine


@dataclass(frozen=True)
class Servers:
    """Both servers, running. `versions`: of both, by name."""

    folder: Path
    broker: Broker
    database: Server
    versions: dict[str, str]

    @property
    def broker_pids(self) -> list[int]:
        """The process id of the broker."""
        return [self.broker.pid]

    @property
    def database_pids(self) -> list[int]:
        """The process id of PostgreSQL's first process, the parent of the others."""
        return [int((self.database.folder / "data" / "postmaster.pid").read_text().split()[0])]

    @contextmanager
    def make_workspace(self, partitions: int) -> Iterator[Workspace]:
        """Create a topic with that many partitions and a database; the database is dropped afterwards."""
        topic = f"frames-{uuid.uuid4().hex}"
        folder = self.folder / topic
        folder.mkdir()
        with self.database.database() as name:
            url = self.database.over_tcp(name).render_as_string(hide_password=False)
            bus = f"kafka://{self.broker.address}/{topic}?group={topic}"
            cluster = parse_url(bus, {})
            create_topics(cluster, partitions, retention_minutes=60)
            engine = open_database(url)
            maintain(engine, Retention(), wall_clock_us())
            try:
                yield Workspace(folder, {"MIEN_BUS": bus, "MIEN_DATABASE": url}, cluster, engine)
            finally:
                engine.dispose()


@contextmanager
def start_servers() -> Iterator[Servers]:
    """Start both servers, PostgreSQL with its default durability settings.

    Raises ServersUnavailable.
    """
    try:
        libraries = jars()
        with tempfile.TemporaryDirectory(prefix="mien-bench-") as name, private_server() as database:
            folder = Path(name)
            (folder / "kafka").mkdir()
            broker = Broker(folder / "kafka", libraries)
            database.start(durable=True)
            broker.start()
            try:
                yield Servers(folder, broker, database, _versions(database))
            finally:
                broker.stop()
    except pytest.skip.Exception as reason:
        raise ServersUnavailable(str(reason)) from None


@contextmanager
def open_private_database() -> Iterator[str]:
    """The URL of an empty database on a private PostgreSQL server; raises ServersUnavailable."""
    try:
        with private_server() as server:
            server.start()
            with server.database() as name:
                yield server.over_tcp(name).render_as_string(hide_password=False)
    except pytest.skip.Exception as reason:
        raise ServersUnavailable(str(reason)) from None


def _versions(database: Server) -> dict[str, str]:
    kafka = re.findall(r"<kafka.version>(.+)</kafka.version>", POM.read_text())[0]
    engine = sa.create_engine(database.url)
    with engine.connect() as connection:
        postgresql = str(connection.exec_driver_sql("SHOW server_version").scalar_one()).split()[0]
    engine.dispose()
    return {"Kafka": kafka, "PostgreSQL": postgresql}
