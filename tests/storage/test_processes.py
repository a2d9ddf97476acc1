"""Running processes on both databases: found while they renew their row, with a token that is secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import tables
from storage.errors import DatabaseError
from storage.processes import Process, ProcessEntry, read_processes
from tests.storage.test_roles import all_roles, opened, refused


def expire(engine: sa.Engine, token: str) -> None:
    """Let the row of a process expire, as if it had not renewed it."""
    stored = tables.processes
    with engine.begin() as connection:
        connection.execute(sa.update(stored).where(stored.c.token == token).values(expires_at=0))


def test_a_process_is_found_until_it_leaves(engine: sa.Engine) -> None:
    entry = ProcessEntry(engine, captures=True, analyses=False)
    assert read_processes(engine) == []
    entry.renew("http://127.0.0.1:1")
    (found,) = read_processes(engine)
    assert found.name.endswith(f"pid {os.getpid()}")
    assert found == Process(found.name, "http://127.0.0.1:1", entry.token, True, False)
    entry.renew("http://127.0.0.1:2")
    assert [each.address for each in read_processes(engine)] == ["http://127.0.0.1:2"]
    entry.leave()
    assert read_processes(engine) == []
    with engine.connect() as connection:
        assert connection.scalars(sa.select(tables.processes.c.token)).all() == [""]


def test_a_process_that_does_not_renew_its_row_is_not_found_and_returns(engine: sa.Engine) -> None:
    first, second = (ProcessEntry(engine, captures=True, analyses=True) for _ in range(2))
    first.renew("http://127.0.0.1:1")
    second.renew("http://127.0.0.1:2")
    expire(engine, first.token)
    assert [each.token for each in read_processes(engine)] == [second.token]
    first.renew("http://127.0.0.1:1")
    assert [each.token for each in read_processes(engine)] == [first.token, second.token]


def test_tokens_differ_and_are_not_shown() -> None:
    engine = sa.create_engine("sqlite://")
    tokens = {ProcessEntry(engine, captures=True, analyses=True).token for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43, "32 random bytes"
    process = Process("host pid 1", "http://127.0.0.1:1", "secret", True, True)
    assert "secret" not in repr(process)


@pytest.mark.integration
def test_roles_of_processes_use_the_table_and_an_analyst_does_not(tmp_path: Path) -> None:
    with all_roles(tmp_path) as urls:
        with opened(urls.writer) as engine:
            entry = ProcessEntry(engine, captures=True, analyses=True)
            gone = ProcessEntry(engine, captures=True, analyses=True)
            for each in (gone, entry, entry):
                each.renew("http://127.0.0.1:1")
            gone.leave()
        with opened(urls.reader, read_only=True) as engine:
            assert [each.token for each in read_processes(engine)] == [entry.token]
            with pytest.raises(DatabaseError):
                ProcessEntry(engine, captures=True, analyses=True).renew("http://127.0.0.1:2")
        for column in ("token", "address", "*"):
            assert "permission denied" in refused(urls.analyst, f"SELECT {column} FROM processes")
