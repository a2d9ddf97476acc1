"""Time zones by name, file and rule, and the time zone of this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest

from common import timezones
from common.timezones import UnknownTimezone, find_local_timezone, open_timezone

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = [datetime(2026, month, 1, 12, tzinfo=UTC) for month in range(1, 13)]
MOMENTS += [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in range(3)]


def berlin_file() -> Path:
    """Berlin's file in the database of this machine."""
    found = [Path(folder, "Europe/Berlin") for folder in TZPATH if Path(folder, "Europe/Berlin").is_file()]
    if not found:
        pytest.skip("this machine has no files of time zones")
    return found[0]


def assert_berlin(name: str) -> None:
    zone = open_timezone(name)
    for moment in MOMENTS:
        local, expected = moment.astimezone(zone), moment.astimezone(BERLIN)
        assert (local.replace(tzinfo=None), local.fold) == (expected.replace(tzinfo=None), expected.fold)


@pytest.mark.parametrize(
    "name",
    ["Europe/Berlin", ":Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0/2,M10.5.0/3"],
)
def test_names_and_rules_give_the_same_times(name: str) -> None:
    assert_berlin(name)


def test_a_file_gives_the_times_of_its_name() -> None:
    assert_berlin(str(berlin_file()))


@pytest.mark.parametrize(
    ("rule", "hours"),
    [("JST-9", 9), ("UTC0", 0), ("<+0330>-3:30", 3.5), ("EST5", -5), ("NZST-12NZDT", 12)],
)
def test_a_rule_without_dates_is_read(rule: str, hours: float) -> None:
    offset = datetime(2026, 1, 1, tzinfo=UTC).astimezone(open_timezone(rule)).utcoffset()
    assert offset is not None
    assert offset.total_seconds() == hours * 3600


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nonsense",
        "Mars/Olympus",
        "../passwd",
        "/etc/passwd",
        "/nowhere",
        "/",
        "Europe",
        "CET-1CEST,bad",
        "CET-1\nCEST",
        "x" * 65,
        "CET-1CEST,M3.5.0,M10.5.0/3" + " " * 50,
    ],
)
def test_anything_else_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UnknownTimezone, match="expected an IANA time zone") as caught:
        open_timezone(name)
    assert "\n" not in str(caught.value)


@pytest.fixture
def localtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The path of this machine's /etc/localtime, which does not exist yet; TZ is not set."""
    monkeypatch.delenv("TZ", raising=False)
    with tempfile.TemporaryDirectory() as folder:  # A short path, as that of the real one.
        path = Path(folder) / "localtime"
        monkeypatch.setattr(timezones, "LOCALTIME", path)
        yield path


def test_a_link_into_the_database_gives_its_name(localtime: Path) -> None:
    localtime.symlink_to(berlin_file())
    assert find_local_timezone().name == "Europe/Berlin"


@pytest.mark.parametrize("folder", ["posix", "right"])
def test_a_link_into_a_variant_of_the_database_gives_the_name(localtime: Path, folder: str) -> None:
    localtime.symlink_to(f"/nowhere/zoneinfo/{folder}/Europe/Berlin")
    assert timezones._name_in_database(localtime) == "Europe/Berlin"


def test_a_mounted_file_is_read(localtime: Path) -> None:
    localtime.write_bytes(berlin_file().read_bytes())
    found = find_local_timezone()
    assert found.problem == ""
    assert_berlin(found.name)


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Europe/Berlin", "Europe/Berlin"),
        (":/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/posix/Europe/Berlin", "Europe/Berlin"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0,M10.5.0/3"),
        ("", "UTC"),
        (":", "UTC"),
    ],
)
def test_the_variable_is_read_as_posix_says(
    localtime: Path, monkeypatch: pytest.MonkeyPatch, named: str, name: str
) -> None:
    monkeypatch.setenv("TZ", named)
    found = find_local_timezone()
    assert (found.name, found.problem) == (name, "")


def test_a_variable_that_names_nothing_is_reported(localtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Mars/Olympus")
    found = find_local_timezone()
    assert found.name == "UTC"
    assert "TZ='Mars/Olympus' is not a time zone" in found.problem


def test_a_machine_without_a_time_zone_is_reported(localtime: Path) -> None:
    assert "no TZ, so hours and days are in UTC" in find_local_timezone().problem
    localtime.write_bytes(b"no time zone")
    assert "is not a time zone" in find_local_timezone().problem
