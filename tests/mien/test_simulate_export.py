"""`mien simulate` and `mien export`: what they refuse, and the files that result."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from common.access import LOCAL
from mien.cli import demo
from mien.cli.app import app
from mien.errors import SettingsError
from mien.settings import load
from storage.engine import open_database
from storage.protection import Protection, change_protection
from storage.registry import CameraRegistry, CameraRow
from storage.simulation.load import has_simulated_visits
from storage.writer import Writer
from tests.support.databases import results, visit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_TIMEZONE", "UTC")
    return f"sqlite:///{tmp_path}/mien.db"


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("zone", ["CET-1CEST,M3.5.0,M10.5.0/3", ":Europe/Berlin"])
def test_a_history_is_simulated_in_every_documented_kind_of_time_zone(
    url: str, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("MIEN_TIMEZONE", zone)
    assert "simulated visits" in call("simulate", "--days", "2", "--cameras", "1", "--database", url)


def test_the_history_of_the_demo_is_simulated_in_a_time_zone_by_rule(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_TIMEZONE", "CET-1CEST,M3.5.0,M10.5.0/3")
    monkeypatch.setattr(demo, "HISTORY_DAYS", 2)
    demo._seed(load(database=url), Console(quiet=True))
    engine = open_database(url)
    assert has_simulated_visits(engine)
    engine.dispose()


def test_time_zones_of_settings_are_opened_in_one_place() -> None:
    """`ZoneInfo(name)` knows no file and no rule; a constant name is fine."""
    packages = ("common", "bus", "media", "ingest", "inference", "storage", "dashboard", "mien")
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if path != ROOT / "common" / "timezones.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
        and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) == "ZoneInfo"
        and not all(isinstance(each, ast.Constant) for each in node.args)
    ]
    assert wrong == [], "use common.timezones.open_timezone"


def test_a_simulated_history_is_exported_with_its_label(url: str, tmp_path: Path) -> None:
    output = call("simulate", "--days", "3", "--cameras", "2", "--database", url)
    assert "simulated visits of 2 cameras" in output
    first, last = output.split(" from ")[1].split(". Show")[0].split(" to ")
    file = tmp_path / "days.csv"
    options = ("--from", first, "--to", last, "--database", url)
    assert "3 rows (simulated data)" in call("export", str(file), *options)
    assert "# data: simulated data" in file.read_text()
    call("export", str(tmp_path / "one.parquet"), *options, "--camera", "sim-01", "--by", "hour")
    engine = open_database(url)
    change_protection(engine, LOCAL, Protection(10, 400, 30, 400), {"suppress_below": 1000})
    engine.dispose()
    call("export", str(tmp_path / "stricter.csv"), *options)
    assert "groups of at least 10:" in file.read_text()
    assert "groups of at least 1000:" in (tmp_path / "stricter.csv").read_text()
    for wrong, problem in (
        (("--camera", "nobody"), "--camera nobody: is not registered"),
        (("--site", "nowhere"), "--site nowhere"),
        (("--by", "century"), "--by century: expected one of minute"),
    ):
        with pytest.raises(SettingsError, match=problem):
            call("export", str(file), *options, *wrong)
    engine = open_database(url)
    CameraRegistry(engine).add(LOCAL, CameraRow("other", "demo://shelf", site="Elsewhere"))
    engine.dispose()
    with pytest.raises(SettingsError, match="none of these cameras is at this site"):
        call("export", str(file), *options, "--camera", "sim-01", "--site", "Elsewhere")
    with pytest.raises(SettingsError, match="ends before it starts"):
        call("export", str(file), "--from", last, "--to", first, "--database", url)
    with pytest.raises(SettingsError, match=r"\.csv or \.parquet"):
        call("export", str(tmp_path / "days.xlsx"), *options)


def test_a_database_with_real_visits_is_refused(url: str) -> None:
    engine = open_database(url)
    Writer(engine).write(results([visit("v1", closed=True)]), {})
    engine.dispose()
    with pytest.raises(SettingsError, match=r"has visits of real cameras.* add --force"):
        call("simulate", "--days", "2", "--cameras", "1", "--database", url)
    assert "simulated visits" in call(
        "simulate", "--days", "2", "--cameras", "1", "--database", url, "--force"
    )
