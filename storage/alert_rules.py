"""Alert rules: what is watched, and how often it may be reported. Operators change them, audited."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

import sqlalchemy as sa

from common.access import Actor
from common.clock import wall_clock_us
from storage import audit, tables
from storage.errors import StorageError

NAME_LENGTH = 200
MOST_RULES = 100
DAY_MINUTES = 24 * 60
MOST_COOLDOWN_MINUTES = 30 * DAY_MINUTES


class AlertKind(StrEnum):
    """What a rule watches; shifts are compared with the same weekdays and hours of the weeks before."""

    CAMERA_DOWN = "camera down"
    LOW_COVERAGE = "coverage low"
    VISITS_SHIFTED = "visits shifted"
    MOOD_SHIFTED = "mood shifted"

    @property
    def compares_days(self) -> bool:
        """Whether the period is full days, which are compared with the days before."""
        return self in {AlertKind.VISITS_SHIFTED, AlertKind.MOOD_SHIFTED}

    @property
    def minutes(self) -> tuple[int, int]:
        """The shortest and the longest period of a rule of this kind."""
        if self.compares_days:
            # `storage.figures.comparison` needs four days for a verdict.
            return 4 * DAY_MINUTES, 28 * DAY_MINUTES
        return (1, DAY_MINUTES) if self is AlertKind.CAMERA_DOWN else (15, 7 * DAY_MINUTES)

    @property
    def usual_minutes(self) -> int:
        """The period of a rule of this kind where none is given."""
        if self.compares_days:
            return 7 * DAY_MINUTES
        return 5 if self is AlertKind.CAMERA_DOWN else 60


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A rule; `cameras` is empty for all.

    minutes: how long a camera is down, or the period over which coverage or days are judged.
    threshold: the coverage below which a camera is reported, 0 to 1; of no meaning to other kinds.
    cooldown_minutes: the shortest time between two reports of the same subject, a camera or a site.
    """

    name: str
    kind: AlertKind
    minutes: int
    threshold: float = 0.9
    cooldown_minutes: int = 60
    cameras: frozenset[str] = frozenset()
    enabled: bool = True
    id: str = ""
    changed_at: int = 0


def read_rules(engine: sa.Engine) -> list[AlertRule]:
    """All rules, by name. Raises DatabaseError where the database cannot be read."""
    rules, places = tables.alert_rules, tables.alert_rule_cameras
    with engine.connect() as connection:
        rows = connection.execute(sa.select(rules).order_by(rules.c.name, rules.c.id)).all()
        pairs = connection.execute(sa.select(places)).all()
    cameras: dict[str, set[str]] = {}
    for pair in pairs:
        cameras.setdefault(pair.rule_id, set()).add(pair.camera_id)
    return [
        AlertRule(
            row.name,
            AlertKind(row.kind),
            row.minutes,
            row.threshold,
            row.cooldown_minutes,
            frozenset(cameras.get(row.id, ())),
            row.enabled,
            row.id,
            row.changed_at,
        )
        for row in rows
    ]


def add_rule(engine: sa.Engine, actor: Actor, rule: AlertRule) -> AlertRule:
    """Store a new rule; returns it with its id.

    Raises AccessDenied for analysts, StorageError where a value is out of range or there are too many rules.
    """
    actor.require_operator("add alert rules")
    _check(rule)
    now = wall_clock_us()
    rule = replace(rule, id=uuid.uuid4().hex, name=rule.name.strip(), changed_at=now)
    with engine.begin() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(tables.alert_rules)) or 0
        if count >= MOST_RULES:
            raise StorageError(f"alert rules: there are {count} already; remove one")
        connection.execute(sa.insert(tables.alert_rules), _row(rule) | {"id": rule.id, "created_at": now})
        _set_cameras(connection, rule)
        audit.record(connection, actor, "alert_rule.add", rule.name, _details(rule))
    return rule


