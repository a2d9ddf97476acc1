"""Checks of `mien doctor` on this machine, and where something is missing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from common.access import LOCAL
from mien import checks
from mien.protection import configured_protection
from mien.settings import load
from storage.engine import open_database
from storage.protection import change_protection
from tests.support.processes import free_port, mien

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIEN_DATABASE", raising=False)


def test_nothing_essential_is_missing_where_the_tests_run(tmp_path: Path) -> None:
    found = checks.all_checks(load(dashboard_port=free_port()), tmp_path)
    assert [check for check in found if check.state == "missing"] == []
    assert {check.what for check in found} >= {
        "Python",
        "video",
        "models",
        "database",
        "dashboard port",
        "disk",
    }
    assert not (tmp_path / "mien.db").exists(), "nothing is changed"


def test_every_check_that_is_not_ok_names_a_fix(tmp_path: Path) -> None:
    for check in checks.all_checks(load(), tmp_path):
        assert check.found
        assert check.fix or check.state == "ok", check


def test_the_disk_of_the_database_is_looked_at(tmp_path: Path) -> None:
    elsewhere = tmp_path / "data"
    elsewhere.mkdir()
    settings = load(database=f"sqlite:///{elsewhere}/rows/mien.db", dashboard_port=free_port())
    (disk,) = (check for check in checks.all_checks(settings, tmp_path) if check.what == "disk")
    assert disk.found.endswith(f"in {elsewhere}")


def test_a_port_in_use_is_missing() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        check = checks.port(load(dashboard_port=other.getsockname()[1]))
    assert check.state == "missing"
    assert check.found.startswith("dashboard_port ")
    assert check.fix == "choose another with --port or MIEN_DASHBOARD_PORT"


def test_an_address_of_another_machine_is_missing() -> None:
    check = checks.port(load(dashboard_address="192.0.2.1"))
    assert check.state == "missing"
    assert check.found.startswith("dashboard_address 192.0.2.1: ")
    assert check.fix == "choose an address of this machine with MIEN_DASHBOARD_ADDRESS"


def test_an_unusable_database_is_missing_and_its_password_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("this is no database, and too long for an empty one" * 20)
    assert checks.database(load(database="sqlite:///a.db")).state == "missing"
    unreachable = checks.database(load(database="postgresql://u:hunter2@127.0.0.1:1/d"))
    assert unreachable.state == "missing"
    assert "hunter2" not in unreachable.found + unreachable.fix


def test_the_retention_that_applies_is_shown_with_what_operators_chose() -> None:
    settings = load(database="sqlite:///used.db")
    assert checks.protection(settings) == [], "there is no database yet"
    engine = open_database(settings.database)
    (configured,) = checks.protection(settings)
    assert configured.found == "k = 10; visits 400, observations 30, coverage 400, audit log 400 days"
    change_protection(engine, LOCAL, configured_protection(settings), {"suppress_below": 12})
    engine.dispose()
    (stricter,) = checks.protection(settings)
    assert stricter.found.startswith("k = 12; visits 400")
    assert stricter.found.endswith("stricter than configured: suppress_below")


@pytest.mark.parametrize("url", ["no url", "postgresql://u:hunter2@host:port/d", "mysql://u:hunter2@host/d"])
def test_an_invalid_database_url_is_one_of_the_checks(url: str, tmp_path: Path) -> None:
    found = checks.all_checks(load(database=url, dashboard_port=free_port()), tmp_path)
    (check,) = [check for check in found if check.what == "database"]
    assert check.state == "missing"
    assert "write sqlite:///FILE" in check.found
    assert check.fix
    assert "hunter2" not in check.found + check.fix


def test_a_missing_model_file_is_missing(tmp_path: Path) -> None:
    check = checks.models(detector=tmp_path / "none.onnx")
    assert check.state == "missing"
    assert "none.onnx" in check.found


def test_a_foreign_package_of_the_same_name_is_reported_by_every_command(tmp_path: Path) -> None:
    foreign = tmp_path / "site" / "inference"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("")
    for command in (["doctor"], ["cameras", "list"]):
        done = mien(tmp_path, *command, variables={"PYTHONPATH": str(tmp_path / "site")})
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: package inference: found in {foreign}")
        assert len(done.stderr.splitlines()) == 1


def test_the_packages_of_this_installation_are_in_one_folder() -> None:
    check = checks.packages()
    assert check.state == "ok"
    assert "inference" in check.found
    assert str(ROOT) in check.found
