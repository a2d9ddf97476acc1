"""What an analyst does in a browser: judge an event, take figures away, and open addresses that are wrong."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Locator, expect

from bus.messages import MINUTE_US
from common.access import LOCAL
from common.clock import wall_clock_us
from dashboard.theme import EXPRESSIONS
from storage.engine import open_database
from storage.local_time import HOUR_US, day_start
from storage.registry import CameraRegistry
from storage.simulation.load import load_history
from storage.simulation.scenario import CAMPAIGN_HAPPINESS, CAMPAIGN_VISITS, create_scenario
from storage.writer import Writer
from tests.support.browser import PATIENCE_MS, OpenPage, chromium, dashboard, visit
from tests.support.drawn import Rows, wait_for_drawn
from tests.support.processes import mien
from tests.support.shop import Shop

pytestmark = pytest.mark.timeout(600)

BERLIN = ZoneInfo("Europe/Berlin")
LAST = date(2026, 3, 31)
"""The last day of the history: its days, and so every figure of them, are the same whenever the test runs."""
DAYS, CAMERAS = 70, 6
SETTINGS = {"timezone": BERLIN.key, "suppress_below": 10, "refresh_seconds": 3600}
"""Pages are not drawn again while they are read: on a busy machine this would take longer than the test."""

CAMPAIGN, WITHOUT_EFFECT = "Loyalty campaign", "New shelf labels"

SHARES = tuple(f"expression_{label}" for label in EXPRESSIONS)
CHARTS = {f"Share of {label} over time": (f"expression_{label}", 100) for label in EXPRESSIONS} | {
    "Mean dwell over time": ("dwell_s", 1),
    "Mood index over time": ("mood", 1),
    "Engagement over time": ("engagement", 100),
    "Share of perceived women over time": ("gender_female", 100),
}
"""Charts of a value with its interval: the column of the export, and the factor to the unit of the chart."""


EXPECTED_ERRORS = ("status of 404", "page that you have requested does not seem to exist")
"""Streamlit's page looks for its server below its own path first, and notes an unknown page."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with what `mien simulate` stores on the afternoon of the last day."""
    url = f"sqlite:///{tmp_path_factory.mktemp('history')}/mien.db"
    engine = open_database(url)
    scenario = create_scenario(DAYS, CAMERAS, seed=1, today=LAST)
    load_history(engine, scenario, BERLIN.key, day_start(LAST, BERLIN) + 15 * HOUR_US)
    engine.dispose()
    return url


