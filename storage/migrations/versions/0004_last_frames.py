"""The last processed frame of each opening of a camera source, and counts of frames that it refuses."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0004", "0003"


def upgrade() -> None:
    """Create the table and add the counts; minutes that are already stored have none."""
    op.create_table(
        "last_frames",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("epoch", sa.BigInteger, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("analysed", sa.Boolean, nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
    )
    for table in ("camera_minutes", "camera_hours", "camera_days"):
        for name in ("superseded", "repeated"):
            count = sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0"))
            op.add_column(table, count)
