"""Protection: k, and the days for which rows about visits are kept; the configuration is its lower bound.

An operator may choose a larger k and fewer days. What applies is the stricter of the configuration and the
choice, wherever it is read, so that no row of the table makes the configured protection weaker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from common.access import Actor
from common.clock import wall_clock_us
from storage import audit, tables
from storage.errors import StorageError

SUPPRESS_BELOW = "suppress_below"
"""The name of k."""

MOST_SUPPRESS_BELOW = 1000
"""The largest k that can be chosen, unless the configured one is larger."""

_TABLE = tables.protection_choices


@dataclass(frozen=True, slots=True)
class Protection:
    """k and the days for which rows are kept; the fields have the names of the settings."""

    suppress_below: int
    keep_visits_days: int
    keep_observations_days: int
    keep_coverage_days: int

    def allowed(self, name: str) -> tuple[int, int]:
        """The least and the greatest value that may be chosen where this is the configuration."""
        configured: int = getattr(self, name)
        if name == SUPPRESS_BELOW:
            return configured, max(configured, MOST_SUPPRESS_BELOW)
        return 1, configured

    def tightened(self, choices: Mapping[str, int]) -> Protection:
        """The stricter one of this configuration and the choices; observations no longer than visits."""
        values = {name: self._stricter(name, choices.get(name)) for name in NAMES}
        values["keep_observations_days"] = min(values["keep_observations_days"], values["keep_visits_days"])
        return Protection(**values)

    def _stricter(self, name: str, chosen: int | None) -> int:
        configured: int = getattr(self, name)
        if chosen is None:
            return configured
        return max(configured, chosen) if name == SUPPRESS_BELOW else max(min(configured, chosen), 1)


NAMES = tuple(each.name for each in fields(Protection))
"""What can be chosen."""


def read_choices(engine: sa.Engine) -> dict[str, int]:
    """What operators have chosen, by name. Raises DatabaseError where the database cannot be read."""
    with engine.connect() as connection:
        return _read(connection)


def read_protection(engine: sa.Engine, configured: Protection) -> Protection:
    """The protection that applies. Raises DatabaseError where the database cannot be read."""
    return configured.tightened(read_choices(engine))


def change_protection(
    engine: sa.Engine, actor: Actor, configured: Protection, changes: Mapping[str, int]
) -> Protection:
    """Choose values by name, each at least as strict as configured; the protection that applies then.

    The configured value removes the choice. Names that are not in `changes` keep theirs.

    Raises AccessDenied for analysts, StorageError where a value is weaker than configured or out of range.
    """
    actor.require_operator("change retention and k")
    for name, value in changes.items():
        _check(configured, name, value)
    with engine.begin() as connection:
        choices = _read(connection, lock=True)
        before = configured.tightened(choices)
        for name, value in changes.items():
            _store(connection, name, None if value == getattr(configured, name) else value)
        after = configured.tightened(_read(connection))
        for name in NAMES:
            old, new = asdict(before)[name], asdict(after)[name]
            if old != new:
                details = {"from": old, "to": new, "configured": getattr(configured, name)}
                audit.record(connection, actor, "protection.change", name, details)
    return after


def _check(configured: Protection, name: str, value: int) -> None:
    if name not in NAMES:
        raise StorageError(f"{name[:50]}: is not changed here; expected one of {', '.join(NAMES)}")
    low, high = configured.allowed(name)
    if not low <= value <= high:
        bound = getattr(configured, name)
        raise StorageError(
            f"{name} {value}: expected {low} to {high}; the configured value is {bound}, and only the "
            "configuration can be weaker"
        )


def _read(connection: sa.Connection, *, lock: bool = False) -> dict[str, int]:
    query = sa.select(_TABLE.c.name, _TABLE.c.value).where(_TABLE.c.name.in_(NAMES))
    return {row.name: row.value for row in connection.execute(query.with_for_update() if lock else query)}


def _store(connection: sa.Connection, name: str, value: int | None) -> None:
    """Store a choice, or remove it where `value` is None."""
    if value is None:
        connection.execute(sa.delete(_TABLE).where(_TABLE.c.name == name))
        return
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(_TABLE)
    values = {"value": value, "changed_at": wall_clock_us()}
    new = insert.values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values)
    connection.execute(new)
