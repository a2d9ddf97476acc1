"""Leases of cameras in the database: one row for each camera, and one for each process that captures.

Times are those of the database's clock, so that the clocks of machines do not matter; SQLite has the clock of
the one machine that uses it. A lease is taken by compare and swap: only if its holder and its last renewal
are those that the caller saw.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from bus.leases import LEASE_S, Lease, LeaseSnapshot, LeaseStore
from bus.messages import MICROSECONDS
from common.clock import wall_clock_us
from storage import tables

_LEASE_US = round(LEASE_S * MICROSECONDS)
_RESERVE_US = 2 * _LEASE_US
"""How far the next holder's token is ahead of the present holder's clock: more than a lease lasts."""

_OF_HOLDER = ("holder", "process", "renewed_at", "expires_at")


class CameraLeases(LeaseStore):
    """The leases of one database, seen by this process.

    Args:
        engine: the database.
        shares: whether this process captures any camera, and not only certain ones.
    """

    def __init__(self, engine: sa.Engine, *, shares: bool) -> None:
        self._engine = engine
        self._holder = uuid.uuid4().hex
        self._process = f"{socket.gethostname()} pid {os.getpid()}"[-tables.PROCESS_LENGTH :]
        self._shares = shares
        on_postgresql = engine.dialect.name == "postgresql"
        self._insert = (postgresql if on_postgresql else sqlite).insert
        self._greatest = sa.func.greatest if on_postgresql else sa.func.max

    @property
    @override
    def holder(self) -> str:
        return self._holder

    @override
    def exchange(self) -> LeaseSnapshot:
        with self._engine.begin() as connection:
            now = database_clock_us(connection)
            self._report_alive(connection, now)
            self._renew(connection, now)
            return LeaseSnapshot(now, read_leases(connection, now), self._read_sharers(connection, now))

    @override
    def take(self, seen: Mapping[str, Lease | None]) -> Mapping[str, int]:
        with self._engine.begin() as connection:
            now = database_clock_us(connection)
            # In one order, so that two processes that take the same leases do not wait for each other.
            tokens = {camera: self._take(connection, camera, seen[camera], now) for camera in sorted(seen)}
        return {camera: token for camera, token in tokens.items() if token is not None}

    @override
    def release(self, next_tokens: Mapping[str, int]) -> None:
        stored = tables.camera_leases.c
        release = (
            sa.update(tables.camera_leases)
            .where(stored.camera_id == sa.bindparam("camera"), stored.holder == self._holder)
            .values(holder="", expires_at=0, next_token=sa.bindparam("next"))
        )
        rows = [{"camera": camera, "next": token} for camera, token in sorted(next_tokens.items())]
        with self._engine.begin() as connection:
            if rows:
                connection.execute(release, rows)

    @override
    def leave(self) -> None:
        processes = tables.capture_processes
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(processes).where(processes.c.holder == self._holder).values(expires_at=0)
            )

    def _report_alive(self, connection: sa.Connection, now: int) -> None:
        new = self._insert(tables.capture_processes)
        report = new.on_conflict_do_update(
            index_elements=[tables.capture_processes.c.holder],
            set_={name: new.excluded[name] for name in ("renewed_at", "expires_at")},
        )
        row = {"holder": self._holder, "process": self._process, "shares": self._shares}
        connection.execute(report, row | {"renewed_at": now, "expires_at": now + _LEASE_US})

    def _renew(self, connection: sa.Connection, now: int) -> None:
        stored = tables.camera_leases.c
        connection.execute(
            sa.update(tables.camera_leases)
            .where(stored.holder == self._holder)
            .values(
                renewed_at=now,
                expires_at=now + _LEASE_US,
                next_token=self._greatest(stored.next_token, now + _RESERVE_US),
            )
        )

    def _read_sharers(self, connection: sa.Connection, now: int) -> frozenset[str]:
        processes = tables.capture_processes.c
        others = sa.select(processes.holder).where(
            processes.shares, processes.expires_at > now, processes.holder != self._holder
        )
        return frozenset(connection.scalars(others))

    def _take(self, connection: sa.Connection, camera_id: str, seen: Lease | None, now: int) -> int | None:
        stored = tables.camera_leases.c
        new = self._insert(tables.camera_leases).values(
            camera_id=camera_id,
            holder=self._holder,
            process=self._process,
            token=now,
            next_token=now + _RESERVE_US,
            renewed_at=now,
            expires_at=now + _LEASE_US,
        )
        if seen is None:
            taken = new.on_conflict_do_nothing().returning(stored.token)
        else:
            token = self._greatest(new.excluded.token, stored.next_token)
            taken = new.on_conflict_do_update(
                index_elements=[stored.camera_id],
                set_={name: new.excluded[name] for name in _OF_HOLDER}
                | {"token": token, "next_token": token + _RESERVE_US},
                where=(stored.holder == seen.holder) & (stored.renewed_at == seen.renewed_at),
            ).returning(stored.token)
        return connection.execute(taken).scalar()


def read_leases(connection: sa.Connection, now: int) -> dict[str, Lease]:
    """The leases of all cameras, by id; `now` is the database's clock."""
    rows = connection.execute(sa.select(tables.camera_leases)).mappings()
    return {
        row["camera_id"]: Lease(
            camera_id=row["camera_id"],
            holder=row["holder"],
            process=row["process"],
            token=row["token"],
            renewed_at=row["renewed_at"],
            expired=row["expires_at"] <= now,
        )
        for row in rows
    }


def database_clock_us(connection: sa.Connection) -> int:
    """The database's clock in microseconds UTC; on SQLite the clock of this machine."""
    if connection.dialect.name != "postgresql":
        return wall_clock_us()
    clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    return int(connection.exec_driver_sql(clock).scalar_one())
