from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.testing.v1 import AppTest

from bus.messages import MINUTE_US
from dashboard import reading
from dashboard.launch import APP
from storage.engine import open_database
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import T0, results, visit
from tests.support.shop import CAMERAS, Shop

BUSY = Shop(visits_per_minute=30)
NOW = T0 + 34_500_000
"""Half past some minute: the time at which all pages are looked at."""


@dataclass
class Database:
    """The database that the pages look for; made by whoever asks for its engine."""

    path: Path
    opened: sa.Engine | None = None

    @property
    def engine(self) -> sa.Engine:
        self.opened = self.opened or open_database(f"sqlite:///{self.path}")
        return self.opened

    @property
    def writer(self) -> Writer:
        return Writer(self.engine)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE": f"sqlite:///{tmp_path}/mien.db",
        "TIMEZONE": "UTC",
        "SUPPRESS_BELOW": "10",
        "REFRESH_SECONDS": "2",
    }.items():
        monkeypatch.setenv(f"MIEN_{name}", value)
    monkeypatch.setattr(reading, "_now_us", lambda: NOW)
    made = Database(tmp_path / "mien.db")
    yield made
    st.cache_resource.clear()
    if made.opened:
        made.opened.dispose()


def shown(at: AppTest | None = None, page: str = "", **query: str) -> AppTest:
    """A page as it is now; with `at`, as it is after the next refresh."""
    if at is None:
        at = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in query.items():
            at.query_params[name] = value
    st.cache_resource.clear()
    at.run()
    if page:
        at.switch_page(f"app_pages/{page}.py").run()
    assert not at.exception
    return at


