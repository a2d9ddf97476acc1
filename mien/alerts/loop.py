"""The thread that judges alert rules and sends messages, in one of all processes that have a receiver."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from bus.messages import MICROSECONDS, MINUTE_US
from common.clock import wall_clock_us
from common.timezones import open_timezone
from mien.alerts import conditions
from mien.alerts.addresses import parse_mqtt, parse_webhook
from mien.alerts.conditions import Finding, Rules, names_of
from mien.alerts.judge import Timing, judge
from mien.alerts.messages import create_message
from mien.alerts.mqtt import Mqtt
from mien.alerts.receivers import DeliveryError, Receiver, tls_context
from mien.alerts.webhook import Webhook
from mien.errors import SettingsError
from mien.metrics import Metrics
from mien.settings import Settings
from storage.alert_outbox import TASK, Delivery, fail_other_channels, note_attempt, queue_message, read_due
from storage.alert_rules import AlertKind, AlertRule, read_rules
from storage.alert_states import Status, read_states, replace_states
from storage.camera_status import CameraStatus, read_camera_status
from storage.engine import Database
from storage.errors import DatabaseError
from storage.figures.simulated import simulated_cameras
from storage.local_time import HOUR_US
from storage.protection import SUPPRESS_BELOW, read_choices
from storage.task_leases import TaskLease

LEASE_S = 60.0
"""The lease of the task; renewed before every attempt, each of which is much shorter."""

MOST_ATTEMPTS = 48
"""After so many attempts, over about seven hours, a message has failed."""

_TICK_S = 5.0
_FIRST_RETRY_S, _LAST_RETRY_S = 2.0, 900.0
_STOP_S = 3.0

_log = logging.getLogger(__name__)


def create_receivers(settings: Settings) -> list[Receiver]:
    """The receivers that the settings name.

    Raises SettingsError where one of them is incomplete; secrets are not in its message.
    """
    receivers: list[Receiver] = []
    if not (settings.alert_webhook or settings.alert_mqtt):
        return receivers
    try:
        context = tls_context(settings.alert_ca)
    except OSError as error:
        raise SettingsError(f"alert_ca {settings.alert_ca}: no certificates: {error.strerror}") from None
    if settings.alert_webhook:
        if settings.alert_webhook_secret is None:
            raise SettingsError("alert_webhook: set MIEN_ALERT_WEBHOOK_SECRET, the key of the signature")
        secret = settings.alert_webhook_secret.get_secret_value().encode()
        receivers.append(Webhook(parse_webhook(settings.alert_webhook.get_secret_value()), secret, context))
    if settings.alert_mqtt:
        password = settings.alert_mqtt_password
        receivers.append(
            Mqtt(
                parse_mqtt(settings.alert_mqtt),
                context,
                settings.alert_mqtt_user,
                password.get_secret_value() if password else None,
            )
        )
    return receivers


@contextmanager
def send_alerts(
    engine: Database, settings: Settings, metrics: Metrics, stop: threading.Event
) -> Iterator[None]:
    """Judge rules and send alerts in a thread while the block runs; nothing without a receiver.

    `stop` is set where an unexpected exception ends the thread, so that the process ends as well, and the
    exception is raised at the end of the block. Raises SettingsError where a receiver is incomplete.
    """
    receivers = create_receivers(settings)
    if not receivers:
        yield
        return
    loop = AlertLoop(
        engine, receivers, Rules(settings.suppress_below, open_timezone(settings.timezone)), metrics
    )
    ended, outcome = threading.Event(), Future[None]()

    def run() -> None:
        try:
            loop.run(ended)
            outcome.set_result(None)
        except BaseException as error:
            outcome.set_exception(error)
            stop.set()
            raise

    thread = threading.Thread(target=run, name="alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_STOP_S)
        if outcome.done():
            outcome.result()


@dataclass(slots=True)
class _Judged:
    """When a rule was judged last, and what was found: shifts change by the hour, coverage by the minute."""

    key: tuple[int, int, int] = (-1, -1, -1)
    findings: list[Finding] = field(default_factory=list)


class AlertLoop:
    """Judges the rules and sends what is due, while this process holds the lease of the task.

    Args:
        engine: the database.
        receivers: where messages are sent, at least one.
        rules: how figures are read; k is the configured one.
        metrics: counts deliveries.
        timing: how reports are grouped.
        clock: returns microseconds UTC.
    """

    def __init__(
        self,
        engine: Database,
        receivers: Sequence[Receiver],
        rules: Rules,
        metrics: Metrics,
        timing: Timing | None = None,
        clock: Callable[[], int] = wall_clock_us,
    ) -> None:
        self._engine = engine
        self._receivers = {each.channel: each for each in receivers}
        self._rules = rules
        self._metrics = metrics
        self._timing = timing or Timing()
        self._clock = clock
        shown = json.dumps({each.channel: each.shown[:200] for each in receivers}, ensure_ascii=False)
        self._lease = TaskLease(engine, TASK, shown, LEASE_S)
        self._judged: dict[str, _Judged] = {}
        self._holds = False

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; while the database is unavailable, wait for it."""
        while not stop.is_set():
            try:
                self.work_once(stop)
            except DatabaseError as error:
                _log.warning("alerts wait for the database: %s", error)
            stop.wait(_TICK_S)
        with suppress(DatabaseError):  # Otherwise the lease expires.
            self._lease.release()

    def work_once(self, stop: threading.Event) -> bool:
        """Judge all rules and send what is due; False where another process holds the lease.

        Raises DatabaseError.
        """
        if not self._hold():
            self._metrics.alerts_firing.set(0)
            return False
        self._judge()
        for receiver in self._receivers.values():
            self._send_due(receiver, stop)
        return True

    def _hold(self) -> bool:
        """Take or renew the lease; False where another process holds it."""
        held, self._holds = self._holds, False
        if not self._lease.hold():
            return False
        if not held:  # The process that sent before may have had other receivers.
            fail_other_channels(self._engine, self._receivers, self._clock())
        self._holds = True
        return True

    def _send_due(self, receiver: Receiver, stop: threading.Event) -> None:
        """Send what is due until an attempt fails: judging does not wait for a receiver that hangs."""
        for delivery in read_due(self._engine, receiver.channel, self._clock()):
            if stop.is_set() or not self._hold() or not self._deliver(receiver, delivery):
                return

    def _judge(self) -> None:
        now = self._clock()
        rules = [rule for rule in read_rules(self._engine) if rule.enabled]
        cameras = read_camera_status(self._engine, now, self._rules.zone) if rules else []
        findings = self._find(rules, cameras, now)
        with self._engine.begin() as connection:
            if not self._lease.is_held(connection):
                return
            before = read_states(connection)
            after, reports = judge(rules, findings, before, now, self._timing)
            replace_states(connection, before, after)
            for report in reports:
                message = create_message(report, names_of(cameras), now)
                queue_message(connection, message, self._receivers, now)
                _log.info("alert: %s", message["text"])
        self._metrics.alerts_firing.set(sum(each.status is Status.FIRING for each in after))

    def _find(
        self, rules: Sequence[AlertRule], cameras: Sequence[CameraStatus], now: int
    ) -> Mapping[str, Sequence[Finding]]:
        if not rules:
            return {}
        simulated = simulated_cameras(self._engine)
        applied = self._applied_rules()
        findings: dict[str, Sequence[Finding]] = {}
        for rule in rules:
            if rule.kind is AlertKind.CAMERA_DOWN:
                findings[rule.id] = conditions.find_down(rule, cameras, simulated)
                continue
            step = HOUR_US if rule.kind.compares_days else MINUTE_US
            judged = self._judged.setdefault(rule.id, _Judged())
            key = (rule.changed_at, now // step, applied.suppress_below)
            if judged.key != key:
                find = conditions.find_shifts if rule.kind.compares_days else conditions.find_low_coverage
                judged.findings = find(self._engine, rule, cameras, simulated, now, applied)
                judged.key = key
            findings[rule.id] = judged.findings
        return findings

    def _applied_rules(self) -> Rules:
        """The rules with the larger k that an operator may have chosen meanwhile."""
        chosen = read_choices(self._engine).get(SUPPRESS_BELOW, 0)
        return replace(self._rules, suppress_below=max(self._rules.suppress_below, chosen))

    def _deliver(self, receiver: Receiver, delivery: Delivery) -> bool:
        """Make one attempt; whether it succeeded. An unexpected exception is a failed attempt, too."""
        error: str | None = "the attempt ended unexpectedly: see the log"
        try:
            receiver.send(delivery.id, delivery.body.encode())
            error = None
        except DeliveryError as failure:
            error = str(failure)
        finally:
            self._note(delivery, error)
        return error is None

    def _note(self, delivery: Delivery, error: str | None) -> None:
        """Store the outcome of an attempt, and when the next one is due."""
        retry_at = None
        if error is not None and delivery.attempts + 1 < MOST_ATTEMPTS:
            retry_at = self._clock() + round(back_off_s(delivery.attempts) * MICROSECONDS)
        outcome = "delivered" if error is None else "retried" if retry_at else "failed"
        if error:
            _log.warning("alert %s by %s %s: %s", delivery.id, delivery.channel, outcome, error)
        self._metrics.alert_deliveries.labels(delivery.channel, outcome).inc()
        note_attempt(self._engine, delivery, self._clock(), error, retry_at)


def back_off_s(attempts: int) -> float:
    """Seconds until the next attempt: doubled after each, up to a limit, of which a random half is left out.

    The jitter keeps several senders from trying at the same moment.
    """
    longest = min(_FIRST_RETRY_S * 2.0**attempts, _LAST_RETRY_S)
    return longest * random.uniform(0.5, 1.0)
