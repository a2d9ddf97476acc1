"""Sessions: found by their token alone, until they expire or are ended; sign-ins and refusals are audited."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from common.access import LOCAL, Actor, Role
from storage import sessions, tables
from storage.audit import read_audit
from storage.errors import StorageError
from storage.sessions import HOUR_US, end_session, read_session, record_refusal, start_session
from tests.support.databases import rows

BEN = Actor("ben", Role.ANALYST, frozenset({"Shop", "Näh & <b>"}))


def test_a_session_is_found_by_its_token_alone(engine: sa.Engine) -> None:
    token = start_session(engine, BEN, "password", "c1", 8, "10.0.0.7")
    found = read_session(engine, token)
    assert found
    assert (found.actor, found.method, found.credential) == (BEN, "password", "c1")
    (row,) = rows(engine, tables.dashboard_sessions)
    assert token not in str(row)
    for other in ("", token[:-1], token + "x", str(row["token_hash"]), "%"):
        assert read_session(engine, other) is None


def test_a_scope_that_is_too_long_is_refused(engine: sa.Engine) -> None:
    many = Actor("ben", Role.ANALYST, frozenset(f"Site {number}" for number in range(1000)))
    with pytest.raises(StorageError, match="user ben: has too many sites"):
        start_session(engine, many, "oidc", "", 8, "")
    assert rows(engine, tables.dashboard_sessions) == []


def test_each_session_has_a_token_of_its_own(engine: sa.Engine) -> None:
    tokens = {start_session(engine, BEN, "oidc", "", 8, "") for _ in range(5)}
    assert len(tokens) == 5
    assert min(map(len, tokens)) >= 43, "256 bits"


def test_a_session_expires_and_its_row_is_deleted(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000_000_000
    monkeypatch.setattr(sessions, "wall_clock_us", lambda: now)
    token = start_session(engine, LOCAL, "password", "c", 2, "")
    monkeypatch.setattr(sessions, "wall_clock_us", lambda: now + 2 * HOUR_US - 1)
    assert read_session(engine, token)
    monkeypatch.setattr(sessions, "wall_clock_us", lambda: now + 2 * HOUR_US)
    assert read_session(engine, token) is None
    start_session(engine, LOCAL, "password", "c", 2, "")
    assert len(rows(engine, tables.dashboard_sessions)) == 1


def test_a_session_that_was_ended_is_gone_and_others_stay(engine: sa.Engine) -> None:
    first, second = (start_session(engine, BEN, "password", "c", 8, "") for _ in range(2))
    end_session(engine, first)
    end_session(engine, "unknown")
    assert read_session(engine, first) is None
    assert read_session(engine, second)


def test_sign_ins_sign_outs_and_refusals_are_in_the_audit_log(engine: sa.Engine) -> None:
    record_refusal(engine, "eve\nforged", "password", "wrong user name or password", "10.0.0.9")
    end_session(engine, start_session(engine, BEN, "password", "c", 8, "10.0.0.7"))
    out, signed_in, refused = read_audit(engine, LOCAL)
    assert (signed_in.actor, signed_in.role, signed_in.action) == ("ben", "analyst", "sign-in")
    assert "10.0.0.7" in signed_in.details
    assert (out.actor, out.action) == ("ben", "sign-out")
    assert (refused.actor, refused.role, refused.action) == ("nobody", "", "sign-in.refused")
    assert "\n" not in refused.subject
    assert "10.0.0.9" in refused.details