def figures(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def words(at: AppTest) -> str:
    return "\n".join(
        [each.value for each in (*at.subheader, *at.markdown, *at.caption)]
        + [each.proto.body for each in at.get("html")]
    )


class TestEmptyStates:
    def test_no_database_then_it_comes(self, database: Database) -> None:
        at = shown()
        assert "Waiting for the database" in words(at)
        assert "does not exist yet" in words(at)
        assert not at.metric
        BUSY.register(database.engine, NOW)
        at = shown(at)
        assert "No data yet" in words(at)
        assert "within seconds" in words(at)
        BUSY.write(database.writer, NOW - 5 * MINUTE_US, NOW)
        at = shown(at)
        assert int(figures(at)["Visits"]) > 100
        assert "No data yet" not in words(at)

    def test_a_file_that_is_no_database(self, database: Database) -> None:
        database.path.write_bytes(b"no database at all" * 100)
        assert "not a database" in words(shown())

    def test_a_server_that_does_not_answer(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        assert database
        monkeypatch.setenv("MIEN_DATABASE", "postgresql://mien:s3cret@127.0.0.1:1/mien")
        text = words(shown())
        assert "Waiting for the database" in text
        assert "s3cret" not in text

    def test_a_database_that_fails_while_the_page_is_open(self, database: Database) -> None:
        BUSY.register(database.engine, NOW)
        at = shown()
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE camera_minutes RENAME TO gone")
        assert "no such table" in words(shown(at))
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO camera_minutes")
        assert "No data yet" in words(shown(at))

    def test_no_camera_at_all(self, database: Database) -> None:
        assert database.engine
        assert "mien run --source" in words(shown())
        assert "mien run --source" in words(shown(page="cameras"))

    def test_nobody_in_this_selection(self, database: Database) -> None:
        empty = Shop(visits_per_minute=0)
        empty.register(database.engine, NOW - 5 * MINUTE_US)
        empty.write(database.writer, NOW - 5 * MINUTE_US, NOW)
        at = shown()
        assert "Nobody in this selection" in words(at)
        assert figures(at)["Visits"] == "0"
        assert figures(at)["Mood index"] == "–"
        assert figures(at)["Coverage"] == "100 %"

    def test_not_observed(self, database: Database) -> None:
        then = NOW - 60 * MINUTE_US
        BUSY.register(database.engine, then)
        BUSY.write(database.writer, then, then + 5 * MINUTE_US)
        at = shown()
        assert "Not observed" in words(at)
        assert figures(at)["Visits"] == "–"
        assert figures(at)["Coverage"] == "0 %"
        assert "Newest result" in words(at)
        assert "Live" not in words(at)

    def test_too_few_to_show(self, database: Database) -> None:
        quiet = Shop(visits_per_minute=0)
        quiet.register(database.engine, NOW - 5 * MINUTE_US)
        quiet.write(database.writer, NOW - 5 * MINUTE_US, NOW)
        seen = [visit(str(n), camera="aisle", first_seen=NOW - 10**6) for n in range(9)]
        writer = database.writer
        writer.write(results(seen), {})
        at = shown()
        assert "Too few to show" in words(at)
        assert figures(at)["Visits"] == "< 10"
        assert figures(at)["Top expression"] == "–"
        assert not at.get("vega_lite_chart")
        writer.write(results([replace(seen[0], visit_id="tenth")]), {})
        assert figures(shown(at))["Visits"] == "10"


class TestOverview:
    @pytest.fixture(autouse=True)
    def history(self, database: Database) -> None:
        BUSY.register(database.engine, NOW - 90 * MINUTE_US)
        BUSY.write(database.writer, NOW - 90 * MINUTE_US, NOW)
        BUSY.report(database.writer, NOW)

    def test_all_figures(self) -> None:
        at = shown()
        assert figures(at)["Cameras online"] == "3 / 3"
        assert figures(at)["Coverage"] == "100 %"
        assert figures(at)["Top expression"] in {"Happiness", "Neutral"}
        assert -100 <= int(figures(at)["Mood index"].replace("−", "-")) <= 100
        assert len(at.get("vega_lite_chart")) == 5
        text = words(at)
        assert "Estimated expression" in text
        assert "Perceived gender (model estimate)" in text
        assert "Live" in text

    def test_every_figure_is_explained(self) -> None:
        for metric in shown().metric:
            assert len(metric.help) > 60, metric.label

    def test_a_longer_period_has_more_visits(self) -> None:
        at = shown()
        quarter = int(figures(at)["Visits"].replace(",", ""))
        at.segmented_control(key="period").set_value("1 h")
        hour = int(figures(shown(at))["Visits"].replace(",", ""))
        assert quarter < hour
        assert "by 5 minutes" in words(at)

    def test_cameras_are_chosen_by_name(self) -> None:
        at = shown()
        everybody = int(figures(at)["Visits"].replace(",", ""))
        assert at.pills(key="camera").options == ["Aisle", "Checkout", "Entrance"]
        parts = []
        for camera in ("aisle", "checkout", "entrance"):
            at.pills(key="camera").set_value([camera])
            parts.append(int(figures(shown(at))["Visits"].replace(",", "")))
        assert sum(parts) == everybody
        assert min(parts) > 0

    def test_the_address_holds_the_view(self) -> None:
        at = shown(period="24 h", camera="Aisle")
        assert at.segmented_control(key="period").value == "24 h"
        assert at.pills(key="camera").value == ["aisle"]
        assert "by hour" in words(at)

    def test_one_camera_down_is_told_with_its_reason(self, database: Database) -> None:
        BUSY.report(database.writer, NOW, down="aisle", reason="connection refused by [10.0.0.12]")
        at = shown()
        assert r"**Aisle** is down: connection refused by \[10\.0\.0\.12\]" in words(at)
        assert figures(at)["Cameras online"] == "2 / 3"
        assert at.get("page_link")

    def test_nothing_runs(self, database: Database) -> None:
        BUSY.report(database.writer, NOW - 10 * MINUTE_US)
        at = shown()
        assert "Nothing is being recorded" in words(at)
        assert figures(at)["Cameras online"] == "0 / 3"

    def test_all_is_well(self) -> None:
        assert not shown().get("page_link")

    def test_two_cameras_of_the_same_name_can_be_told_apart(self, database: Database) -> None:
        CameraRegistry(database.engine).add(CameraRow("aisle-2", "0", "Aisle"))
        assert shown().pills(key="camera").options == [
            "Aisle (aisle)",
            "Aisle (aisle-2)",
            "Checkout",
            "Entrance",
        ]


class TestCameras:
    def test_each_with_state_and_reason(self, database: Database) -> None:
        BUSY.register(database.engine, NOW - 20 * MINUTE_US)
        BUSY.write(database.writer, NOW - 20 * MINUTE_US, NOW)
        BUSY.report(database.writer, NOW, down="aisle", reason="connection refused")
        CameraRegistry(database.engine).pause("entrance", "repainting <the> door")
        text = words(shown(page="cameras"))
        assert "1 online, 1 retrying, 1 paused" in text
        for word in ("connection refused", "repainting &lt;the&gt; door", "Harbour Street · queue"):
            assert word in text
        assert "of 5" in text
        assert CAMERAS[0].source not in text, "where a camera is reached is nobody's business here"

    def test_nothing_registered_yet(self, database: Database) -> None:
        assert "Waiting for the database" in words(shown(page="cameras"))
