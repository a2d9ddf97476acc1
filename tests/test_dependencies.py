"""What is imported is declared, what is declared is used and was tested, and what the wheel contains."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mien.installation import PACKAGES

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
OURS = {*PACKAGES, "benchmarks", "supply_chain", "tests"}
SYSTEM = {"gi"}
"""Of Debian's python3-gi, for the RTSP server of the tests: it runs in the system's interpreter."""
NOT_IMPORTED = {
    "import-linter": "command",
    "mypy": "command",
    "pre-commit": "command",
    "ruff": "command",
    "pytest-timeout": "plug-in of pytest",
    "pytest-xdist": "plug-in of pytest",
    "types-pyyaml": "types for mypy",
    "jax": "backend of Keras",
    "tensorflow-cpu": "backend of Keras",
}
"""Declared and never imported by name, with the reason."""


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(*texts: str) -> dict[str, Requirement]:
    return {normalized(each.name): each for each in map(Requirement, texts)}


CORE = requirements(*PROJECT["project"]["dependencies"])
TRAIN = requirements(*EXTRAS["train"], *EXTRAS["accelerator"])
DEV = requirements(*EXTRAS["dev"])


def imported(folders: Iterable[str]) -> dict[str, set[str]]:
    """Distributions that the modules of these folders import, each with the modules that do."""
    owners = packages_distributions()
    found: dict[str, set[str]] = {}
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for name in top_level_imports(path):
            if name not in OURS | SYSTEM and name not in sys.stdlib_module_names and name != "_typeshed":
                for owner in owners.get(name, [name])[:1]:
                    found.setdefault(normalized(owner), set()).add(str(path.relative_to(ROOT)))
    return found


def top_level_imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


RUNTIME = [name for name in PACKAGES if name != "training"]


@pytest.mark.parametrize(
    ("folders", "declared"),
    [
        (RUNTIME, CORE),
        (["training"], CORE | TRAIN),
        (["benchmarks", "supply_chain", "tests"], CORE | TRAIN | DEV),
    ],
    ids=["runtime", "training", "development"],
)
def test_every_imported_distribution_is_declared(
    folders: list[str], declared: dict[str, Requirement]
) -> None:
    undeclared = {name: files for name, files in imported(folders).items() if name not in declared}
    assert undeclared == {}


def test_every_declared_distribution_is_imported() -> None:
    used = imported([*PACKAGES, "benchmarks", "tests"])
    unused = {name for name in CORE | TRAIN | DEV if name not in used and name not in NOT_IMPORTED}
    assert unused == set()


def test_an_undeclared_import_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    from attrs import define\n    return define\n")
    assert top_level_imports(tmp_path / "a.py") == {"attrs"}
    assert "attrs" not in CORE | TRAIN | DEV


def test_lower_bounds_are_the_tested_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    tested = {normalized(name): version for name, _, version in (line.partition("==") for line in lines)}
    for name, requirement in (CORE | TRAIN | DEV).items():
        bounds = {each.operator: each.version for each in requirement.specifier}
        assert bounds[">="].rstrip(".0") == tested[name].rstrip(".0"), f"{name}: see CONTRIBUTING.md"


def test_kafka_python_has_an_upper_bound_while_its_private_attributes_are_used() -> None:
    assert any(each.operator == "<" for each in CORE["kafka-python"].specifier)


def test_the_wheel_contains_mien_and_nothing_for_development() -> None:
    patterns = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    folders = [path.parent.name for path in ROOT.glob("*/__init__.py")]
    packages = {name for name in folders if any(fnmatch(name, pattern) for pattern in patterns)}
    assert packages == set(PACKAGES)
    assert set(folders) - packages == {"benchmarks", "supply_chain", "tests"}


def test_the_package_index_refuses_an_upload() -> None:
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]
