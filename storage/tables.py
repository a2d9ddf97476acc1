"""The tables, defined once for SQLite and PostgreSQL.

Times are integer microseconds since 1970-01-01 UTC. No column can contain a picture. On SQLite the tables by
minute have no row id: their rows are stored in the order of the key, so that a period is one range of them.
On PostgreSQL visits and observations are partitioned by UTC day (`storage.day_partitions`), so their keys
contain a time; within a day rows are nearly in the order of time, for which BRIN indexes are made.
"""

from __future__ import annotations

import sqlalchemy as sa

from bus.messages import OFF, UNKNOWN

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""The expressions with a column `p_<name>`; models have an order of their own."""

GENDERS = ("female", "male")
"""The perceived genders of which `p_female` is the probability of the first."""

PROBABILITIES = tuple(f"p_{name}" for name in EXPRESSIONS)

REASON_LENGTH = 500
"""The maximum number of characters of the reason for a camera's state."""

PURPOSE_LENGTH = 500
"""The maximum number of characters of a camera's purpose."""

MASKS_LENGTH = 2000
"""The maximum number of characters of a camera's masks, as `common.masks` writes them."""

PROCESS_LENGTH = 200
"""The maximum number of characters of the description of a process."""

MESSAGE_LENGTH = 2000
"""The maximum number of characters of an alert as JSON."""

metadata = sa.MetaData()


def _by_time(table: str, column: str) -> sa.Index:
    return sa.Index(
        f"{table}_by_time", column, postgresql_using="brin", postgresql_with={"autosummarize": "on"}
    )


