"""Sums of visits and coverage by hour and by day, events, and the opening hours of cameras."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"

_EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "unknown")
_GENDERS = ("female", "male", "unknown")
_DWELL_BINS = 24
_COUNTS = (
    *("captured", "unchanged", "analysed", "stale", "failed", "dropped", "faces", "watched_us", "age_sum_us"),
    "scheduled_us",
)


def upgrade() -> None:
    """Create the tables; `mien db maintain` fills them."""
    for table, time in (("camera_hours", "hour"), ("camera_days", "day")):
        op.create_table(
            table,
            sa.Column(time, sa.BigInteger, primary_key=True),
            sa.Column("camera_id", sa.String(64), primary_key=True),
            *_integers("visits", "simulated"),
            *_integers(*(f"n_{one}_{other}" for one in _EXPRESSIONS for other in _GENDERS)),
            *_floats("mood", "mood_squared", "dwell_us", "dwell_squared"),
            *_integers(*(f"dwell_{number}" for number in range(_DWELL_BINS))),
            *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "rollup_state",
        sa.Column("level", sa.String(10), primary_key=True),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table("rollup_changes", sa.Column("hour", sa.BigInteger, primary_key=True))
    op.create_table(
        "events",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("start_at", sa.BigInteger, nullable=False),
        sa.Column("end_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "event_cameras",
        sa.Column("event_id", sa.String(32), primary_key=True),
        sa.Column("camera_id", sa.String(64), primary_key=True),
    )
    op.add_column(
        "cameras", sa.Column("open_hours", sa.String(200), nullable=False, server_default=sa.text("''"))
    )


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _floats(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Float, nullable=False) for name in names]
