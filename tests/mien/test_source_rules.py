"""Rules for sources from the settings: Mien's own services, and the secrets of cameras."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import SourceError
from ingest.sources import check_source
from mien.settings import load
from mien.wiring.source_rules import camera_secrets, create_source_rules, own_services
from storage.engine import server_addresses


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("sqlite:///x.db", []),
        ("postgresql://u:p@db-1/x", [("db-1", 5432)]),
        ("postgresql://u@[::1]:5433/x", [("::1", 5433)]),
        ("postgresql://u@/x?host=a:5433&host=b", [("a", 5433), ("b", 5432)]),
        ("postgresql://u@db/x?hostaddr=10.0.0.5&sslmode=require", [("10.0.0.5", 5432), ("db", 5432)]),
        ("postgresql:///x?host=/run/postgresql", []),
    ],
)
def test_the_servers_of_a_database_url(url: str, addresses: list[tuple[str, int]]) -> None:
    assert server_addresses(url) == addresses


def test_a_camera_cannot_be_a_service_of_mien() -> None:
    settings = load(
        database="postgresql://u:p@10.0.0.7/mien",
        bus="kafka://10.0.0.8,[fd00::8]:9093/frames",
        dashboard_port=8600,
        health_port=9100,
    )
    assert len(own_services(settings)) == 5
    rules = create_source_rules(settings)
    for place in ("10.0.0.7:5432", "10.0.0.8:9092", "[fd00::8]:9093", "127.0.0.1:8600", "[::1]:9100"):
        with pytest.raises(SourceError, match="not allowed"):
            check_source(f"http://{place}/", rules)
    for place in ("10.0.0.7", "127.0.0.1:8601"):
        check_source(f"http://{place}/", rules)


def test_the_settings_extend_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR", "open sesame")
    monkeypatch.setenv("MIEN_CAMERA_TILL", "closed")
    monkeypatch.setenv("MIEN_SOURCE_NETWORKS", '["203.0.113.0/24"]')
    settings = load(source_variables=("DOOR",), source_parameters=("Room",))
    check_source("http://u:${DOOR}@203.0.113.5/?room=7", create_source_rules(settings))
    with pytest.raises(SourceError, match="not allowed"):
        check_source("http://10.0.0.5/", create_source_rules(settings))
    assert camera_secrets(settings) == {"open sesame"}
    assert "closed" in camera_secrets(load())
