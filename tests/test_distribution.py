"""The distribution of tests over parallel workers: every name in it exists, and groups are as intended."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.distribution import GROUPS, LONGEST_FIRST, TESTS, group_of


def test_every_file_and_test_that_the_distribution_names_exists() -> None:
    parts = [part for group in GROUPS.values() for part in group]
    parts += [group for group in LONGEST_FIRST if group not in GROUPS]
    assert len(parts) == len(set(parts))
    for part in parts:
        file, _, name = part.partition("::")
        assert f"def {name}" in (TESTS / file).read_text(), part


@pytest.mark.parametrize(
    ("node_id", "group"),
    [
        ("tests/bus/test_codec.py::test_a_frame", "bus/test_codec.py"),
        ("tests/bus/test_contract.py::test_a_frame[kafka]", "kafka"),
        ("tests/training/test_fit.py::test_every_architecture_trains[paper_cnn]", "architectures"),
        ("tests/training/test_fit.py::test_history", "training/test_fit.py"),
        ("tests/dashboard/test_pages.py::TestOverview::test_figures", "dashboard/test_pages.py"),
    ],
)
def test_a_test_belongs_to_the_group_of_its_file_or_name(node_id: str, group: str) -> None:
    assert group_of(node_id) == group


def test_pytest_xdist_still_asks_for_the_group_of_a_test() -> None:
    assert callable(LoadScopeScheduling._split_scope), "a private method that GroupScheduling overrides"
