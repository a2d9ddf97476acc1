"""Locked versions with hashes are all that is installed; they agree with what is declared and tested."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_dependencies import CORE, DEV, ROOT, TRAIN

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"(?m)^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\$")
HASH = re.compile(r"(?m)^    --hash=sha256:([0-9a-f]{64})(?: \\)?$")
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}


def blocks(lock: Path) -> dict[str, str]:
    """The text of each package in a lock: its version and its hashes."""
    _, *parts = re.split(r"(?m)^(?=[A-Za-z0-9])", lock.read_text())
    return {canonicalize_name(re.split(r"[=\[]", part)[0]): part for part in parts}


def versions(lock: Path) -> dict[str, str]:
    return {canonicalize_name(found["name"]): found["version"] for found in PIN.finditer(lock.read_text())}


def markers(lock: Path) -> dict[str, Marker]:
    found = PIN.finditer(lock.read_text())
    return {canonicalize_name(each["name"]): Marker(each["marker"]) for each in found if each["marker"]}


def lock(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_has_versions_hashes_and_markers_alone(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("--only-binary :all:\n")
    assert re.search(r"(?i)https?:|//|--(?:index|extra|find|trusted)", text) is None, "no download address"
    for name, part in blocks(path).items():
        pin, *hashes = part.rstrip().splitlines()
        assert PIN.match(f"{pin}\n"), f"{path.name}: {name}: no exact version"
        assert hashes, f"{path.name}: {name}: no hash"
        assert all(HASH.fullmatch(line) for line in hashes), f"{path.name}: {name}"


def test_every_lock_exists() -> None:
    assert [path.stem for path in LOCKS] == ["build", "dev", "runtime", "tools"]


def test_the_runtime_is_a_part_of_the_development_environment() -> None:
    runtime, dev = blocks(lock("runtime")), blocks(lock("dev"))
    assert {name: part for name, part in runtime.items() if dev.get(name) != part} == {}
    assert versions(lock("build")).items() <= versions(lock("dev")).items()


@pytest.mark.parametrize(("name", "declared"), [("runtime", CORE), ("dev", CORE | TRAIN | DEV)])
def test_a_lock_has_every_declared_package_in_an_accepted_version(
    name: str, declared: dict[str, Requirement]
) -> None:
    locked = versions(lock(name))
    for package, requirement in declared.items():
        assert package in locked, f"{package}: run `make lock`"
        assert requirement.specifier.contains(locked[package]), f"{package}: run `make lock`"


def test_the_locks_have_the_versions_that_are_tested() -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    tested = {
        canonicalize_name(name): version for name, _, version in (each.partition("==") for each in lines)
    }
    locked = versions(lock("dev"))
    assert {name: version for name, version in tested.items() if locked.get(name) != version} == {}
    further = locked.keys() - tested.keys() - {"setuptools", "wheel"}
    elsewhere = {name for name, marker in markers(lock("dev")).items() if not marker.evaluate(LINUX)}
    assert further <= elsewhere, "a package that is installed here is not in constraints.txt"


def test_wheels_of_other_systems_have_hashes_too() -> None:
    """A package with compiled code has a wheel for each system and Python."""
    for name in ("numpy", "opencv-python", "onnxruntime", "av"):
        assert len(HASH.findall(blocks(lock("runtime"))[name])) > 5, name


@pytest.mark.parametrize(("path", "least"), [("Makefile", 4), ("Dockerfile", 2)])
def test_nothing_is_installed_without_hashes(path: str, least: int) -> None:
    text = (ROOT / path).read_text().replace("\\\n", " ")
    installing = re.findall(r"(?:pip|\$\(PIP\))[^\n&|]* install [^\n&|]*", text)
    packages = [line for line in installing if "--no-deps" not in line]
    assert len(packages) >= least
    assert all("--require-hashes -r" in line for line in packages), packages
    ours = [line for line in installing if "--no-deps" in line]
    assert all("--no-build-isolation" in line for line in ours), "an isolated build downloads what it likes"


def test_the_build_is_locked() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = versions(lock("build"))
    for requirement in map(Requirement, needed):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)])


def test_continuous_integration_installs_by_the_makefile_alone() -> None:
    assert not re.search(r"\bpip3? ", (ROOT / ".ci" / "run").read_text())
