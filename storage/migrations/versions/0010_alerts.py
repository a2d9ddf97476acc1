"""Alert rules with states and deliveries; visits by face size and confidence; dead letters by reason."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0010", "0009"

_DAY_US = 86_400_000_000
_SIZE_EDGES = (16, 24, 40, 80, 160)
_CONFIDENCE_EDGES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_PROBABILITIES = tuple(
    f"p_{name}" for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
)


def upgrade() -> None:
    """Create the tables, and count the visits so far by class."""
    op.create_table(
        "visit_classes",
        sa.Column("day", sa.BigInteger, primary_key=True),
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(10), primary_key=True),
        sa.Column("class", sa.Integer, primary_key=True),
        sa.Column("visits", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dead_letters",
        sa.Column("hour", sa.BigInteger, primary_key=True),
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("reason", sa.String(100), primary_key=True),
        sa.Column("records", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    _create_alerts()
    op.create_table(
        "task_leases",
        sa.Column("task", sa.String(50), primary_key=True),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("process", sa.String(200), nullable=False),
        sa.Column("details", sa.String(500), nullable=False),
        sa.Column("renewed_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    greatest = "greatest" if op.get_bind().dialect.name == "postgresql" else "max"
    _count_visits("size", "face_size", _SIZE_EDGES)
    _count_visits("confidence", f"{greatest}({', '.join(_PROBABILITIES)})", _CONFIDENCE_EDGES)


def _create_alerts() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("threshold", sa.Float, nullable=False),
        sa.Column("cooldown_minutes", sa.Integer, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "alert_rule_cameras",
        sa.Column("rule_id", sa.String(32), primary_key=True),
        sa.Column("camera_id", sa.String(64), primary_key=True),
    )
    op.create_table(
        "alert_states",
        sa.Column("rule_id", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(200), primary_key=True),
        sa.Column("site", sa.String(200), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("notified_at", sa.BigInteger),
        sa.Column("announced", sa.Boolean, nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("channel", sa.String(10), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("rule_name", sa.String(200), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("body", sa.String(2000), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("error", sa.String(500), nullable=False),
    )


def _count_visits(kind: str, value: str, edges: tuple[float, ...]) -> None:
    cases = " ".join(f"WHEN {value} < {edge} THEN {number}" for number, edge in enumerate(edges))
    op.execute(
        "INSERT INTO visit_classes (day, camera_id, kind, class, visits) "
        f"SELECT day, camera_id, '{kind}', class, count(*) FROM ("
        f"SELECT first_seen - first_seen % {_DAY_US} AS day, camera_id, "
        f"CASE {cases} ELSE {len(edges)} END AS class FROM visits WHERE closed AND {value} IS NOT NULL"
        ") AS classified "
        "GROUP BY day, camera_id, class"
    )
