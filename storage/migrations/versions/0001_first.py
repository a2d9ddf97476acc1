"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_PROBABILITIES = (
    "p_anger",
    "p_disgust",
    "p_fear",
    "p_happiness",
    "p_sadness",
    "p_surprise",
    "p_neutral",
    "p_female",
)


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "cameras",
        sa.Column("id", sa.String(64), primary_key=True),
        *_texts(name=200, site=200, zone=200, source=2000),
        sa.Column("fps", sa.Float),
        sa.Column("enabled", sa.Boolean, nullable=False),
        *_texts(pause_reason=500),
        sa.Column("partition", sa.Integer),
        *_integers("created_at", "changed_at"),
    )
    op.create_table(
        "camera_states",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        *_texts(state=20, reason=500),
        *_integers("since", "reported_at"),
        *_floats("fps"),
        sa.Column("last_frame_at", sa.BigInteger),
        sa.Column("reconnects", sa.Integer, nullable=False),
    )
    op.create_table(
        "visits",
        sa.Column("visit_id", sa.String(32), primary_key=True),
        sa.Column("first_seen", sa.BigInteger, primary_key=True),
        *_texts(camera_id=64),
        *_integers("last_seen"),
        sa.Column("frames", sa.Integer, nullable=False),
        *_floats("face_size", "quality", *_PROBABILITIES),
        *_texts(expression=20, gender=20, model=100),
        sa.Column("closed", sa.Boolean, nullable=False),
        postgresql_partition_by="RANGE (first_seen)",
    )
    _index_time("visits", "first_seen")
    op.create_index("visits_open", "visits", ["closed", "last_seen"])
    op.create_table(
        "observations",
        sa.Column("visit_id", sa.String(32), primary_key=True),
        sa.Column("observed_at", sa.BigInteger, primary_key=True),
        *_texts(camera_id=64),
        *_floats(*_PROBABILITIES),
        postgresql_partition_by="RANGE (observed_at)",
    )
    _index_time("observations", "observed_at")
    op.create_table(
        "camera_minutes",
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("camera_id", sa.String(64), primary_key=True),
        *_integers("captured", "analysed", "stale", "failed", "dropped", "faces", "watched_us", "age_sum_us"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "camera_drops",
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("reason", sa.String(100), primary_key=True),
        *_integers("frames"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "visit_minutes",
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("expression", sa.String(20), primary_key=True),
        sa.Column("gender", sa.String(20), primary_key=True),
        *_integers("visits"),
        *_floats(*_PROBABILITIES, "mood", "mood_squared", "dwell_us"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "offsets",
        sa.Column("topic", sa.String(200), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        *_integers("next_offset", "written_at"),
    )
    if op.get_context().dialect.name == "postgresql":
        # The default partition stores rows whose day has no partition yet, so that no row is refused.
        for table in ("visits", "observations"):
            op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def _index_time(table: str, column: str) -> None:
    op.create_index(
        f"{table}_by_time",
        table,
        [column],
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )


def _texts(**lengths: int) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(length), nullable=False) for name, length in lengths.items()]


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _floats(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Float, nullable=False) for name in names]