def _probability_columns() -> list[sa.Column[float]]:
    """NULL where the camera's switch is off."""
    return [sa.Column(name, sa.Float) for name in (*PROBABILITIES, "p_female")]


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
    sa.Column("open_hours", sa.String(500), nullable=False, server_default=sa.text("''")),
    sa.Column("thorough", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("purpose", sa.String(PURPOSE_LENGTH), nullable=False, server_default=sa.text("''")),
    sa.Column("notice_at", sa.String(10), nullable=False, server_default=sa.text("''")),
    sa.Column("masks", sa.String(MASKS_LENGTH), nullable=False, server_default=sa.text("''")),
    sa.Column("read_expression", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("read_gender", sa.Boolean, nullable=False, server_default=sa.true()),
)
"""`changed_at` is when the camera was added, paused or resumed."""

camera_pauses = sa.Table(
    "camera_pauses",
    metadata,
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("start_at", sa.BigInteger, primary_key=True),
    sa.Column("end_at", sa.BigInteger),
)
"""When cameras were paused, also removed ones; `end_at` is NULL while a pause lasts."""

camera_identities = sa.Table(
    "camera_identities",
    metadata,
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("identity", sa.String(64), nullable=False),
)
"""The source of each id, also of removed cameras: `common.source_identity`, empty where unknown."""

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
    sa.Column("recent_reconnects", sa.Integer, nullable=False, server_default=sa.text("0")),
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

COUNTS = (
    "captured",
    "unchanged",
    "analysed",
    "stale",
    "failed",
    "superseded",
    "repeated",
    "dropped",
    "faces",
    "watched_us",
    "age_sum_us",
)

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
    sa.Index("camera_drops_by_camera", "camera_id", "minute"),
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

last_frames = sa.Table(
    "last_frames",
    metadata,
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("epoch", sa.BigInteger, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("analysed", sa.Boolean, nullable=False),
    sa.Column("written_at", sa.BigInteger, nullable=False),
)

camera_leases = sa.Table(
    "camera_leases",
    metadata,
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(32), nullable=False),
    sa.Column("process", sa.String(PROCESS_LENGTH), nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("next_token", sa.BigInteger, nullable=False),
    sa.Column("renewed_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)

capture_processes = sa.Table(
    "capture_processes",
    metadata,
    sa.Column("holder", sa.String(32), primary_key=True),
    sa.Column("process", sa.String(PROCESS_LENGTH), nullable=False),
    sa.Column("shares", sa.Boolean, nullable=False),
    sa.Column("renewed_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)

processes = sa.Table(
    "processes",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("process", sa.String(PROCESS_LENGTH), nullable=False),
    sa.Column("address", sa.String(300), nullable=False),
    sa.Column("token", sa.String(64), nullable=False),
    sa.Column("captures", sa.Boolean, nullable=False),
    sa.Column("analyses", sa.Boolean, nullable=False),
    sa.Column("renewed_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)
"""The internal server of each running process. `token` is a secret of the process and of the dashboard."""

offsets = sa.Table(
    "offsets",
    metadata,
    sa.Column("topic", sa.String(200), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("written_at", sa.BigInteger, nullable=False),
)

DWELL_EDGES_S = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 90, 120, 180, 300, 600, 1200)
"""The edges in seconds between the bins of the histogram of dwell; `dwell_<number>` counts one bin."""

ALL_LABELS = (*EXPRESSIONS, UNKNOWN, OFF)
ALL_GENDER_LABELS = (*GENDERS, UNKNOWN, OFF)
"""The labels of a visit; "off" where the camera's switch was off, so that nothing was estimated."""

CROSS_COUNTS = tuple(f"n_{expression}_{gender}" for expression in ALL_LABELS for gender in ALL_GENDER_LABELS)
"""The columns that count the closed visits of one expression and gender."""

DWELL_BINS = tuple(f"dwell_{number}" for number in range(len(DWELL_EDGES_S) + 1))
VISIT_COUNTS = ("visits", "simulated", *CROSS_COUNTS)
VISIT_SUMS = ("mood", "mood_squared", "dwell_us", "dwell_squared")
"""Sums over closed visits; `dwell_squared` is in square seconds."""

COVERAGE_SUMS = (*COUNTS, "scheduled_us")


def _default(count: str) -> sa.TextClause | None:
    """Counts of visits without an estimate were added later than the others."""
    return sa.text("0") if OFF in count.split("_") else None


def _long_rollup(name: str, time: str) -> sa.Table:
    """Sums of the closed visits and of the coverage of one camera in one local hour or day."""
    return sa.Table(
        name,
        metadata,
        sa.Column(time, sa.BigInteger, primary_key=True),
        sa.Column("camera_id", sa.String(64), primary_key=True),
        *[
            sa.Column(each, sa.Integer, nullable=False, server_default=_default(each))
            for each in VISIT_COUNTS
        ],
        *[sa.Column(each, sa.Float, nullable=False) for each in VISIT_SUMS],
        *[sa.Column(each, sa.Integer, nullable=False) for each in DWELL_BINS],
        *[sa.Column(each, sa.BigInteger, nullable=False) for each in COVERAGE_SUMS],
        sqlite_with_rowid=False,
    )


camera_hours, camera_days = _long_rollup("camera_hours", "hour"), _long_rollup("camera_days", "day")

rollup_state = sa.Table(
    "rollup_state",
    metadata,
    sa.Column("level", sa.String(10), primary_key=True),
    sa.Column("timezone", sa.String(64), nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)

rollup_changes = sa.Table("rollup_changes", metadata, sa.Column("hour", sa.BigInteger, primary_key=True))
"""UTC hours of which rows were stored after the hour was rolled up."""

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("start_at", sa.BigInteger, nullable=False),
    sa.Column("end_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

event_cameras = sa.Table(
    "event_cameras",
    metadata,
    sa.Column("event_id", sa.String(32), primary_key=True),
    sa.Column("camera_id", sa.String(64), primary_key=True),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("action", sa.String(50), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("details", sa.String(2000), nullable=False),
)
"""Rows are never changed; `details` contains no secret."""

visit_classes = sa.Table(
    "visit_classes",
    metadata,
    sa.Column("day", sa.BigInteger, primary_key=True),
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(10), primary_key=True),
    sa.Column("class", sa.Integer, primary_key=True),
    sa.Column("visits", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Closed visits of one camera and UTC day by class of face size or confidence (`storage.visit_classes`)."""

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("hour", sa.BigInteger, primary_key=True),
    sa.Column("camera_id", sa.String(64), primary_key=True),
    sa.Column("reason", sa.String(100), primary_key=True),
    sa.Column("records", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Rejected records by UTC hour; `camera_id` is empty where the record names no valid one."""

alert_rules = sa.Table(
    "alert_rules",
    metadata,
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

alert_rule_cameras = sa.Table(
    "alert_rule_cameras",
    metadata,
    sa.Column("rule_id", sa.String(32), primary_key=True),
    sa.Column("camera_id", sa.String(64), primary_key=True),
)

alert_states = sa.Table(
    "alert_states",
    metadata,
    sa.Column("rule_id", sa.String(32), primary_key=True),
    sa.Column("subject", sa.String(200), primary_key=True),
    sa.Column("site", sa.String(200), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
    sa.Column("seen_at", sa.BigInteger, nullable=False),
    sa.Column("notified_at", sa.BigInteger),
    sa.Column("announced", sa.Boolean, nullable=False),
    sa.Column("detail", sa.String(REASON_LENGTH), nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
)
"""What each rule has found of each subject, a camera or a site; kept over restarts."""

alert_deliveries = sa.Table(
    "alert_deliveries",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("channel", sa.String(10), primary_key=True),
    sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("rule_name", sa.String(200), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("body", sa.String(MESSAGE_LENGTH), nullable=False),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", sa.BigInteger, nullable=False),
    sa.Column("finished_at", sa.BigInteger),
    sa.Column("error", sa.String(REASON_LENGTH), nullable=False),
)
"""The messages that are sent to each channel, with the outcome: a transactional outbox."""

task_leases = sa.Table(
    "task_leases",
    metadata,
    sa.Column("task", sa.String(50), primary_key=True),
    sa.Column("holder", sa.String(32), nullable=False),
    sa.Column("process", sa.String(PROCESS_LENGTH), nullable=False),
    sa.Column("details", sa.String(REASON_LENGTH), nullable=False),
    sa.Column("renewed_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)
"""Which process does a task that exactly one process may do."""

dashboard_sessions = sa.Table(
    "dashboard_sessions",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("user", sa.String(200), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("sites", sa.String(2000)),
    sa.Column("method", sa.String(20), nullable=False),
    sa.Column("credential", sa.String(64), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)
"""Who is signed in. The token itself is in the cookie alone; `sites` is a JSON list, None for all sites."""

protection_choices = sa.Table(
    "protection_choices",
    metadata,
    sa.Column("name", sa.String(50), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
)
"""What operators have chosen in place of the configured protection; it counts only where it is stricter."""
