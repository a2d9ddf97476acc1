"""What each alert rule finds now: a verdict for each of its subjects, a camera or a site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from zoneinfo import ZoneInfo

from bus.messages import MINUTE_US
from storage.alert_rules import DAY_MINUTES, AlertKind, AlertRule, watched_cameras
from storage.camera_status import CameraStatus, Condition
from storage.engine import Database
from storage.figures.cells import read_cells, snapshot
from storage.figures.comparison import SIGNIFICANCE, Chosen, Compared, Comparison, Verdict, compare
from storage.figures.difference import adjust_holm
from storage.figures.measures import MOOD, VISITS
from storage.figures.timeline import Unit, day_timeline, rolling_timeline
from storage.local_time import date_of

BASELINE_DAYS = 28
"""The days before the period with which shifts are compared: each weekday four times."""

_FEWEST_SCHEDULED_US = 5 * MINUTE_US
_SHOWN = {AlertKind.VISITS_SHIFTED: VISITS, AlertKind.MOOD_SHIFTED: MOOD}
_LONGEST_FINE_MINUTES = DAY_MINUTES


class Found(Enum):
    """What is found of a subject: its condition holds, holds not, or cannot be judged at present."""

    BAD = auto()
    GOOD = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule finds of one subject; a subject that is not watched any more has no finding."""

    subject: str
    site: str
    verdict: Found
    detail: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """How figures are read: small groups are hidden, days are local."""

    suppress_below: int
    zone: ZoneInfo


def find_down(rule: AlertRule, cameras: Sequence[CameraStatus], simulated: frozenset[str]) -> list[Finding]:
    """Cameras that deliver no pictures although they should; the hold time is the judge's concern."""
    found = []
    for camera in _watched(rule, cameras):
        if camera.condition is Condition.ONLINE:
            verdict, detail = Found.GOOD, "delivers pictures"
        elif not camera.condition.expected:
            verdict, detail = Found.UNKNOWN, str(camera.condition)
        else:
            verdict = Found.BAD
            detail = camera.reason or str(camera.condition)
        found.append(Finding(camera.camera_id, camera.site, verdict, detail, camera.camera_id in simulated))
    return found


def find_low_coverage(
    engine: Database,
    rule: AlertRule,
    cameras: Sequence[CameraStatus],
    simulated: frozenset[str],
    now: int,
    rules: Rules,
) -> list[Finding]:
    """Cameras that watched less than they were scheduled to. Raises DatabaseError."""
    watched = _watched(rule, cameras)
    if not watched:
        return []
    unit = Unit.FIVE_MINUTES if rule.minutes <= _LONGEST_FINE_MINUTES else Unit.HOUR
    timeline = rolling_timeline(rule.minutes, unit, now, rules.zone)
    columns = ("watched_us", "scheduled_us")
    with snapshot(engine) as connection:
        cells = read_cells(connection, timeline, columns, only=[each.camera_id for each in watched])
    sums = {camera: cells.values[:, place].sum(axis=0).tolist() for place, camera in enumerate(cells.cameras)}
    found = []
    for camera in watched:
        seen, scheduled = sums.get(camera.camera_id, (0.0, 0.0))
        verdict, detail = Found.UNKNOWN, "not scheduled"
        if scheduled >= _FEWEST_SCHEDULED_US:
            coverage = seen / scheduled
            verdict = Found.BAD if coverage < rule.threshold else Found.GOOD
            detail = f"coverage {_percent(coverage)} of the last {_duration(rule.minutes)}"
        found.append(Finding(camera.camera_id, camera.site, verdict, detail, camera.camera_id in simulated))
    return found


