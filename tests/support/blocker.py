"""`python -m tests.support.blocker NAME,... [ARGUMENT]...`: pytest where some packages are not installed."""

from __future__ import annotations

import sys
from typing import Any

import pytest


class HidingFinder:
    """A finder of modules that does not find packages of these names."""

    def __init__(self, finder: Any, names: frozenset[str]) -> None:
        self._finder = finder
        self._names = names

    def find_spec(self, name: str, *arguments: Any) -> Any:
        return None if name.partition(".")[0] in self._names else self._finder.find_spec(name, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def main() -> None:
    """Run pytest with the arguments after the names."""
    names = frozenset(sys.argv[1].split(","))
    sys.meta_path[:] = [HidingFinder(each, names) for each in sys.meta_path]
    sys.exit(pytest.main(sys.argv[2:]))


if __name__ == "__main__":
    main()
