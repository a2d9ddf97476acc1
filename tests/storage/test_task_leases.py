"""The lease of a task: one process holds it, and a wrong clock of the past does not block it."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS
from storage import task_leases
from storage.alert_outbox import receivers_of
from storage.task_leases import TaskLease, read_task_holder

DAY_US = 86_400 * MICROSECONDS
NOW = 1_700_000_000_000_000


def test_one_process_holds_it_until_it_is_released(engine: sa.Engine) -> None:
    one, other = (TaskLease(engine, "alerts", name, 30) for name in ("one", "other"))
    assert one.hold()
    assert not other.hold()
    one.release()
    assert other.hold()
    assert not one.hold()


def test_a_lease_from_before_a_clock_was_set_back_is_over(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = NOW + DAY_US
    monkeypatch.setattr(task_leases, "database_clock_us", lambda _: now)
    assert TaskLease(engine, "alerts", "", 30).hold()
    now = NOW
    assert TaskLease(engine, "alerts", "", 30).hold()
    assert not TaskLease(engine, "alerts", "", 30).hold()


def test_long_addresses_in_any_script_are_read_back(engine: sa.Engine) -> None:
    address = f"mqtts://broker.example/{'магазин/' * 25}"[:200]
    shown = {"mqtt": address, "webhook": address}
    assert TaskLease(engine, "alerts", json.dumps(shown, ensure_ascii=False), 30).hold()
    with engine.connect() as connection:
        assert receivers_of(read_task_holder(connection, "alerts")) == shown
