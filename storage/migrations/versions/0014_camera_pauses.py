"""The pauses of cameras so far; visits without an estimate have no class of confidence."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0014", "0013"

_DAY_US = 86_400_000_000
_CONFIDENCE_EDGES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_PROBABILITIES = tuple(
    f"p_{name}" for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
)


def upgrade() -> None:
    """Create the table with the pauses that are known, and count classes of confidence again."""
    pauses = op.create_table(
        "camera_pauses",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("start_at", sa.BigInteger, primary_key=True),
        sa.Column("end_at", sa.BigInteger),
    )
    connection = op.get_bind()
    found = {(camera, start): end for camera, start, end in (*_ended(connection), *_lasting(connection))}
    rows = [{"camera_id": camera, "start_at": start, "end_at": end} for (camera, start), end in found.items()]
    op.bulk_insert(pauses, rows)
    _count_confidence()


def _ended(connection: sa.Connection) -> Iterator[tuple[str, int, int | None]]:
    """The pauses that began and ended, from the audit log: camera, start and end."""
    query = sa.text(
        "SELECT subject, action, at FROM audit_log "
        "WHERE action IN ('camera.pause', 'camera.resume', 'camera.remove') ORDER BY at"
    )
    lasting: dict[str, int] = {}
    for camera, action, at in connection.execute(query):
        if action == "camera.pause":
            # Another reason for a pause that lasts is in the log as well.
            lasting.setdefault(camera, at)
        elif camera in lasting:
            yield camera, lasting.pop(camera), at


def _lasting(connection: sa.Connection) -> Iterator[tuple[str, int, int | None]]:
    """The pauses that last, from the registry: camera, start and no end."""
    for camera, since in connection.execute(sa.text("SELECT id, changed_at FROM cameras WHERE NOT enabled")):
        yield camera, since, None


def _count_confidence() -> None:
    """Count the visits that are stored; before, those without an estimate were in the highest class.

    Days without visits keep their counts: retention deletes both after the same number of days.
    """
    greatest = "greatest" if op.get_bind().dialect.name == "postgresql" else "max"
    value = f"{greatest}({', '.join(_PROBABILITIES)})"
    cases = " ".join(f"WHEN {value} < {edge} THEN {number}" for number, edge in enumerate(_CONFIDENCE_EDGES))
    day = f"first_seen - first_seen % {_DAY_US}"
    op.execute(
        "DELETE FROM visit_classes WHERE kind = 'confidence' "
        f"AND day IN (SELECT DISTINCT {day} FROM visits WHERE closed)"
    )
    op.execute(
        "INSERT INTO visit_classes (day, camera_id, kind, class, visits) "
        "SELECT day, camera_id, 'confidence', class, count(*) FROM ("
        f"SELECT {day} AS day, camera_id, CASE {cases} ELSE {len(_CONFIDENCE_EDGES)} END AS class "
        f"FROM visits WHERE closed AND {value} IS NOT NULL) AS classified GROUP BY day, camera_id, class"
    )
