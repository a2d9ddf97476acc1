"""The broker and the PostgreSQL server of all scenarios; each scenario has its own topic and database."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bus.kafka.settings import KafkaSettings, parse_url
from tests.chaos.cameras import CAMERAS
from tests.support.brokers import Broker
from tests.support.postgres import Server
from tests.support.processes import mien

PATIENCE_SECONDS = 120.0
_DRAIN_SECONDS = 900.0
_POLL_SECONDS = 0.05
_UNAVAILABLE = (sa.exc.OperationalError, sa.exc.InterfaceError)
"""What a query raises while the database is unavailable."""


@dataclass
class Environment:
    """What all scenarios share. `jars`: Kafka's programs, for scenarios that start brokers of their own."""

    folder: Path
    broker: Broker
    server: Server
    jars: Path

    @contextmanager
    def deployment(
        self,
        name: str,
        *,
        brokers: str = "",
        copies: int = 1,
        server: Server | None = None,
        options: str = "",
    ) -> Iterator[Deployment]:
        """A deployment with an empty topic and an empty database.

        `brokers`: addresses of brokers in place of the shared one. `copies`: replicas of each partition.
        `server`: a PostgreSQL server in place of the shared one. `options`: for CREATE DATABASE.
        """
        server = server or self.server
        topic = f"frames-{name}-{uuid.uuid4().hex[:8]}"
        folder = self.folder / topic
        folder.mkdir()
        acks = "&acks=all" if copies > 1 else ""
        database = topic.replace("-", "_")
        server.execute(f"CREATE DATABASE {database} {options}")
        url = server.over_tcp(database)
        variables = {
            "MIEN_BUS": f"kafka://{brokers or self.broker.address}/{topic}?group={topic}{acks}",
            "MIEN_DATABASE": url.render_as_string(hide_password=False),
            "MIEN_PARTITIONS": str(len(CAMERAS)),
            "MIEN_TOPIC_MINUTES": "120",
            "MIEN_TOPIC_COPIES": str(copies),
        }
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5})
        try:
            deployment = Deployment(folder, variables, parse_url(variables["MIEN_BUS"], {}), engine)
            deployment.mien("topics", "create")
            deployment.mien("db", "upgrade")
            yield deployment
        finally:
            engine.dispose()
            server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@dataclass
class Deployment:
    """The topic, the database and the settings of one scenario."""

    folder: Path
    variables: Mapping[str, str]
    cluster: KafkaSettings
    engine: sa.Engine

    def mien(self, *arguments: object, timeout: float = 180) -> str:
        """Run `mien ARGUMENTS` until it ends; return its output. It must succeed."""
        done = mien(self.folder, *arguments, timeout=timeout, variables=self.variables)
        assert done.returncode == 0, f"mien {arguments} failed: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def drain(self) -> None:
        """Process everything that was published before now."""
        self.mien("work", "--drain", timeout=_DRAIN_SECONDS)

    def check_database(self) -> tuple[bool, str]:
        """Whether `mien db check` succeeds, and its output."""
        done = mien(self.folder, "db", "check", variables=self.variables)
        return done.returncode == 0, done.stdout + done.stderr

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def frame_counts(self) -> dict[str, dict[str, int]]:
        """What became of the frames, by camera."""
        names = ("captured", "unchanged", "analysed", "stale", "failed", "superseded", "dropped")
        sums = ", ".join(f"sum({name})::bigint" for name in names)
        rows = self.rows(f"select camera_id, {sums} from camera_minutes group by 1")
        return {camera: dict(zip(names, counts, strict=True)) for camera, *counts in rows}

    def analysed(self) -> dict[str, int] | None:
        """Analysed frames by camera; None while the database is unavailable."""
        try:
            counts = self.frame_counts()
        except _UNAVAILABLE:
            return None
        return {camera: counts.get(camera, {}).get("analysed", 0) for camera in CAMERAS}

    def wait_for_rows(self, before: Mapping[str, int] | None = None) -> float:
        """Wait for more analysed frames of every camera than `before`; return time.monotonic() then."""
        start = before or self.wait_for_analysed()
        return wait_until(partial(self._has_more_than, start), "rows of every camera")

    def wait_for_analysed(self) -> dict[str, int]:
        """`analysed` as soon as the database is available."""
        found: list[dict[str, int]] = []

        def query() -> bool:
            if (counts := self.analysed()) is not None:
                found.append(counts)
            return bool(found)

        wait_until(query, "the database")
        return found[0]

    def _has_more_than(self, before: Mapping[str, int]) -> bool:
        now = self.analysed()
        return now is not None and all(now[camera] > before[camera] for camera in CAMERAS)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> float:
    """Wait until `condition` holds; return time.monotonic() then. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(_POLL_SECONDS)
    return time.monotonic()
