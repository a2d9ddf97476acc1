"""`mien alerts`: rules as on the page Settings, and a test message to real receivers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from common.access import LOCAL
from mien.cli.app import app
from mien.errors import SettingsError
from storage.alert_rules import DAY_MINUTES, AlertKind, AlertRule, add_rule, read_rules
from storage.audit import read_audit
from storage.engine import open_database
from storage.errors import StorageError
from storage.registry import CameraRegistry, CameraRow
from tests.support.hooks import answer_with, running_hook
from tests.support.mosquitto import PASSWORD, PATIENCE_S, TOPIC, USER, running_mosquitto, subscriber

SECRET = "a key of the signature"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_DATABASE", f"sqlite:///{tmp_path}/mien.db")
    monkeypatch.setenv("COLUMNS", "200")
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    CameraRegistry(engine).add(LOCAL, CameraRow("door", "rtsp://192.168.1.10/door"))
    yield engine
    engine.dispose()


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["alerts", *arguments], catch_exceptions=False)


def test_rules_are_added_listed_and_removed_and_the_audit_log_has_it(engine: sa.Engine) -> None:
    assert "no rules yet" in call("list").output
    call("add", "Door", "camera-down", "--minutes", "7", "--camera", "door", "--cooldown", "30")
    call("add", "Usual", "coverage-low", "--coverage", "0.5", "--off")
    call("add", "Shift", "visits-shifted", "--days", "14")
    first, second, third = read_rules(engine)
    assert (first.name, first.kind, first.minutes) == ("Door", AlertKind.CAMERA_DOWN, 7)
    assert (first.cooldown_minutes, set(first.cameras), first.enabled) == (30, {"door"}, True)
    assert (second.name, second.minutes, second.kind) == ("Shift", 14 * DAY_MINUTES, AlertKind.VISITS_SHIFTED)
    assert (third.minutes, third.threshold, third.enabled, third.cameras) == (60, 0.5, False, frozenset())
    shown = call("list").output
    assert "coverage low under 0.5, 60 min, cool-down 60 min" in shown
    assert "visits shifted, 14 days" in shown
    assert "nothing is sent: no running process has a receiver" in shown
    assert call("remove", "Door").output == "removed Door\n"
    assert call("remove", second.id[:8]).output == "removed Shift\n"
    assert [each.name for each in read_rules(engine)] == ["Usual"]
    actions = [(each.actor, each.action, each.subject) for each in read_audit(engine, LOCAL, limit=2)]
    assert actions == [("local", "alert_rule.remove", "Shift"), ("local", "alert_rule.remove", "Door")]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("X", "camera-lost"), "KIND camera-lost: expected one of camera-down, coverage-low"),
        (("X", "camera-down", "--minutes", "0"), "period 0 minutes, expected 1 to 1440"),
        (("X", "camera-down", "--days", "2"), "another unit; use --minutes"),
        (("X", "mood-shifted", "--minutes", "60"), "another unit; use --days"),
        (("X", "mood-shifted", "--days", "3"), "expected 5760 to 40320"),
        (("X", "coverage-low", "--coverage", "1.5"), "coverage 1.5, expected more than 0, at most 1"),
        (("X", "camera-down", "--camera", "nobody"), "--camera nobody: is not registered"),
        ((" ", "camera-down"), "name has 0 characters"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(
    engine: sa.Engine, arguments: tuple[str, ...], problem: str
) -> None:
    with pytest.raises((SettingsError, StorageError), match=problem):
        call("add", *arguments)
    assert read_rules(engine) == []


def test_a_rule_to_remove_has_to_be_the_only_one(engine: sa.Engine) -> None:
    with pytest.raises(SettingsError, match="alert rule Door: does not exist"):
        call("remove", "Door")
    both = [add_rule(engine, LOCAL, AlertRule("Door", AlertKind.CAMERA_DOWN, minutes=5)) for _ in range(2)]
    with pytest.raises(SettingsError, match=r"2 rules have this name; name one of [0-9a-f]{8}, [0-9a-f]{8}"):
        call("remove", "Door")
    call("remove", both[0].id)
    assert read_rules(engine) == [both[1]]


def test_a_test_message_reaches_the_webhook_and_the_broker_and_each_outcome_is_printed(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        SettingsError, match="there is no receiver; set MIEN_ALERT_WEBHOOK or MIEN_ALERT_MQTT"
    ):
        call("test")
    with running_hook() as hook, running_mosquitto(tmp_path) as broker, subscriber(broker) as messages:
        monkeypatch.setenv("MIEN_ALERT_WEBHOOK", hook.url)
        monkeypatch.setenv("MIEN_ALERT_WEBHOOK_SECRET", SECRET)
        monkeypatch.setenv("MIEN_ALERT_MQTT", f"mqtt://127.0.0.1:{broker.plain_port}/{TOPIC}")
        monkeypatch.setenv("MIEN_ALERT_MQTT_USER", USER)
        monkeypatch.setenv("MIEN_ALERT_MQTT_PASSWORD", PASSWORD)
        done = call("test")
        assert (done.exit_code, done.output.count(": delivered")) == (0, 2), done.output
        published = json.loads(messages.get(timeout=PATIENCE_S).payload)
        ((_, headers, body),) = hook.requests
        assert json.loads(body) == published
        assert (published["status"], published["text"]) == ("test", "Test message, sent by local")
        assert headers["Mien-Id"] == published["id"]

        hook.answer = lambda request: answer_with(request, 503)
        failed = call("test")
        assert failed.exit_code == 1
        assert "no  webhook" in failed.output
        assert "answered 503" in failed.output
        assert "ok  mqtt" in failed.output
    newest, earlier = read_audit(engine, LOCAL, actions=["alert.test"])
    assert "answered 503" in newest.details
    assert earlier.details == "webhook: delivered, mqtt: delivered"
    for text in (done.output, failed.output, newest.details):
        assert not [secret for secret in ("token=abc", SECRET, PASSWORD) if secret in text]
