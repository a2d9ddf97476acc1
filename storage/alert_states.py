"""What alert rules have found, by rule and subject (a camera or a site): kept over restarts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

import sqlalchemy as sa

from storage import tables


class Status(StrEnum):
    """The state of one subject.

    PENDING: its condition holds, for too short a time to be reported, or within the cool-down. FIRING: to be
    reported, or reported. CLEARING: reported, and its condition holds no longer. CLEAR: nothing to report;
    the row remembers the cool-down.
    """

    PENDING = "pending"
    FIRING = "firing"
    CLEARING = "clearing"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class AlertState:
    """One subject of one rule. Times are UTC microseconds.

    since: from when on the condition holds. changed_at: since when it has this status. seen_at: when it was
    judged last. notified_at: when it was reported last. announced: whether receivers were told that it is
    firing, and not yet that it is resolved. detail: what was found, without counts of small groups.
    """

    rule_id: str
    subject: str
    site: str
    status: Status
    since: int
    changed_at: int
    seen_at: int
    notified_at: int | None
    announced: bool
    detail: str
    simulated: bool


def read_states(connection: sa.Connection) -> list[AlertState]:
    """All states, in one order."""
    table = tables.alert_states
    rows = connection.execute(sa.select(table).order_by(table.c.rule_id, table.c.subject)).mappings()
    return [AlertState(**{**row, "status": Status(row["status"])}) for row in rows]


def replace_states(
    connection: sa.Connection, before: Iterable[AlertState], after: Iterable[AlertState]
) -> None:
    """Store the states `after` in place of `before`; unchanged ones are left alone."""
    table = tables.alert_states
    old = {(each.rule_id, each.subject): each for each in before}
    new = {(each.rule_id, each.subject): each for each in after}
    for key, state in old.items():
        if new.get(key) != state:
            rule_id, subject = key
            connection.execute(sa.delete(table).where(table.c.rule_id == rule_id, table.c.subject == subject))
    rows = [
        {**asdict(state), "status": state.status.value, "detail": state.detail[: tables.REASON_LENGTH]}
        for key, state in new.items()
        if old.get(key) != state
    ]
    if rows:
        connection.execute(sa.insert(table), rows)


def count_firing(engine: sa.Engine) -> dict[str, int]:
    """The number of subjects that fire now, by rule. Raises DatabaseError."""
    table = tables.alert_states.c
    query = (
        sa.select(table.rule_id, sa.func.count())
        .where(table.status == Status.FIRING.value)
        .group_by(table.rule_id)
    )
    with engine.connect() as connection:
        return {rule_id: int(count) for rule_id, count in connection.execute(query)}