def find_shifts(
    engine: Database,
    rule: AlertRule,
    cameras: Sequence[CameraStatus],
    simulated: frozenset[str],
    now: int,
    rules: Rules,
) -> list[Finding]:
    """Sites whose visits or mood differ from the same weekdays and hours of the four weeks before.

    The period is the last full days. P-values are adjusted by Holm's method twice: for the measures of a
    comparison, and for the sites of the rule. Raises DatabaseError.
    """
    by_site: dict[str, set[str]] = {}
    # Without cameras that are paused now: their time is on one side alone.
    for camera in _watched(rule, cameras):
        by_site.setdefault(camera.site, set()).add(camera.camera_id)
    compared = {
        site: _compare(engine, rule, frozenset(ids), now, rules) for site, ids in sorted(by_site.items())
    }
    measured = {site: _measure(rule, each) for site, each in compared.items()}
    enough = [site for site, each in measured.items() if each.verdict is not Verdict.TOO_LITTLE]
    adjusted = dict(zip(enough, adjust_holm([measured[site].p for site in enough]), strict=True))
    found = []
    for site, each in measured.items():
        verdict, detail = Found.UNKNOWN, "not enough data"
        if site in adjusted:
            clear = adjusted[site] < SIGNIFICANCE and each.verdict in {Verdict.UP, Verdict.DOWN}
            verdict = Found.BAD if clear else Found.GOOD
            detail = _describe(each, compared[site], rule) if clear else "no clear change"
        is_simulated = compared[site].a.simulated or bool(by_site[site] & simulated)
        found.append(Finding(site, site, verdict, detail, is_simulated))
    return found


def _compare(
    engine: Database, rule: AlertRule, cameras: frozenset[str], now: int, rules: Rules
) -> Comparison:
    last = date_of(now, rules.zone) - timedelta(days=1)
    first = last - timedelta(days=rule.minutes // DAY_MINUTES - 1)
    before = first - timedelta(days=1)
    period = day_timeline(first, last, Unit.DAY, now, rules.zone)
    baseline = day_timeline(before - timedelta(days=BASELINE_DAYS - 1), before, Unit.DAY, now, rules.zone)
    return compare(
        engine, Chosen(period, cameras), Chosen(baseline, cameras), rules.suppress_below, matched=True
    )


def _measure(rule: AlertRule, comparison: Comparison) -> Compared:
    key = _SHOWN[rule.kind].key
    return next(each for each in comparison.measures if each.measure.key == key)


def _describe(compared: Compared, comparison: Comparison, rule: AlertRule) -> str:
    found = compared.difference
    assert found  # A clear verdict has a difference.
    days = rule.minutes // DAY_MINUTES
    count = len(comparison.left_out)
    left_out = f"; cameras left out, since not scheduled on both sides: {count}" if count else ""
    counts = compared.n_a, compared.n_b
    # A number of visits that would reveal few others is left out.
    visits = "" if None in counts else f"; {compared.n_a} and {compared.n_b} visits"
    return (
        f"{compared.measure.name.lower()} {compared.verdict}: {found.a:.1f} in the last {days} days, "
        f"{found.b:.1f} expected from the same weekdays and hours of the {BASELINE_DAYS} days before "
        f"(difference {found.value:+.1f}, 95 % interval {found.low:+.1f} to {found.high:+.1f}"
        f"{visits}{left_out})"
    )


def _watched(rule: AlertRule, cameras: Sequence[CameraStatus]) -> list[CameraStatus]:
    """The cameras of a rule that are neither paused nor at the end of their recording."""
    wanted = watched_cameras(rule, [each.camera_id for each in cameras])
    unwatched = {Condition.PAUSED, Condition.ENDED}
    return [each for each in cameras if each.camera_id in wanted and each.condition not in unwatched]


def names_of(cameras: Sequence[CameraStatus]) -> Mapping[str, str]:
    """The names of cameras by id."""
    return {each.camera_id: each.name for each in cameras}


def _percent(share: float) -> str:
    # Rounded down, so that 89.6 % under a limit of 90 % does not read "90 %".
    return f"{int(100 * share)} %"


def _duration(minutes: int) -> str:
    if minutes % DAY_MINUTES == 0:
        return f"{minutes // DAY_MINUTES} days"
    return f"{minutes // 60} hours" if minutes % 60 == 0 else f"{minutes} minutes"
