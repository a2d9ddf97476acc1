"""How tests are distributed over the workers of pytest-xdist (`pytest -n 4 --dist loadscope`).

All tests of a group run on the same worker, one after another. A group is one file, since module fixtures are
costly, except for the files and tests that `GROUPS` names. Long groups start first, so that no worker begins
one when the others have nothing left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).parents[1]

GROUPS: Mapping[str, tuple[str, ...]] = {
    # Live processes: in parallel they would slow one another down until frames are stale.
    "live": (
        "integration/test_scaled.py",
        "integration/test_chaos.py",
        "integration/test_demo.py",
        "integration/test_run.py",
        "integration/test_database_file.py",
        "integration/test_dashboard_process.py",
        "integration/test_privacy.py",
        "integration/test_network.py",
        "benchmarks/test_benchmarks.py",
    ),
    # All of them use one broker.
    "kafka": (
        "integration/test_kafka_reader.py",
        "integration/test_kafka_writer.py",
        "integration/test_kafka_security.py",
        "integration/test_kafka_topics.py",
        "integration/test_kafka_dead_letters.py",
        "integration/test_kafka_retention.py",
        "integration/test_kafka_clocks.py",
        "integration/test_kafka_start.py",
        "integration/test_repeated_frames.py",
        "bus/test_contract.py",
    ),
    # The longest file in two parts.
    "architectures": ("training/test_fit.py::test_every_architecture",),
}
"""Files below tests/, or the beginning of test names in them."""

LONGEST_FIRST = (
    "live",
    "architectures",
    "training/test_fit.py",
    "kafka",
    "integration/test_dashboard_browser.py",
    "integration/test_sign_in.py",
    "integration/test_clips.py",
    "integration/test_training_figures.py",
    "training/test_tuning.py",
    "training/test_backend.py",
    "training/test_comparison.py",
    "ingest/test_supervisor.py",
    "training/test_teachers.py",
    "training/test_detector.py",
    "integration/test_rtsp.py",
    "integration/test_database_tls.py",
    "mien/test_db.py",
    "ingest/test_demo.py",
    "dashboard/test_pages.py",
    "training/test_fer2013_folders.py",
)
"""Groups that take 10 seconds or more."""

_SERVER_FIXTURES = {"running_broker", "postgresql_server", "postgresql_url"}


class GroupScheduling(LoadScopeScheduling):
    """Sends whole groups to workers; `loadgroup` of pytest-xdist 3.8 has no effect with pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def mark_services(items: Iterable[pytest.Item]) -> None:
    """Mark tests whose fixtures need a server as `integration`."""
    for item in items:
        if _SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)


def sort_by_duration(items: list[pytest.Item]) -> None:
    """Sort tests so that the long groups come first."""
    ranks = {group: rank for rank, group in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(group_of(item.nodeid), len(ranks)))


def group_of(node_id: str) -> str:
    """The group of a test, by its node id such as `tests/bus/test_codec.py::test_name[parameter]`."""
    test = node_id.removeprefix("tests/")
    named = (group for group, parts in GROUPS.items() if test.startswith(parts))
    return next(named, test.partition("::")[0])
