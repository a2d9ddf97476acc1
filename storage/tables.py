"""The tables, defined once for SQLite and PostgreSQL.

Times are integer microseconds since 1970-01-01 UTC. No column can contain a picture. On SQLite the tables by
minute have no row id: their rows are stored in the order of the key, so that a period is one range of them.
On PostgreSQL visits and observations are partitioned by UTC day (`storage.day_partitions`), so their keys
contain a time; within a day rows are nearly in the order of time, for which BRIN indexes are made.
"""

from __future__ import annotations

import sqlalchemy as sa

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""The expressions with a column `p_<name>`; models have an order of their own."""

GENDERS = ("female", "male")
"""The perceived genders of which `p_female` is the probability of the first."""

PROBABILITIES = tuple(f"p_{name}" for name in EXPRESSIONS)

REASON_LENGTH = 500
"""The maximum number of characters of the reason for a camera's state."""

metadata = sa.MetaData()


def _by_time(table: str, column: str) -> sa.Index:
    return sa.Index(
        f"{table}_by_time", column, postgresql_using="brin", postgresql_with={"autosummarize": "on"}
    )


def _probability_columns() -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Float, nullable=False) for name in (*PROBABILITIES, "p_female")]


cameras = sa.Table(
    "cameras",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("site", sa.String(200), nullable=False),
    sa.Column("zone", sa.String(200), nullable=False),
    sa.Column("source", sa.String(2000), nullable=False),
    sa.Column("fps", sa.Float),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("pause_reason", sa.String(REASON_LENGTH), nullable=False),
    sa.Column("partition", sa.Integer),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
)

camera_states = sa.Table(
    "camera_states",
    metadata,
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("reason", sa.String(REASON_LENGTH), nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("reported_at", sa.BigInteger, nullable=False),
    sa.Column("fps", sa.Float, nullable=False),
    sa.Column("last_frame_at", sa.BigInteger),
    sa.Column("reconnects", sa.Integer, nullable=False),
)

visits = sa.Table(
    "visits",
    metadata,
    sa.Column("visit_id", sa.String(32), primary_key=True),
    sa.Column("first_seen", sa.BigInteger, primary_key=True),
    sa.Column("camera_id", sa.String(64), nullable=False),
    sa.Column("last_seen", sa.BigInteger, nullable=False),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("face_size", sa.Float, nullable=False),
    sa.Column("quality", sa.Float, nullable=False),
    *_probability_columns(),
    sa.Column("expression", sa.String(20), nullable=False),
    sa.Column("gender", sa.String(20), nullable=False),
    sa.Column("model", sa.String(100), nullable=False),
    sa.Column("closed", sa.Boolean, nullable=False),
    _by_time("visits", "first_seen"),
    sa.Index("visits_open", "closed", "last_seen"),
    postgresql_partition_by="RANGE (first_seen)",
)

observations = sa.Table(
    "observations",
    metadata,
    sa.Column("visit_id", sa.String(32), primary_key=True),
    sa.Column("observed_at", sa.BigInteger, primary_key=True),
    sa.Column("camera_id", sa.String(64), nullable=False),
    *_probability_columns(),
    _by_time("observations", "observed_at"),
    postgresql_partition_by="RANGE (observed_at)",
)

COUNTS = ("captured", "analysed", "stale", "failed", "dropped", "faces", "watched_us", "age_sum_us")

camera_minutes = sa.Table(
    "camera_minutes",
    metadata,
    sa.Column("minute", sa.BigInteger, primary_key=True),
    sa.Column("camera_id", sa.String(64), primary_key=True),
    *[sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTS],
    sqlite_with_rowid=False,
)

camera_drops = sa.Table(
    "camera_drops",
    metadata,
    sa.Column("minute", sa.BigInteger, primary_key=True),
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("reason", sa.String(100), primary_key=True),
    sa.Column("frames", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

ROLLUP_SUMS = (*PROBABILITIES, "p_female", "mood", "mood_squared", "dwell_us")

visit_minutes = sa.Table(
    "visit_minutes",
    metadata,
    sa.Column("minute", sa.BigInteger, primary_key=True),
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("expression", sa.String(20), primary_key=True),
    sa.Column("gender", sa.String(20), primary_key=True),
    sa.Column("visits", sa.BigInteger, nullable=False),
    *[sa.Column(name, sa.Float, nullable=False) for name in ROLLUP_SUMS],
    sqlite_with_rowid=False,
)

offsets = sa.Table(
    "offsets",
    metadata,
    sa.Column("topic", sa.String(200), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("written_at", sa.BigInteger, nullable=False),
)
