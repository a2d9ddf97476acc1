"""Who uses the dashboard: the actor of the session that is being served."""

from __future__ import annotations

from common.access import LOCAL, Actor


def current_actor() -> Actor:
    """The actor of this session: `LOCAL` where the dashboard has no sign-in and listens on loopback."""
    return LOCAL
