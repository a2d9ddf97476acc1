"""Live pictures with faces: who looked at which camera, in the audit log, before a picture is shown."""

from __future__ import annotations

import sqlalchemy as sa

from common.access import Actor
from storage import audit

ACTION = "live.unblurred"


def record_unblurred(engine: sa.Engine, actor: Actor, camera_id: str, minutes: int) -> None:
    """Record that the actor watches a camera without blurred faces, for so many minutes from now.

    Raises AccessDenied for analysts, and DatabaseError where it cannot be recorded.
    """
    actor.require_operator("see faces in live pictures")
    with engine.begin() as connection:
        audit.record(connection, actor, ACTION, camera_id, {"minutes": minutes})
