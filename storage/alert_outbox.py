"""The outbox of alerts: messages are stored with the change that causes them, then sent at least once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bus.messages import MICROSECONDS
from common.access import Actor
from common.clock import wall_clock_us
from common.log_lines import one_line
from common.redaction import redact
from storage import audit, tables
from storage.errors import StorageError
from storage.figures.simulated import has_simulated_data
from storage.task_leases import TaskHolder, read_task_holder

TASK = "alerts"
"""The task of the process that judges the rules and sends the messages."""

VERSION = 1
"""The version of the format of messages; it changes where a receiver has to change."""

SIMULATED = "simulated data"
"""What the text of a message about simulated cameras contains."""

WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
_TABLE = tables.alert_deliveries


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel. Times are UTC microseconds; `finished_at` is None while it is waiting.

    `status`: firing, resolved or test. `outcome`: waiting, delivered or failed.
    """

    id: str
    channel: str
    created_at: int
    rule_name: str
    status: str
    body: str
    outcome: str
    attempts: int
    next_at: int
    finished_at: int | None
    error: str


def queue_message(
    connection: sa.Connection, message: Mapping[str, Any], channels: Iterable[str], now: int
) -> None:
    """Store a message, which has an `id`, a `status` and a `rule`, for each channel.

    To be called in the transaction of the change that it reports.
    """
    rows = [
        {
            "id": message["id"],
            "channel": channel,
            "created_at": now,
            "rule_name": message["rule"]["name"],
            "status": message["status"],
            "body": _encode(message),
            "outcome": WAITING,
            "attempts": 0,
            "next_at": now,
            "finished_at": None,
            "error": "",
        }
        for channel in channels
    ]
    if rows:
        connection.execute(sa.insert(_TABLE), rows)


def queue_test(engine: sa.Engine, actor: Actor, now: int) -> list[str]:
    """Store a test message for every channel of the process that sends alerts; the channels.

    Raises AccessDenied for analysts, and StorageError where no process sends alerts.
    """
    actor.require_operator("send a test message")
    message = _test_message(actor, has_simulated_data(engine), now)
    with engine.begin() as connection:
        channels = sorted(receivers_of(read_task_holder(connection, TASK)))
        if not channels:
            raise StorageError("alerts: no running process has a receiver; set MIEN_ALERT_WEBHOOK for it")
        queue_message(connection, message, channels, now)
        audit.record(connection, actor, "alert.test", ", ".join(channels), {})
    return channels


def create_test(engine: sa.Engine, actor: Actor) -> tuple[str, bytes]:
    """The id and the body of a test message that the caller sends itself, and then records.

    Raises AccessDenied for analysts.
    """
    actor.require_operator("send a test message")
    message = _test_message(actor, has_simulated_data(engine), wall_clock_us())
    return message["id"], _encode(message).encode()


def record_test(engine: sa.Engine, actor: Actor, outcomes: Mapping[str, str]) -> None:
    """Record in the audit log that a test message was sent, with the outcome of each channel.

    Raises AccessDenied for analysts.
    """
    actor.require_operator("send a test message")
    with engine.begin() as connection:
        audit.record(connection, actor, "alert.test", ", ".join(sorted(outcomes)), outcomes)


def _encode(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, sort_keys=True)


def _test_message(actor: Actor, simulated: bool, now: int) -> dict[str, Any]:
    note = f" ({SIMULATED})" if simulated else ""
    return {
        "version": VERSION,
        "id": uuid.uuid4().hex,
        "created_at": iso_time(now),
        "status": "test",
        "rule": {"id": "", "name": "Test message", "kind": "test"},
        "subject_kind": "",
        "site": "",
        "subjects": [],
        "subject_count": 0,
        "simulated": simulated,
        "text": f"Test message, sent by {one_line(actor.name)[:100]}{note}",
    }


def iso_time(time_us: int) -> str:
    """A time in UTC as it is written in messages, such as `2026-03-31T09:12:00Z`."""
    return datetime.fromtimestamp(time_us // MICROSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_sender(engine: sa.Engine) -> TaskHolder | None:
    """The process that judges rules and sends alerts, None while none does. Raises DatabaseError."""
    with engine.connect() as connection:
        return read_task_holder(connection, TASK)


def receivers_of(sender: TaskHolder | None) -> dict[str, str]:
    """The receivers of the process that sends alerts: channel to address, without secrets."""
    if sender is None:
        return {}
    found: dict[str, str] = json.loads(sender.details)
    return found


def read_due(engine: sa.Engine, channel: str, now: int, limit: int = 5) -> list[Delivery]:
    """The messages to a channel whose next attempt is due, the oldest first. Raises DatabaseError."""
    due = (_TABLE.c.channel == channel) & (_TABLE.c.outcome == WAITING) & (_TABLE.c.next_at <= now)
    return _read(engine, sa.select(_TABLE).where(due).order_by(_TABLE.c.created_at, _TABLE.c.id).limit(limit))


def read_deliveries(engine: sa.Engine, actor: Actor, limit: int = 20) -> list[Delivery]:
    """The newest messages first. Raises AccessDenied for analysts, and DatabaseError."""
    actor.require_operator("read the deliveries of alerts")
    return _read(engine, sa.select(_TABLE).order_by(_TABLE.c.created_at.desc(), _TABLE.c.id).limit(limit))


def fail_other_channels(engine: sa.Engine, channels: Iterable[str], now: int) -> None:
    """Give up the messages to channels that have no receiver any more. Raises DatabaseError."""
    lost = (_TABLE.c.outcome == WAITING) & _TABLE.c.channel.not_in(list(channels))
    values = {"outcome": FAILED, "finished_at": now, "error": "this channel has no receiver any more"}
    with engine.begin() as connection:
        connection.execute(sa.update(_TABLE).where(lost).values(**values))


def note_attempt(
    engine: sa.Engine, delivery: Delivery, now: int, error: str | None, retry_at: int | None
) -> None:
    """Store the outcome of an attempt: delivered without an `error`, else waiting until `retry_at` or failed.

    Raises DatabaseUnavailable while the database cannot be written; the message is then sent again.
    """
    outcome = DELIVERED if error is None else FAILED if retry_at is None else WAITING
    mine = (_TABLE.c.id == delivery.id) & (_TABLE.c.channel == delivery.channel)
    values = {
        "outcome": outcome,
        "attempts": delivery.attempts + 1,
        "next_at": retry_at or delivery.next_at,
        "finished_at": None if outcome == WAITING else now,
        "error": redact(one_line(error or ""))[: tables.REASON_LENGTH],
    }
    with engine.begin() as connection:
        connection.execute(sa.update(_TABLE).where(mine, _TABLE.c.outcome == WAITING).values(**values))


def _read(engine: sa.Engine, query: sa.Select[Any]) -> list[Delivery]:
    with engine.connect() as connection:
        return [Delivery(**row) for row in connection.execute(query).mappings()]
