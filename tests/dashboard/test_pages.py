from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.testing.v1 import AppTest

from bus.messages import MINUTE_US, OFF, Estimate
from common.access import LOCAL
from dashboard import queries
from dashboard.missing_estimates import SWITCHED_OFF
from storage.engine import open_database
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import T0, estimate, results, visit
from tests.support.pages import new_page
from tests.support.shop import CAMERAS, Shop

BUSY = Shop(visits_per_minute=30)
NOW = T0 + 34_500_000
"""The time at which all pages are drawn: the middle of a minute."""
LIKELY = estimate("happiness", "female", 0.7)


@dataclass
class Database:
    """The database of the pages, which is created when its engine or writer is first used."""

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
    monkeypatch.setattr(queries, "wall_clock_us", lambda: NOW)
    made = Database(tmp_path / "mien.db")
    yield made
    st.cache_resource.clear()
    if made.opened:
        made.opened.dispose()


def shown(at: AppTest | None = None, page: str = "", **query: str) -> AppTest:
    """A page that was just opened; with `at`, this page after its next refresh."""
    if at is None:
        at = new_page(**({"period": "15 min"} | query))
    st.cache_resource.clear()
    at.run()
    if page:
        at.switch_page(f"app_pages/{page}.py").run()
    assert not at.exception
    return at


