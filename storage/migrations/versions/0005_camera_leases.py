"""Which process captures each camera, and the processes that capture."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0005", "0004"


def upgrade() -> None:
    """Create the tables; no camera has a lease yet."""
    op.create_table(
        "camera_leases",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("process", sa.String(200), nullable=False),
        *_integers("token", "next_token", "renewed_at", "expires_at"),
    )
    op.create_table(
        "capture_processes",
        sa.Column("holder", sa.String(32), primary_key=True),
        sa.Column("process", sa.String(200), nullable=False),
        sa.Column("shares", sa.Boolean, nullable=False),
        *_integers("renewed_at", "expires_at"),
    )


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]
