"""The source that each camera id belongs to, also after the camera was removed."""

import sqlalchemy as sa
from alembic import op

from common.redaction import redact_source
from common.source_identity import identify
from common.source_parts import find_literal_secret

revision, down_revision = "0006", "0005"


def upgrade() -> None:
    """Create the table; ids of removed cameras, of which only results are left, have an unknown source."""
    identities = op.create_table(
        "camera_identities",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("identity", sa.String(64), nullable=False),
    )
    connection = op.get_bind()
    found = dict.fromkeys(_ids(connection, "camera_minutes") | _ids(connection, "visit_minutes"), "")
    for camera_id, source in connection.execute(sa.text("SELECT id, source FROM cameras")):
        found[camera_id] = identify(redact_source(source) if find_literal_secret(source) else source)
    if found:
        op.bulk_insert(identities, [{"camera_id": key, "identity": found[key]} for key in sorted(found)])


def _ids(connection: sa.Connection, table: str) -> set[str]:
    return set(connection.execute(sa.text(f"SELECT DISTINCT camera_id FROM {table}")).scalars())