def figures(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def all_text(at: AppTest) -> str:
    return "\n".join(
        [each.value for each in (*at.subheader, *at.markdown, *at.caption)]
        + [each.proto.body for each in at.get("html")]
    )


class TestEmptyStates:
    def test_figures_appear_once_the_database_has_results(self, database: Database) -> None:
        at = shown()
        assert "Waiting for the database" in all_text(at)
        assert "does not exist yet" in all_text(at)
        assert not at.metric
        BUSY.register(database.engine, NOW)
        at = shown(at)
        assert "No data yet" in all_text(at)
        assert "within seconds" in all_text(at)
        BUSY.write(database.writer, NOW - 20 * MINUTE_US, NOW)
        at = shown(at)
        assert int(figures(at)["Visits"]) > 100
        assert "No data yet" not in all_text(at)

    def test_a_file_that_is_no_database_is_reported(self, database: Database) -> None:
        database.path.write_bytes(b"no database at all" * 100)
        assert "not a database" in all_text(shown())

    def test_an_unavailable_server_is_reported_without_its_password(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert database
        monkeypatch.setenv("MIEN_DATABASE", "postgresql://mien:s3cret@127.0.0.1:1/mien")
        text = all_text(shown())
        assert "Waiting for the database" in text
        assert "s3cret" not in text

    def test_a_database_may_fail_while_the_page_is_open(self, database: Database) -> None:
        BUSY.register(database.engine, NOW)
        at = shown()
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE camera_minutes RENAME TO gone")
        assert "no such table" in all_text(shown(at))
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO camera_minutes")
        assert "No data yet" in all_text(shown(at))

    def test_without_cameras_the_pages_show_how_to_start_some(self, database: Database) -> None:
        assert database.engine
        assert "mien run --source" in all_text(shown())
        assert "mien run --source" in all_text(shown(page="cameras"))

    def test_a_period_without_visitors_has_a_notice(self, database: Database) -> None:
        empty = Shop(visits_per_minute=0)
        empty.register(database.engine, NOW - 5 * MINUTE_US)
        empty.write(database.writer, NOW - 5 * MINUTE_US, NOW)
        at = shown()
        assert "Nobody in this selection" in all_text(at)
        assert figures(at)["Visits"] == "0"
        assert figures(at)["Mood index"] == "–"
        assert figures(at)["Coverage"] == "100 %"

    def test_a_period_without_coverage_has_a_notice(self, database: Database) -> None:
        then = NOW - 60 * MINUTE_US
        BUSY.register(database.engine, then)
        BUSY.write(database.writer, then, then + 5 * MINUTE_US)
        at = shown()
        assert "Not observed" in all_text(at)
        assert figures(at)["Visits"] == "–"
        assert figures(at)["Coverage"] == "0 %"
        assert "Newest result" in all_text(at)
        assert "Live" not in all_text(at)

    def test_a_period_with_too_few_visits_has_a_notice(self, database: Database) -> None:
        quiet = Shop(visits_per_minute=0)
        quiet.register(database.engine, NOW - 5 * MINUTE_US)
        quiet.write(database.writer, NOW - 5 * MINUTE_US, NOW)
        # A group is shown once another one has followed.
        times = [*[T0 - 12 * MINUTE_US] * 9, *[T0 - 7 * MINUTE_US] * 10]
        seen = [visit(str(n), camera="aisle", first_seen=time) for n, time in enumerate(times)]
        writer = database.writer
        writer.write(results(seen), {})
        at = shown()
        assert "Too few to show" in all_text(at)
        assert figures(at)["Visits"] == "hidden"
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

    def test_the_overview_shows_all_figures(self) -> None:
        at = shown()
        assert figures(at)["Cameras online"] == "3 / 3"
        assert figures(at)["Coverage"] == "100 %"
        assert figures(at)["Top expression"] in {"Happiness", "Neutral"}
        assert -100 <= int(figures(at)["Mood index"].replace("−", "-")) <= 100
        assert len(at.get("vega_lite_chart")) == 5
        text = all_text(at)
        assert "Estimated expression" in text
        assert "Perceived gender (model estimate)" in text
        assert "Live" in text

    def test_the_patterns_of_trends_can_be_read_as_numbers(self) -> None:
        at = shown(page="trends")
        assert [each.label for each in at.expander] == [
            "Hours of the week as numbers",
            "Expression by perceived gender as numbers",
        ]
        tables = [each.proto.body for each in at.get("html") if "mien numbers" in each.proto.body]
        assert [each.count("<tr>") for each in tables] == [25, 9]
        assert any("are not in it" in each.value for each in at.caption), "the files have no patterns"

    def test_every_figure_is_explained(self) -> None:
        for metric in shown().metric:
            assert len(metric.help) > 60, metric.label

    def test_a_longer_period_has_more_visits(self) -> None:
        at = shown()
        quarter = int(figures(at)["Visits"].replace(",", ""))
        at.selectbox(key="period").set_value("1 h")
        hour = int(figures(shown(at))["Visits"].replace(",", ""))
        assert quarter < hour
        assert "by 5 minutes" in all_text(at)

    def test_cameras_are_chosen_by_name(self) -> None:
        at = shown()
        everybody = int(figures(at)["Visits"].replace(",", ""))
        assert at.multiselect(key="camera").options == ["Aisle", "Checkout", "Entrance"]
        parts = []
        for camera in ("aisle", "checkout", "entrance"):
            at.multiselect(key="camera").set_value([camera])
            parts.append(int(figures(shown(at))["Visits"].replace(",", "")))
        assert sum(parts) == everybody
        assert min(parts) > 0

    def test_the_address_selects_period_and_cameras(self) -> None:
        at = shown(period="24 h", camera="Aisle")
        assert at.selectbox(key="period").value == "24 h"
        assert at.multiselect(key="camera").value == ["aisle"]
        assert "by hour" in all_text(at)

    def test_one_camera_that_is_down_is_shown_with_its_reason(self, database: Database) -> None:
        BUSY.report(database.writer, NOW, down="aisle", reason="connection refused by [10.0.0.12]")
        at = shown()
        assert r"**Aisle** is down: connection refused by \[10\.0\.0\.12\]" in all_text(at)
        assert figures(at)["Cameras online"] == "2 / 3"
        assert at.get("page_link")

    def test_the_cameras_online_are_those_that_are_selected(self, database: Database) -> None:
        BUSY.report(database.writer, NOW, down="aisle", reason="connection refused")
        assert figures(shown(camera="Aisle"))["Cameras online"] == "0 / 1"
        assert figures(shown(camera="Entrance"))["Cameras online"] == "1 / 1"

    @pytest.mark.parametrize("page", ["", "trends"])
    def test_a_period_whose_first_part_is_deleted_says_so(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, page: str
    ) -> None:
        monkeypatch.setenv("MIEN_KEEP_VISITS_DAYS", "1")
        BUSY.report(database.writer, NOW)
        assert "are deleted, since visits are kept for 1 day:" in all_text(shown(page=page, period="7 days"))
        assert "are deleted" not in all_text(shown(page=page, period="1 h"))

    def test_an_alarm_shows_that_nothing_is_recorded(self, database: Database) -> None:
        BUSY.report(database.writer, NOW - 10 * MINUTE_US)
        at = shown()
        assert "Nothing is being recorded" in all_text(at)
        assert figures(at)["Cameras online"] == "0 / 3"

    def test_there_is_no_alarm_while_all_cameras_are_online(self) -> None:
        assert not shown().get("page_link")

    def test_cameras_of_the_same_name_are_shown_with_their_ids(self, database: Database) -> None:
        CameraRegistry(database.engine).add(LOCAL, CameraRow("aisle-2", "0", "Aisle"))
        assert shown().multiselect(key="camera").options == [
            "Aisle (aisle)",
            "Aisle (aisle-2)",
            "Checkout",
            "Entrance",
        ]


class TestSwitches:
    @pytest.mark.parametrize(
        ("looks", "off", "charts"),
        [
            (Estimate({}, None, OFF, OFF), 3, 0),
            (Estimate({}, 0.7, OFF, "female"), 2, 2),
            (Estimate(LIKELY.expressions, None, "happiness", OFF), 1, 3),
        ],
    )
    def test_what_is_switched_off_is_not_called_too_few(
        self, database: Database, looks: Estimate, off: int, charts: int
    ) -> None:
        quiet = Shop(visits_per_minute=0)
        quiet.register(database.engine, NOW - 5 * MINUTE_US)
        times = [*[T0 - 12 * MINUTE_US] * 20, *[T0 - 7 * MINUTE_US] * 20]
        seen = [visit(str(n), camera="aisle", first_seen=time, looks=looks) for n, time in enumerate(times)]
        database.writer.write(results(seen), {})
        at = shown()
        reasons = [each.value for each in at.caption if each.value == SWITCHED_OFF]
        assert (len(reasons), len(at.get("vega_lite_chart"))) == (off, charts)
        assert "Too few" not in all_text(at)
        trends = shown(page="trends")
        # Expression by perceived gender needs both.
        assert SWITCHED_OFF in all_text(trends)
        assert "Too few" not in all_text(trends)
        assert ("Each expression" in all_text(trends)) is (looks.expression != OFF)


class TestCameras:
    def test_each_camera_is_shown_with_its_state_and_reason(self, database: Database) -> None:
        BUSY.register(database.engine, NOW - 20 * MINUTE_US)
        BUSY.write(database.writer, NOW - 20 * MINUTE_US, NOW)
        BUSY.report(database.writer, NOW, down="aisle", reason="connection refused")
        CameraRegistry(database.engine).pause(LOCAL, "entrance", "repainting <the> door")
        text = all_text(shown(page="cameras"))
        assert "1 online, 1 retrying, 1 paused" in text
        for part in ("connection refused", "repainting &lt;the&gt; door", "Harbour Street · queue"):
            assert part in text
        assert "of 5" in text
        assert CAMERAS[0].source not in text, "the dashboard does not show the address of a camera"

    def test_the_camera_page_waits_for_the_database(self, database: Database) -> None:
        assert "Waiting for the database" in all_text(shown(page="cameras"))
