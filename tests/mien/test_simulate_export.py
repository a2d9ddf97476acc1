"""`mien simulate` and `mien export`: what they refuse, and the files that result."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.access import LOCAL
from mien.cli.app import app
from mien.errors import SettingsError
from storage.engine import open_database
from storage.protection import Protection, change_protection
from storage.writer import Writer
from tests.support.databases import results, visit


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_TIMEZONE", "UTC")
    return f"sqlite:///{tmp_path}/mien.db"


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


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
