"""What is known, seen and estimated of each camera; the probabilities of a visit may be missing."""

import re

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0009", "0008"

_EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_PROBABILITIES = (*(f"p_{name}" for name in _EXPRESSIONS), "p_female")
_LABELS, _GENDERS = (*_EXPRESSIONS, "unknown", "off"), ("female", "male", "unknown", "off")


def upgrade() -> None:
    """Add the columns. Every camera so far has no masks, and both estimates are made."""
    for column in (
        sa.Column("purpose", sa.String(500), nullable=False, server_default=sa.text("''")),
        sa.Column("notice_at", sa.String(10), nullable=False, server_default=sa.text("''")),
        sa.Column("masks", sa.String(2000), nullable=False, server_default=sa.text("''")),
        sa.Column("read_expression", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("read_gender", sa.Boolean, nullable=False, server_default=sa.true()),
    ):
        op.add_column("cameras", column)
    op.add_column(
        "camera_states",
        sa.Column("recent_reconnects", sa.Integer, nullable=False, server_default=sa.text("0")),
    )
    for table in ("camera_hours", "camera_days"):
        for name in _new_counts():
            op.add_column(table, sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0")))
    op.create_index("camera_drops_by_camera", "camera_drops", ["camera_id", "minute"])
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("cameras", "open_hours", type_=sa.String(500))
        for table in ("visits", "observations"):
            for name in _PROBABILITIES:
                op.alter_column(table, name, nullable=True)
    else:
        _redefine("cameras", r"\bopen_hours VARCHAR\(200\)", "open_hours VARCHAR(500)")
        for table in ("visits", "observations"):
            _redefine(table, rf"\b({'|'.join(_PROBABILITIES)}) FLOAT NOT NULL", r"\1 FLOAT")


def _new_counts() -> list[str]:
    return [f"n_{one}_{other}" for one in _LABELS for other in _GENDERS if "off" in (one, other)]


def _redefine(table: str, pattern: str, replacement: str) -> None:
    """Change a definition of SQLite that does not concern how rows are stored.

    SQLite has no statement for it; its documentation (lang_altertable, section 7) names this procedure.
    """
    connection = op.get_bind()
    query = sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = :table")
    before = str(connection.execute(query, {"table": table}).scalar_one())
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    change = sa.text("UPDATE sqlite_schema SET sql = :after WHERE type = 'table' AND name = :table")
    connection.execute(change, {"after": re.sub(pattern, replacement, before), "table": table})
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")
