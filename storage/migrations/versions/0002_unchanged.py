"""Pictures that did not change and were not published, per camera and minute."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Add the count; minutes that are already stored have none."""
    op.add_column(
        "camera_minutes", sa.Column("unchanged", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    )
