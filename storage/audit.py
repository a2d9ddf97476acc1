"""The audit log: who changed what and when, who signed in and who was refused. Rows are only added."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from common.access import Actor
from common.clock import wall_clock_us
from common.log_lines import one_line
from common.redaction import redact
from storage import tables

NOBODY = "nobody"
"""The actor of a row about somebody who is not signed in."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row. `at`: UTC microseconds; `subject`: what was changed, such as a camera's id."""

    at: int
    actor: str
    role: str
    action: str
    subject: str
    details: str


def record(
    connection: sa.Connection, actor: Actor | None, action: str, subject: str, details: Mapping[str, object]
) -> None:
    """Add a row in the transaction of the change, so that there is neither without the other.

    `action` is a word with a subject, such as `camera.pause`. Secrets in `details` are redacted; long texts
    are cut. Without an `actor`, nobody is signed in: a sign-in was refused.
    """
    text = ", ".join(f"{name}: {value}" for name, value in details.items())
    columns = tables.audit_log.c
    row = {
        "id": uuid.uuid4().hex,
        "at": wall_clock_us(),
        "actor": _cut(actor.name if actor else NOBODY, columns.actor),
        "role": str(actor.role) if actor else "",
        "action": action,
        "subject": _cut(subject, columns.subject),
        "details": _cut(redact(text), columns.details),
    }
    connection.execute(sa.insert(tables.audit_log), [row])


def read_audit(
    engine: sa.Engine,
    actor: Actor,
    limit: int = 500,
    before: int | None = None,
    *,
    actions: Collection[str] = (),
    actors: Collection[str] = (),
) -> list[AuditEntry]:
    """The newest rows first, `before` a time if given, of these actions and actors if any are given.

    Raises AccessDenied for analysts, and DatabaseError where the database cannot be read.
    """
    actor.require_operator("read the audit log")
    table = tables.audit_log
    query = sa.select(*[table.c[name] for name in AuditEntry.__dataclass_fields__])
    query = query.order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.at < before)
    if actions:
        query = query.where(table.c.action.in_(actions))
    if actors:
        query = query.where(table.c.actor.in_(actors))
    with engine.connect() as connection:
        return [AuditEntry(*row) for row in connection.execute(query)]


def read_choices(engine: sa.Engine, actor: Actor) -> tuple[list[str], list[str]]:
    """The actions and the actors that are in the log, each in the order of the alphabet.

    Raises AccessDenied for analysts, and DatabaseError where the database cannot be read.
    """
    actor.require_operator("read the audit log")
    columns = tables.audit_log.c
    with engine.connect() as connection:
        actions, actors = (
            list(connection.scalars(sa.select(column).distinct().order_by(column)))
            for column in (columns.action, columns.actor)
        )
    return actions, actors


def _cut(text: str, column: sa.Column[str]) -> str:
    return one_line(text)[: column.type.length]  # type: ignore[attr-defined]