def change_rule(engine: sa.Engine, actor: Actor, rule: AlertRule) -> None:
    """Replace the rule with this id; its alerts so far are forgotten, and judged again by the new rule.

    Raises AccessDenied for analysts, StorageError where the rule does not exist or a value is out of range.
    """
    actor.require_operator("change alert rules")
    _check(rule)
    rule = replace(rule, name=rule.name.strip(), changed_at=wall_clock_us())
    with engine.begin() as connection:
        change = sa.update(tables.alert_rules).where(tables.alert_rules.c.id == rule.id).values(_row(rule))
        if not connection.execute(change).rowcount:
            raise StorageError(f"alert rule {rule.name}: does not exist any more")
        _forget(connection, rule.id, tables.alert_rule_cameras, tables.alert_states)
        _set_cameras(connection, rule)
        audit.record(connection, actor, "alert_rule.change", rule.name, _details(rule))


def remove_rule(engine: sa.Engine, actor: Actor, rule_id: str) -> None:
    """Remove a rule; nothing happens where it does not exist. Raises AccessDenied for analysts."""
    actor.require_operator("remove alert rules")
    rules = tables.alert_rules
    with engine.begin() as connection:
        name = connection.scalar(sa.select(rules.c.name).where(rules.c.id == rule_id))
        if name is None:
            return
        _forget(connection, rule_id, tables.alert_rule_cameras, tables.alert_states)
        connection.execute(sa.delete(rules).where(rules.c.id == rule_id))
        audit.record(connection, actor, "alert_rule.remove", name, {})


def _check(rule: AlertRule) -> None:
    name = rule.name.strip()
    if not 1 <= len(name) <= NAME_LENGTH:
        raise StorageError(f"alert rule: name has {len(name)} characters, expected 1 to {NAME_LENGTH}")
    low, high = rule.kind.minutes
    if not low <= rule.minutes <= high:
        raise StorageError(
            f"alert rule {name}: period {rule.minutes} minutes, expected {low} to {high} for {rule.kind}"
        )
    if rule.kind.compares_days and rule.minutes % DAY_MINUTES:
        raise StorageError(f"alert rule {name}: period {rule.minutes} minutes, expected full days")
    if not 0 < rule.threshold <= 1:
        raise StorageError(f"alert rule {name}: coverage {rule.threshold:g}, expected more than 0, at most 1")
    if not 1 <= rule.cooldown_minutes <= MOST_COOLDOWN_MINUTES:
        raise StorageError(
            f"alert rule {name}: cool-down {rule.cooldown_minutes} minutes, "
            f"expected 1 to {MOST_COOLDOWN_MINUTES}"
        )


def _row(rule: AlertRule) -> dict[str, object]:
    names = ("name", "minutes", "threshold", "cooldown_minutes", "enabled", "changed_at")
    return {name: getattr(rule, name) for name in names} | {"kind": rule.kind.value}


def _details(rule: AlertRule) -> dict[str, object]:
    details: dict[str, object] = {"kind": rule.kind.value, "minutes": rule.minutes}
    if rule.kind is AlertKind.LOW_COVERAGE:
        details["coverage"] = rule.threshold
    cameras = " ".join(sorted(rule.cameras)) or "all"
    return details | {"cool-down": rule.cooldown_minutes, "enabled": rule.enabled, "cameras": cameras}


def _set_cameras(connection: sa.Connection, rule: AlertRule) -> None:
    rows = [{"rule_id": rule.id, "camera_id": camera} for camera in sorted(rule.cameras)]
    if rows:
        connection.execute(sa.insert(tables.alert_rule_cameras), rows)


def _forget(connection: sa.Connection, rule_id: str, *places: sa.Table) -> None:
    for table in places:
        connection.execute(sa.delete(table).where(table.c.rule_id == rule_id))


def watched_cameras(rule: AlertRule, known: Collection[str]) -> frozenset[str]:
    """The cameras of a rule that are registered: all of them where the rule names none."""
    return rule.cameras & frozenset(known) if rule.cameras else frozenset(known)
