"""Views for business-intelligence tools: figures by hour and camera, without groups of few visits.

k-suppression is a part of each view. Hours are complete, so a row does not grow with each visit, and rows do
not overlap, so no sum of rows contains part of another one. There are no totals from which rows could be
subtracted. An analyst's role reads these views alone (`storage.roles`).
"""

from __future__ import annotations

import sqlalchemy as sa

from bus.messages import UNKNOWN
from storage.protection import SUPPRESS_BELOW
from storage.tables import ALL_GENDER_LABELS, ALL_LABELS, EXPRESSIONS, GENDERS, protection_choices

VIEWS = ("analyst_hours", "analyst_expressions", "analyst_genders")

_LABELS = (*EXPRESSIONS, UNKNOWN)
_GENDER_LABELS = (*GENDERS, UNKNOWN)
_CAMERA = "coalesce(nullif(c.name, ''), h.camera_id) AS camera, coalesce(c.site, '') AS site, "
_CAMERA += "coalesce(c.zone, '') AS zone"


def create_views(connection: sa.Connection, suppress_below: int) -> None:
    """Create or replace the views; groups of fewer than `suppress_below` visits are hidden.

    A larger number that an operator chooses (`storage.protection`) applies at once, without new views.
    """
    drop_views(connection)
    k = _applied(suppress_below)
    expressions = [(label, _of_expression(label)) for label in _LABELS]
    genders = [(label, [f"n_{each}_{label}" for each in ALL_LABELS]) for label in _GENDER_LABELS]
    for name, query in (
        ("analyst_hours", _hours(k)),
        ("analyst_expressions", _cells("expression", expressions, k)),
        ("analyst_genders", _cells("gender", genders, k)),
    ):
        # The barrier keeps a condition of the reader, which may raise errors, from seeing hidden rows.
        connection.exec_driver_sql(f"CREATE VIEW {name} WITH (security_barrier) AS {query}")


def drop_views(connection: sa.Connection) -> bool:
    """Drop the views, because they prevent changes of the tables that they read; whether there were any."""
    there = bool({*VIEWS} & {*sa.inspect(connection).get_view_names()})
    for name in VIEWS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
    return there


def _applied(suppress_below: int) -> str:
    """The larger one of the configured k and the chosen one, which is NULL without a choice."""
    return (
        f"(SELECT greatest({max(suppress_below, 1)}, max(value)) FROM {protection_choices.name} "
        f"WHERE name = '{SUPPRESS_BELOW}')"
    )


def _of_expression(label: str) -> list[str]:
    return [f"n_{label}_{each}" for each in ALL_GENDER_LABELS]


def _hours(k: str) -> str:
    # Of cameras that do not estimate expressions, visits have no mood.
    estimated = " + ".join(f"h.{name}" for label in _LABELS for name in _of_expression(label))
    return (
        f"SELECT {_time()}, h.camera_id, {_CAMERA}, h.visits, "
        f"CASE WHEN {estimated} >= {k} THEN 100 * h.mood / ({estimated}) END AS mood_index, "
        "h.dwell_us / h.visits / 1e6 AS mean_dwell_seconds, "
        "CASE WHEN h.scheduled_us > 0 THEN least(h.watched_us::float8 / h.scheduled_us, 1) END AS coverage, "
        "h.simulated > 0 AS simulated "
        f"FROM camera_hours h LEFT JOIN cameras c ON c.id = h.camera_id WHERE h.visits >= {k}"
    )


def _cells(kind: str, cells: list[tuple[str, list[str]]], k: str) -> str:
    """The visits of each label, NULL where hidden.

    A cell of fewer than k visits is hidden, and then the next larger ones, until at least two cells with k
    visits together are. In this order they are the first ones, so a running sum decides.
    """
    values = ", ".join(f"('{label}', {' + '.join(f'h.{name}' for name in names)})" for label, names in cells)
    order = "OVER (PARTITION BY h.hour, h.camera_id, v.n > 0 ORDER BY v.n, v.label"
    return (
        f"SELECT {_time('f.hour')}, f.camera_id, f.camera, f.site, f.zone, f.label AS {kind}, "
        f"CASE WHEN f.n = 0 OR f.smallest >= {k} OR (f.n >= {k} AND f.before >= {k} AND f.place > 2) "
        "THEN f.n END AS visits "
        f"FROM (SELECT h.hour, h.camera_id, {_CAMERA}, v.label, v.n, "
        f"row_number() {order}) AS place, "
        f"min(v.n) {order} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS smallest, "
        f"coalesce(sum(v.n) {order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before "
        "FROM camera_hours h LEFT JOIN cameras c ON c.id = h.camera_id "
        f"CROSS JOIN LATERAL (VALUES {values}) AS v (label, n) WHERE h.visits >= {k}) AS f"
    )


def _time(column: str = "h.hour") -> str:
    return f"to_timestamp({column} / 1e6) AS hour"
