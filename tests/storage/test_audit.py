"""The audit log: a row for each change in its transaction, without secrets, for operators alone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from common.access import LOCAL, AccessDenied, Actor, Role
from storage.audit import read_audit, record


def test_a_row_tells_who_changed_what(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        record(connection, LOCAL, "camera.pause", "till", {"reason": "repair"})
        record(connection, LOCAL, "camera.resume", "till", {})
    newest, oldest = read_audit(engine, LOCAL)
    assert (oldest.actor, oldest.role, oldest.action, oldest.subject, oldest.details) == (
        *("local", "operator", "camera.pause", "till", "reason: repair"),
    )
    assert newest.action == "camera.resume"
    assert [each.action for each in read_audit(engine, LOCAL, before=newest.at)] == ["camera.pause"]


def test_a_change_that_fails_leaves_no_row(engine: sa.Engine) -> None:
    def change() -> None:
        with engine.begin() as connection:
            record(connection, LOCAL, "camera.pause", "till", {})
            raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        change()
    assert read_audit(engine, LOCAL) == []


def test_secrets_are_redacted_and_long_texts_are_cut(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        source = "rtsp://admin:tiger@10.0.0.7/live"
        record(connection, LOCAL, "camera.add", "s" * 300, {"source": source, "name": "a\nb" * 1000})
    (entry,) = read_audit(engine, LOCAL)
    assert "tiger" not in entry.details
    assert "10.0.0.7" in entry.details
    assert "\n" not in entry.details
    assert (len(entry.subject), len(entry.details)) == (200, 2000)


def test_analysts_do_not_read_the_log(engine: sa.Engine) -> None:
    with pytest.raises(AccessDenied, match="anna is an analyst and may not read the audit log"):
        read_audit(engine, Actor("anna", Role.ANALYST))


def test_analysts_read_the_figures_of_their_sites() -> None:
    anna = Actor("anna", Role.ANALYST, frozenset({"Bern"}))
    assert anna.may_read_site("Bern")
    assert not anna.may_read_site("Basel")
    assert Actor("ben", Role.ANALYST).may_read_site("Basel")
    assert Actor("olga", Role.OPERATOR, frozenset({"Bern"})).may_read_site("Basel")
