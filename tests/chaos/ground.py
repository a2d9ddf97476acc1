"""A broker and a PostgreSQL for all scenarios, and a stage for each: its own topic, database and settings."""

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
from storage.writer import OUTAGES
from tests.chaos.cameras import CAMERAS
from tests.support.brokers import Broker
from tests.support.postgres import Server
from tests.support.processes import mien

PATIENCE_SECONDS = 120.0
_DRAIN_SECONDS = 900.0
_LOOK_SECONDS = 0.05


@dataclass
class Ground:
    """What the scenarios share. `shared_jars`: for those that need brokers of their own."""

    folder: Path
    broker: Broker
    server: Server
    jars: Path

    @contextmanager
    def stage(
        self,
        name: str,
        *,
        brokers: str = "",
        copies: int = 1,
        server: Server | None = None,
        options: str = "",
    ) -> Iterator[Stage]:
        """A stage with an empty topic and an empty database.

        `brokers`: addresses of others than the shared one. `copies`: replicas of each partition.
        `server`: another PostgreSQL. `options`: how the database is to be created.
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
            stage = Stage(folder, variables, parse_url(variables["MIEN_BUS"], {}), engine)
            stage.mien("topics", "create")
            stage.mien("db", "upgrade")
            yield stage
        finally:
            engine.dispose()
            server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@dataclass
class Stage:
    """One scenario's topic, database and settings."""

    folder: Path
    variables: Mapping[str, str]
    cluster: KafkaSettings
    engine: sa.Engine

    def mien(self, *arguments: object, timeout: float = 180) -> str:
        """A finished command's output; it must have gone well."""
        done = mien(self.folder, *arguments, timeout=timeout, variables=self.variables)
        assert done.returncode == 0, f"mien {arguments} failed: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def drain(self) -> None:
        """Process everything that was published before now."""
        self.mien("work", "--drain", timeout=_DRAIN_SECONDS)

    def is_sound(self) -> tuple[bool, str]:
        """What `mien db check` says."""
        done = mien(self.folder, "db", "check", variables=self.variables)
        return done.returncode == 0, done.stdout + done.stderr

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def counted(self) -> dict[str, dict[str, int]]:
        """By camera, what became of frames: captured, analysed, stale, failed, dropped."""
        names = ("captured", "analysed", "stale", "failed", "dropped")
        sums = ", ".join(f"sum({name})::bigint" for name in names)
        rows = self.rows(f"select camera_id, {sums} from camera_minutes group by 1")
        return {camera: dict(zip(names, counts, strict=True)) for camera, *counts in rows}

    def analysed(self) -> dict[str, int] | None:
        """Analysed frames by camera; None while the database is away."""
        try:
            counted = self.counted()
        except OUTAGES:
            return None
        return {camera: counted.get(camera, {}).get("analysed", 0) for camera in CAMERAS}

    def wait_for_rows(self, before: Mapping[str, int] | None = None) -> float:
        """Wait until frames of every camera were analysed, more than `before`; the time.monotonic() then."""
        start = before or self.now_analysed()
        return wait_until(partial(self._has_more_than, start), "rows of every camera")

    def now_analysed(self) -> dict[str, int]:
        """As `analysed`, waiting for the database."""
        found: list[dict[str, int]] = []

        def look() -> bool:
            if (counts := self.analysed()) is not None:
                found.append(counts)
            return bool(found)

        wait_until(look, "the database")
        return found[0]

    def _has_more_than(self, before: Mapping[str, int]) -> bool:
        now = self.analysed()
        return now is not None and all(now[camera] > before[camera] for camera in CAMERAS)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> float:
    """Wait until `condition` holds; the time.monotonic() then. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(_LOOK_SECONDS)
    return time.monotonic()