@pytest.fixture(scope="module")
def url(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dashboard(tmp_path_factory.mktemp("dashboard"), database, **SETTINGS) as address:
        yield address


def assert_no_error(opened: OpenPage) -> None:
    """Neither the page nor the console has an error of the program."""
    opened.settle()
    assert opened.page.get_by_test_id("stException").count() == 0
    assert opened.page.get_by_text("Traceback").count() == 0
    assert [error for error in opened.errors if not any(words in error for words in EXPECTED_ERRORS)] == []


@pytest.fixture(scope="module")
def compare(browser: Browser, url: str) -> Iterator[OpenPage]:
    """The page Compare with the comparison of events."""
    with visit(browser, f"{url}/compare") as opened:
        opened.page.get_by_role("radio", name="Before and after an event").or_(
            opened.page.get_by_test_id("stButtonGroup").get_by_role("button", name="Before and after")
        ).first.click()
        opened.wait_for_text("matched by weekday and hour")
        yield opened
        assert_no_error(opened)


def test_the_known_effect_of_a_campaign_is_in_the_intervals_of_clear_changes(compare: OpenPage) -> None:
    cells = compared_event(compare, CAMPAIGN)
    visits, happiness = cells["Visits per camera and hour"], cells["Happiness"]
    assert (visits["Verdict"], happiness["Verdict"]) == ("▲ up", "▲ up")
    (before,) = numbers(visits["B"])
    low, high = numbers(visits["95 % interval"])
    assert before + low < CAMPAIGN_VISITS * before < before + high
    low, high = numbers(happiness["95 % interval"])
    assert low < 100 * CAMPAIGN_HAPPINESS < high


def test_an_event_without_effect_has_no_clear_change_in_any_row(compare: OpenPage) -> None:
    cells = compared_event(compare, WITHOUT_EFFECT)
    assert len(cells) > 10
    assert {row["Verdict"] for row in cells.values()} == {"no clear change"}


def compared_event(compare: OpenPage, name: str) -> Mapping[str, Mapping[str, str]]:
    """Choose an event; the cells of the table by row and column."""
    page = compare.page
    page.get_by_role("combobox", name="Event").click()
    page.get_by_role("option", name=name).click()
    page.locator("ul.sides").filter(has_text=f"A {name}").wait_for()
    compare.settle()
    return {
        row["Figure"]: row for row in (_cells(row) for row in page.locator("table.compared tbody tr").all())
    }


def _cells(row: Locator) -> dict[str, str]:
    found: dict[str, str] = row.evaluate(
        "row => Object.fromEntries([...row.cells].map(cell => [cell.dataset.label, cell.innerText.trim()]))"
    )
    return found


def numbers(text: str) -> list[float]:
    """The numbers of a text, whose minus sign is a real one."""
    return [float(each) for each in re.findall(r"[-+]?\d+(?:\.\d+)?", text.replace("\u2212", "-"))]


@pytest.mark.parametrize(
    ("by", "cameras", "first", "last", "slots"),
    [
        # The shop is closed at night and on Sundays. On the second day the clock changes.
        ("hour", {"sim-01": "Entrance Harbour Street"}, "2026-03-28", "2026-03-29", 24 + 23),
        # The last day is not watched to its end.
        (
            "day",
            {"sim-02": "Aisle Harbour Street", "sim-04": "Checkout Harbour Street"},
            *("2026-03-05", f"{LAST}", 27),
        ),
    ],
)
def test_what_is_drawn_is_what_is_downloaded_and_what_the_command_line_exports(
    by: str,
    cameras: dict[str, str],
    first: str,
    last: str,
    slots: int,
    browser: Browser,
    url: str,
    database: str,
    tmp_path: Path,
) -> None:
    chosen = {"period": "Dates", "dates": [first, last], "camera": list(cameras.values()), "by": by}
    with visit(browser, f"{url}/trends?{urlencode(chosen, doseq=True)}") as opened:
        opened.page.get_by_label(f"Stacked expression shares, {slots} slots", exact=True).wait_for(
            timeout=2 * PATIENCE_MS
        )
        opened.wait_for_charts(16)
        table, columns = (downloaded(opened, name, tmp_path) for name in ("CSV", "Parquet"))
        rows = list(csv.DictReader(io.StringIO(without_description(table.read_text()))))
        assert len(rows) == slots
        wait_for_drawn(opened, expected_charts(rows), compared_charts)
        assert_no_error(opened)

    stored = pq.read_table(columns)
    assert [{name: text_of(value) for name, value in row.items()} for row in stored.to_pylist()] == rows
    for path in (table, columns):
        out = tmp_path / f"exported{path.suffix}"
        arguments = [f"--camera={camera}" for camera in cameras]
        exported = mien(
            tmp_path,
            *("export", out, "--from", first, "--to", last, "--by", by, *arguments),
            *("--database", database),
            variables={"MIEN_TIMEZONE": BERLIN.key},
        )
        assert exported.returncode == 0, exported.stderr
        assert contents(path) == contents(out)


def downloaded(opened: OpenPage, button: str, folder: Path) -> Path:
    """The file of a download button."""
    with opened.page.expect_download() as download:
        opened.page.get_by_test_id("stDownloadButton").filter(has_text=button).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def contents(path: Path) -> object:
    """Rows and description of an export without the time at which it was read."""
    if path.suffix == ".csv":
        return [line for line in path.read_text().splitlines() if not line.startswith("# read at:")]
    table: pa.Table = pq.read_table(path)
    description = json.loads(table.schema.metadata[b"mien"])
    del description["read at"]
    return description, table.to_pylist()


def without_description(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


def text_of(value: object) -> str:
    """A value as CSV has it."""
    return "" if value is None else str(value)


def expected_charts(rows: list[dict[str, str]]) -> dict[str, object]:
    """What the charts draw where the rows of an export are drawn, see `compared_charts`."""
    starts = [datetime.fromisoformat(row["start"]) for row in rows]
    first = starts[0].replace(tzinfo=ZoneInfo("UTC")).timestamp() * 1000
    axis = [round(first + (start - starts[0]).total_seconds() * 1000) for start in starts]
    ends = [
        round((datetime.fromisoformat(row["end"]) - starts[0]).total_seconds() * 1000 + first) for row in rows
    ]
    charts: dict[str, object] = {
        "slots": [
            (start, end, _rounded(row["visits"]), _watched(row["coverage"]))
            for start, end, row in zip(axis, ends, rows, strict=True)
        ],
        "stack": {
            (start, column.removeprefix("expression_")): _rounded(row[column])
            for start, row in zip(axis, rows, strict=True)
            for column in SHARES
            if row[column] and float(row[column])
        },
    }
    for chart, (column, factor) in CHARTS.items():
        charts[chart] = {
            (start + end) // 2: tuple(
                _rounded(row[f"{column}{part}"], 1 if part == "_n" else factor)
                for part in ("", "_low", "_high", "_n")
            )
            for start, end, row in zip(axis, ends, rows, strict=True)
            if row[column]
        }
    return charts


def compared_charts(drawn: dict[str, Rows]) -> dict[str, object]:
    """The drawn values: slots with visits and coverage, parts of the stack, values with interval and n."""
    (stack,) = (rows for name, rows in drawn.items() if name.startswith("Stacked expression shares"))
    charts: dict[str, object] = {
        "slots": sorted(
            {
                (row["start"], row["end"], _rounded(row["visits"]), row["watched"])
                for row in drawn.get("Visits over time", ())
                if "watched" in row
            }
        ),
        "stack": {
            (row["start"], row["label"]): _rounded(row["high"] - row["low"])
            for row in stack
            if "label" in row and "low" in row
        },
    }
    for chart in CHARTS:
        charts[chart] = {
            row["at"]: tuple(_rounded(row[name]) for name in ("value", "low", "high", "n"))
            for row in drawn.get(chart, ())
            if row.get("value") is not None and "at" in row
        }
    return charts


def _rounded(value: object, factor: float = 1) -> float | None:
    """A value to nine digits, since shares are drawn as the difference of two sums."""
    return None if value in {None, ""} else round(float(f"{value}") * factor, 9)


def _watched(coverage: str) -> str:
    """A coverage as it is shown: 0 % and 100 % only where they are exact."""
    if not coverage:
        return "–"
    share = float(coverage)
    ends = {0: "< 1 %", 100: "> 99 %"}
    rounded = round(100 * share)
    return ends[rounded] if rounded in ends and share not in {0.0, 1.0} else f"{rounded} %"


def address_of(page: str, **query: str | list[str]) -> str:
    return f"/{page}?{urlencode(query, doseq=True)}"


DATES = {"period": "Dates"}
WRONG_ADDRESSES = {
    address_of(
        "trends", period="yesterday", camera="nobody", by="century", versus="x", site="x"
    ): "Not observed",
    address_of("compare", kind="everything", event="nothing"): "A against B",
    address_of("live", watch="nobody"): "Paused",
    address_of("trends", **DATES): "Choose the first and the last day of the period",
    address_of("trends", **DATES, dates="nonsense"): "Choose the first and the last day of the period",
    address_of("trends", **DATES, dates=["2026-03-20", "2026-03-10"]): "The last day of the period is before",
    address_of("trends", **DATES, dates=["2019-03-20", "2026-03-10"]): "A period has at most 400 days",
    address_of("trends", **DATES, dates=["2020-03-01", "2020-03-10"]): "Not observed",
    address_of("overview-of-nothing"): "Page not found",
}
"""Addresses that mean nothing, and what the page says."""


@pytest.mark.parametrize("address", WRONG_ADDRESSES)
def test_a_wrong_address_is_explained(address: str, browser: Browser, url: str) -> None:
    with visit(browser, f"{url}{address}") as opened:
        opened.wait_for_text(WRONG_ADDRESSES[address])
        assert_no_error(opened)


def test_a_database_that_nobody_can_write_is_shown_and_changes_are_refused(
    browser: Browser, url: str, database: str
) -> None:
    with read_only(Path(database.removeprefix("sqlite:///"))), visit(browser, f"{url}/events") as opened:
        opened.wait_for_text(CAMPAIGN)
        name = opened.page.get_by_label("Name", exact=True)
        name.fill("Rain")
        name.press("Tab")
        opened.page.get_by_role("button", name="Add", exact=True).click()
        opened.wait_for_text("readonly database")
        opened.page.get_by_role("button", name="Remove").first.click()
        reasons = opened.page.get_by_text("readonly database")
        expect(opened.page.get_by_test_id("stForm").filter(has=reasons)).to_have_count(0)
        expect(reasons).to_have_count(1)
        heading = opened.page.get_by_role("heading", name="Events")
        tops = [each.bounding_box() for each in (heading, reasons)]
        assert tops[0]
        assert tops[1]
        assert tops[0]["y"] < tops[1]["y"], "the reason is beside the button, not in place of the bar"
        assert_no_error(opened)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """A SQLite file that nobody can write, not even a superuser.

    Byte 18 of a file is the version that a writer must know; SQLite 3 knows 1 and 2
    (https://www.sqlite.org/fileformat.html, 1.3.3).
    """

    def write_version(version: int) -> None:
        with path.open("r+b") as file:
            file.seek(18)
            file.write(bytes([version]))

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    write_version(3)
    try:
        yield
    finally:
        write_version(2)


def test_a_page_follows_its_database_from_a_wrong_version_to_the_end_of_a_camera(
    browser: Browser, tmp_path: Path
) -> None:
    path, now = tmp_path / "mien.db", wall_clock_us()
    engine = open_database(f"sqlite:///{path}")
    shop = Shop(visits_per_minute=20)
    shop.register(engine, now - 20 * MINUTE_US)
    shop.write(Writer(engine), now - 20 * MINUTE_US, now)
    right = stored_version(path)
    with dashboard(tmp_path, f"sqlite:///{path}", refresh_seconds=1, suppress_below=1) as url:
        write_version(path, "9999")
        with visit(browser, f"{url}/?period=1+h&camera=Aisle") as opened:
            opened.wait_for_text("newer than this program's")
            write_version(path, "0001")
            opened.wait_for_text("is of an older version; run mien db upgrade")
            write_version(path, right)
            chosen = opened.page.get_by_test_id("stMultiSelect").get_by_text("Aisle", exact=True)
            chosen.wait_for()
            opened.wait_for_charts(5)
            visits = opened.figure("Visits")
            CameraRegistry(engine).remove(LOCAL, "aisle")
            expect(chosen).to_have_count(0, timeout=2 * PATIENCE_MS)
            opened.wait_for_figure("Visits", other_than=visits)
            assert opened.page.get_by_test_id("stException").count() == 0
            assert opened.errors == []
    engine.dispose()


def stored_version(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(version)


def write_version(path: Path, version: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
