"""What `mien doctor` says of this machine, and of one that lacks something."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mien import checks
from mien.settings import load
from tests.support.processes import free_port


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIEN_DATABASE", raising=False)


def test_a_machine_that_runs_the_tests_lacks_nothing_essential(tmp_path: Path) -> None:
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


def test_whatever_is_not_ok_says_how_to_get_it(tmp_path: Path) -> None:
    for check in checks.all_checks(load(), tmp_path):
        assert check.found
        assert check.fix or check.state == "ok", check


def test_a_port_in_use_is_missing() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        check = checks.port(load(dashboard_port=other.getsockname()[1]))
    assert check.state == "missing"
    assert "choose another" in check.fix


def test_what_is_no_database_is_missing_and_shows_no_password(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("this is no database, and too long for an empty one" * 20)
    assert checks.database(load(database="sqlite:///a.db")).state == "missing"
    away = checks.database(load(database="postgresql://u:hunter2@127.0.0.1:1/d"))
    assert away.state == "missing"
    assert "hunter2" not in away.found + away.fix


@pytest.mark.parametrize("url", ["no url", "postgresql://u:hunter2@host:port/d", "mysql://u:hunter2@host/d"])
def test_what_is_no_database_url_is_a_finding_among_others(url: str, tmp_path: Path) -> None:
    found = checks.all_checks(load(database=url, dashboard_port=free_port()), tmp_path)
    (check,) = [check for check in found if check.what == "database"]
    assert check.state == "missing"
    assert "write sqlite:///FILE" in check.found
    assert check.fix
    assert "hunter2" not in check.found + check.fix


def test_a_model_that_is_not_there_is_missing(tmp_path: Path) -> None:
    check = checks.models(detector=tmp_path / "none.onnx")
    assert check.state == "missing"
    assert "none.onnx" in check.found
