"""Cameras in whose pictures small faces are searched."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0007", "0006"


def upgrade() -> None:
    """Add the choice; the cameras so far are not searched for small faces."""
    op.add_column("cameras", sa.Column("thorough", sa.Boolean, nullable=False, server_default=sa.false()))
