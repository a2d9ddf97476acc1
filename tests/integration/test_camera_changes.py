"""Changes of a camera apply while it is captured, in both modes alike: no restart, no new lease, no gap."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bus.messages import OFF
from common.access import LOCAL
from common.masks import make_masks
from storage import tables
from storage.engine import open_database
from storage.registry import CameraRegistry, CameraRow
from tests.integration.test_scaled import Cluster, cluster
from tests.support.buses import KAFKA
from tests.support.processes import running

__all__ = ["cluster"]

PATIENCE_S = 150.0
"""On an idle machine a change applies within 5 s; this one may be busy."""

pytestmark = pytest.mark.timeout(600)


def wait_for(read: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not holds(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def change_while_captured(engine: sa.Engine) -> None:
    """Switch, mask and schedule the camera "door", which is captured, and find each change in the rows."""
    registry = CameraRegistry(engine)
    visits, states = tables.visits.c, tables.camera_states.c
    leases = sa.select(tables.camera_leases.c.token)

    def one(query: sa.Select[Any]) -> Any:
        with engine.connect() as connection:
            return connection.execute(query).first()

    def count(*conditions: Any) -> Callable[[], int]:
        query = sa.select(sa.func.count()).select_from(tables.visits).where(*conditions)
        return lambda: int(one(query)[0])

    wait_for(count(visits.expression != OFF), lambda found: found > 0)
    state = sa.select(states.state, states.reconnects, states.since)
    before = one(state), one(leases)

    registry.set_switches(LOCAL, "door", expression=False, gender=True)
    off = count(visits.expression == OFF, visits.gender != OFF, visits.p_happiness.is_(None))
    wait_for(off, lambda found: found > 0)
    assert (one(state), one(leases)) == before, "the same opening of the source, and the same lease"

    registry.set_masks(LOCAL, "door", make_masks([[0, 0, 1, 1]]))
    # Nothing moves in a black picture: from now on pictures are unchanged.
    minutes = tables.camera_minutes.c
    unchanged = sa.select(sa.func.sum(minutes.unchanged))
    so_far = int(one(unchanged)[0] or 0)
    wait_for(lambda: int(one(unchanged)[0] or 0), lambda found: found >= so_far + 20)
    assert (one(state), one(leases)) == before

    now = datetime.now(UTC)
    later = f"{now + timedelta(hours=2):%H}:00-{now + timedelta(hours=3):%H}:00"
    registry.set_schedule(LOCAL, "door", later)
    wait_for(lambda: one(state)[0], lambda found: found == "not scheduled")
    registry.set_schedule(LOCAL, "door", "")
    wait_for(lambda: one(state)[0], lambda found: found == "online")
    assert one(leases) == before[1], "the lease is kept while nothing is captured"


@pytest.mark.parametrize("mode", ["one process", pytest.param("many processes", marks=KAFKA)])
def test_changes_apply_while_a_camera_is_captured(
    mode: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    variables = {"MIEN_TIMEZONE": "UTC", "MIEN_WORKERS": "1", "MIEN_MAX_FRAME_AGE": "60"}
    commands: tuple[tuple[str, ...], ...]
    if mode == "one process":
        engine = open_database(f"sqlite:///{tmp_path}/mien.db")
        variables["MIEN_DATABASE"] = f"sqlite:///{tmp_path}/mien.db"
        commands = (("run", "--no-dashboard"),)
    else:
        many: Cluster = request.getfixturevalue("cluster")
        engine, variables = many.engine, variables | many.variables
        commands = (("work",), ("ingest",))
    CameraRegistry(engine).add(LOCAL, CameraRow("door", "demo://entrance", fps=2.0))
    with ExitStack() as processes:
        for command in commands:
            processes.enter_context(running(tmp_path, *command, variables=variables))
        change_while_captured(engine)
    engine.dispose()
