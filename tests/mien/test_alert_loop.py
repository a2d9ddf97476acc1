"""Rules are judged and messages sent by exactly one process, at least once, over restarts and outages."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from typing_extensions import override

from bus.messages import MICROSECONDS, MINUTE_US, CameraHealth, CameraMinute, CameraState
from common.access import LOCAL, AccessDenied, Actor, Role
from common.clock import wall_clock_us
from mien.alerts.addresses import parse_webhook
from mien.alerts.conditions import Rules
from mien.alerts.loop import MOST_ATTEMPTS, AlertLoop, back_off_s, create_receivers, send_alerts
from mien.alerts.receivers import Receiver, tls_context
from mien.alerts.webhook import Webhook
from mien.errors import SettingsError
from mien.metrics import Metrics
from mien.settings import Settings, load
from storage import tables
from storage.alert_outbox import queue_test, read_deliveries, read_sender
from storage.alert_rules import AlertKind, AlertRule, add_rule, change_rule, remove_rule
from storage.errors import StorageError
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import T0, results
from tests.support.hooks import Hook, answer_with, running_hook

NEVER = threading.Event()
RULES = Rules(10, ZoneInfo("Europe/Berlin"))
DOWN = AlertRule("Door", AlertKind.CAMERA_DOWN, minutes=5)
SECRET = b"a key of the signature"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as hook:
        yield hook


class Shop:
    """Two cameras whose states change, a clock, and processes that send alerts."""

    def __init__(self, engine: sa.Engine, hook: Hook) -> None:
        self.engine = engine
        self.now = T0
        self.hook = hook
        self.metrics = Metrics()
        registry = CameraRegistry(engine)
        for name in ("door", "till"):
            registry.add(LOCAL, CameraRow(name, f"rtsp://192.168.1.1/{name}", name.title(), "Shop"))
        self.states = dict.fromkeys(("door", "till"), CameraState.ONLINE)

    def loop(self) -> AlertLoop:
        receivers: list[Receiver] = [Webhook(parse_webhook(self.hook.url), SECRET, tls_context(None))]
        return AlertLoop(self.engine, receivers, RULES, self.metrics, clock=lambda: self.now)

    def go(self, minutes: float, *loops: AlertLoop) -> None:
        for _ in range(round(minutes * 2)):
            self.now += MINUTE_US // 2
            for camera, state in self.states.items():
                reason = "" if state is CameraState.ONLINE else "no route to host"
                health = CameraHealth(camera, state, reason, self.now, self.now, 5.0, self.now, 0)
                Writer(self.engine).report(health)
            for each in loops:
                each.work_once(NEVER)

    def messages(self) -> list[dict[str, object]]:
        return [json.loads(body) for _, _, body in self.hook.requests]


@pytest.fixture
def shop(engine: sa.Engine, hook: Hook) -> Shop:
    return Shop(engine, hook)


def test_cameras_that_go_down_together_are_one_message_of_one_of_several_processes(shop: Shop) -> None:
    add_rule(shop.engine, LOCAL, DOWN)
    first, second = shop.loop(), shop.loop()
    shop.go(2, first, second)
    shop.states = dict.fromkeys(shop.states, CameraState.RETRYING)
    shop.go(8, first, second)
    (message,) = shop.messages()
    assert (message["status"], message["site"], message["subject_count"]) == ("firing", "Shop", 2)
    assert message["simulated"] is False
    assert "Door: no route to host; Till: no route to host" in str(message["text"])
    shop.states = dict.fromkeys(shop.states, CameraState.ONLINE)
    shop.go(5, first, second)
    assert [each["status"] for each in shop.messages()] == ["firing", "resolved"]
    assert len(set(shop.hook.ids())) == 2
    labels = {"channel": "webhook", "outcome": "delivered"}
    assert shop.metrics.registry.get_sample_value("mien_alert_deliveries_total", labels) == 2


def test_another_process_takes_over_and_repeats_nothing(shop: Shop) -> None:
    add_rule(shop.engine, LOCAL, DOWN)
    first, second = shop.loop(), shop.loop()
    shop.states["door"] = CameraState.RETRYING
    shop.go(8, first)
    assert not second.work_once(NEVER), "the first process holds the lease"
    with shop.engine.begin() as connection:
        connection.execute(sa.update(tables.task_leases).values(expires_at=0))
    shop.go(8, second)
    assert len(shop.hook.requests) == 1
    assert not first.work_once(NEVER)


def test_a_message_is_sent_again_with_its_id_until_it_is_acknowledged(shop: Shop) -> None:
    shop.hook.answer = lambda request: answer_with(request, 503)
    add_rule(shop.engine, LOCAL, DOWN)
    shop.states["door"] = CameraState.RETRYING
    shop.go(8, shop.loop())
    before = len(shop.hook.requests)
    assert before > 1
    (waiting,) = read_deliveries(shop.engine, LOCAL)
    assert (waiting.outcome, waiting.attempts) == ("waiting", before)
    assert "answered 503" in waiting.error
    assert "token" not in waiting.error
    shop.hook.answer = lambda request: answer_with(request, 200)
    shop.engine.dispose()
    with shop.engine.begin() as connection:
        connection.execute(sa.update(tables.task_leases).values(expires_at=0))
    shop.go(20, shop.loop())
    assert len(set(shop.hook.ids())) == 1
    (delivered,) = read_deliveries(shop.engine, LOCAL)
    assert (delivered.outcome, delivered.error) == ("delivered", "")


def test_a_message_that_nobody_takes_is_given_up_after_a_limited_number_of_attempts(shop: Shop) -> None:
    shop.hook.answer = lambda request: answer_with(request, 500)
    add_rule(shop.engine, LOCAL, DOWN)
    shop.states["door"] = CameraState.RETRYING
    loop = shop.loop()
    shop.go(8, loop)
    for _ in range(MOST_ATTEMPTS):
        shop.now += 16 * MINUTE_US
        loop.work_once(NEVER)
    assert len(shop.hook.requests) == MOST_ATTEMPTS
    assert read_deliveries(shop.engine, LOCAL)[0].outcome == "failed"
    labels = {"channel": "webhook", "outcome": "failed"}
    assert shop.metrics.registry.get_sample_value("mien_alert_deliveries_total", labels) == 1


def test_attempts_wait_longer_and_longer_with_jitter() -> None:
    waits = [[back_off_s(attempt) for _ in range(200)] for attempt in range(MOST_ATTEMPTS)]
    for attempt, each in enumerate(waits):
        longest = min(2.0 * 2**attempt, 900.0)
        assert longest / 2 <= min(each) < max(each) <= longest


def test_paused_cameras_and_closed_shops_raise_no_alert(shop: Shop) -> None:
    add_rule(shop.engine, LOCAL, DOWN)
    registry = CameraRegistry(shop.engine)
    registry.pause(LOCAL, "door", "stocktaking")
    with shop.engine.begin() as connection:
        closed = sa.update(tables.cameras).where(tables.cameras.c.id == "till")
        connection.execute(closed.values(open_hours="Mo 00:00-00:01"))
    shop.states = dict.fromkeys(shop.states, CameraState.RETRYING)
    shop.go(20, shop.loop())
    assert shop.hook.requests == []


def test_a_live_camera_whose_capture_has_ended_is_down_and_a_recording_is_not(shop: Shop) -> None:
    add_rule(shop.engine, LOCAL, DOWN)
    loop = shop.loop()
    with shop.engine.begin() as connection:
        recording = sa.update(tables.cameras).where(tables.cameras.c.id == "till")
        connection.execute(recording.values(source="/clips/till.mp4"))
    shop.states = {"door": CameraState.RETRYING, "till": CameraState.ENDED}
    shop.go(8, loop)
    shop.states["door"] = CameraState.ENDED
    shop.go(8, loop)
    (message,) = shop.messages()
    assert message["status"] == "firing", "a camera that was down and is given up is not resolved"
    assert [each["id"] for each in message["subjects"]] == ["door"]  # type: ignore[attr-defined]


def test_low_coverage_is_reported_and_a_closed_shop_is_not(shop: Shop) -> None:

    add_rule(shop.engine, LOCAL, AlertRule("Coverage", AlertKind.LOW_COVERAGE, minutes=60, threshold=0.5))
    with shop.engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created_at=T0, changed_at=T0))
    minutes = [
        CameraMinute(camera, T0 + number * MINUTE_US, captured=1, watched_us=watched)
        for number in range(60)
        for camera, watched in (("door", 20 * MICROSECONDS), ("till", 59 * MICROSECONDS))
    ]
    Writer(shop.engine).write(results(minutes=minutes), {})
    shop.now = T0 + 58 * MINUTE_US
    shop.go(2, shop.loop())
    (message,) = shop.messages()
    assert [each["id"] for each in message["subjects"]] == ["door"]  # type: ignore[attr-defined]
    assert "coverage 3" in str(message["text"])


def test_a_test_message_reaches_the_receiver_of_the_process_that_sends(shop: Shop) -> None:
    with pytest.raises(StorageError, match="no running process has a receiver"):
        queue_test(shop.engine, LOCAL, T0)
    loop = shop.loop()
    loop.work_once(NEVER)
    assert queue_test(shop.engine, LOCAL, T0) == ["webhook"]
    loop.work_once(NEVER)
    (message,) = shop.messages()
    assert message["text"] == "Test message, sent by local"
    sender = read_sender(shop.engine)
    assert sender
    assert "token" not in sender.details


def test_analysts_may_neither_change_rules_nor_send_nor_read_deliveries(engine: sa.Engine) -> None:
    analyst = Actor("Ada", Role.ANALYST)
    rule = add_rule(engine, LOCAL, DOWN)
    for attack in (
        lambda: add_rule(engine, analyst, DOWN),
        lambda: change_rule(engine, analyst, rule),
        lambda: remove_rule(engine, analyst, rule.id),
        lambda: queue_test(engine, analyst, T0),
        lambda: read_deliveries(engine, analyst),
    ):
        with pytest.raises(AccessDenied):
            attack()


def test_no_secret_of_a_receiver_reaches_the_database(shop: Shop) -> None:
    shop.hook.answer = lambda request: answer_with(request, 500)
    add_rule(shop.engine, LOCAL, DOWN)
    shop.states["door"] = CameraState.RETRYING
    shop.go(8, shop.loop())
    found = []
    with shop.engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            found += [str(row) for row in connection.execute(sa.select(table))]
    assert found
    assert not [row for row in found if "token=abc" in row or SECRET.decode() in row]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_a_webhook_needs_a_key_and_a_secret_in_the_file_is_refused(
    configured: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured.setenv("MIEN_ALERT_WEBHOOK", "https://hooks.example/T0ken")
    with pytest.raises(SettingsError, match="MIEN_ALERT_WEBHOOK_SECRET") as missing:
        create_receivers(load())
    assert "T0ken" not in str(missing.value)
    configured.setenv("MIEN_ALERT_WEBHOOK_SECRET", "short")
    with pytest.raises(SettingsError, match="expected at least 16 characters") as short:
        load()
    assert "short'" not in str(short.value)
    configured.setenv("MIEN_ALERT_WEBHOOK_SECRET", "s" * 16)
    (receiver,) = create_receivers(load())
    assert receiver.shown == "https://hooks.example:443"
    assert "T0ken" not in repr(load())
    (tmp_path / "mien.yaml").write_text("alert_mqtt_password: hunter2hunter2\n")
    with pytest.raises(SettingsError, match="in the environment alone, as MIEN_ALERT_MQTT_PASSWORD"):
        load()


def test_without_a_receiver_no_process_sends(configured: pytest.MonkeyPatch) -> None:
    assert create_receivers(Settings()) == []


def test_the_thread_sends_while_the_block_runs_and_gives_the_task_back(
    engine: sa.Engine, hook: Hook, configured: pytest.MonkeyPatch
) -> None:
    configured.setenv("MIEN_ALERT_WEBHOOK", hook.url)
    configured.setenv("MIEN_ALERT_WEBHOOK_SECRET", "s" * 16)
    with send_alerts(engine, load(timezone="Europe/Berlin"), Metrics(), threading.Event()):
        deadline = time.monotonic() + 60
        while read_sender(engine) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        queue_test(engine, LOCAL, wall_clock_us())
        while not hook.requests:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    deadline = time.monotonic() + 30  # Less than the lease: it is given back and does not expire.
    while read_sender(engine) is not None:
        assert time.monotonic() < deadline, "the task is not given back"
        time.sleep(0.02)


class Broken(Receiver):
    """A receiver with a bug; `channel` and `shown` are as of the webhook that it replaces."""

    channel, shown = "webhook", "https://hooks.example"
    attempts = 0

    @override
    def send(self, message_id: str, body: bytes) -> None:
        self.attempts += 1
        raise LookupError("a bug")


def test_an_unexpected_error_of_a_delivery_is_a_failed_attempt(shop: Shop) -> None:
    broken = Broken()
    loop = AlertLoop(shop.engine, [broken], RULES, shop.metrics, clock=lambda: shop.now)
    loop.work_once(NEVER)
    queue_test(shop.engine, LOCAL, shop.now)
    with pytest.raises(LookupError):
        loop.work_once(NEVER)
    (waiting,) = read_deliveries(shop.engine, LOCAL)
    assert (waiting.outcome, waiting.attempts) == ("waiting", 1)
    assert waiting.next_at > shop.now
    assert "see the log" in waiting.error
    loop.work_once(NEVER)
    assert broken.attempts == 1, "the next attempt is not due yet"


def test_an_unexpected_error_ends_the_process(
    engine: sa.Engine, configured: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured.setenv("MIEN_ALERT_WEBHOOK", "https://hooks.example/")
    configured.setenv("MIEN_ALERT_WEBHOOK_SECRET", "s" * 16)
    noted: list[object] = []
    monkeypatch.setattr(threading, "excepthook", noted.append)

    def fail(*_: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(AlertLoop, "work_once", fail)
    stop = threading.Event()
    with (
        pytest.raises(LookupError, match="a bug"),
        send_alerts(engine, load(timezone="Europe/Berlin"), Metrics(), stop),
    ):
        assert stop.wait(60), "the process is not asked to stop"
    assert noted, "the log has the reason as soon as it happens"


def test_messages_to_a_channel_without_a_receiver_are_given_up_when_the_task_is_taken_over(
    shop: Shop,
) -> None:
    broken = Broken()
    broken.channel = "mqtt"
    earlier, later = AlertLoop(shop.engine, [broken], RULES, shop.metrics), shop.loop()
    earlier.work_once(NEVER)
    assert not later.work_once(NEVER)
    assert queue_test(shop.engine, LOCAL, shop.now) == ["mqtt"]
    with shop.engine.begin() as connection:
        connection.execute(sa.update(tables.task_leases).values(expires_at=0))
    assert later.work_once(NEVER)
    (given_up,) = read_deliveries(shop.engine, LOCAL)
    assert (given_up.outcome, given_up.attempts) == ("failed", 0)
    assert "no receiver any more" in given_up.error


def test_processes_that_judge_at_the_same_time_send_one_message(shop: Shop) -> None:
    add_rule(shop.engine, LOCAL, DOWN)
    shop.states = dict.fromkeys(shop.states, CameraState.RETRYING)
    loops = [shop.loop() for _ in range(3)]
    with ThreadPoolExecutor(len(loops)) as pool:
        for _ in range(14):
            shop.go(0.5)
            assert sum(pool.map(lambda loop: loop.work_once(NEVER), loops)) == 1
            with shop.engine.begin() as connection:  # The lease is free at each step.
                connection.execute(sa.update(tables.task_leases).values(expires_at=0))
    assert len(shop.hook.requests) == 1
