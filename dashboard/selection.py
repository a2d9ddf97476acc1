"""What a viewer has selected: period, cameras and comparison; all of it is in the page's address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from storage.figures.timeline import MOST_DAYS, Timeline, Unit, WrongPeriod, day_timeline, rolling_timeline
from storage.local_time import date_of

DATES = "Dates"
"""The period that two dates limit."""

BEFORE, YEAR, NOTHING = "against weeks before", "against a year before", "no comparison"
COMPARISONS = (BEFORE, YEAR, NOTHING)
WEEK = 7
_YEAR_DAYS = 52 * WEEK
"""A year earlier, on the same weekday."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A period that ends now: some minutes, or the local days up to today; and its usual slots."""

    name: str
    unit: Unit
    minutes: int = 0
    days: int = 0


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("15 min", Unit.MINUTE, minutes=15),
        Preset("1 h", Unit.FIVE_MINUTES, minutes=60),
        Preset("24 h", Unit.HOUR, minutes=24 * 60),
        Preset("7 days", Unit.DAY, days=7),
        Preset("28 days", Unit.DAY, days=28),
        Preset("13 weeks", Unit.WEEK, days=91),
        Preset("12 months", Unit.WEEK, days=364),
    )
}
PERIODS = (*PRESETS, DATES)


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected period, cameras (None for all) and comparison.

    `first` and `last` limit the period `DATES`; None where they are not chosen yet.
    """

    period: str
    first: date | None = None
    last: date | None = None
    cameras: frozenset[str] | None = None
    versus: str = BEFORE

    def timeline(self, now: int, zone: ZoneInfo, unit: Unit | None = None) -> Timeline:
        """The selected period in slots of `unit`, None for the usual ones.

        Raises WrongPeriod where dates are missing, reversed or in the future, or the period is too long for
        its slots.
        """
        first, last = self._dates(now, zone)
        chosen = unit if unit in self.units(now, zone) else None
        preset = PRESETS.get(self.period)
        if preset and preset.minutes:
            return rolling_timeline(preset.minutes, chosen or preset.unit, now, zone)
        return day_timeline(first, last, chosen or self._usual(first, last), now, zone)

    def units(self, now: int, zone: ZoneInfo) -> tuple[Unit, ...]:
        """The units that the period can be divided into."""
        preset = PRESETS.get(self.period)
        if preset and preset.minutes:
            return tuple(unit for unit in Unit if (unit.minutes or preset.minutes) < preset.minutes)
        first, last = self._dates(now, zone)
        days = (last - first).days + 1
        limits = {
            Unit.MINUTE: 1,
            Unit.FIVE_MINUTES: 3,
            Unit.HOUR: 31,
            Unit.DAY: MOST_DAYS,
            Unit.WEEK: MOST_DAYS,
        }
        least = {Unit.DAY: 2, Unit.WEEK: 8}
        return tuple(unit for unit, most in limits.items() if least.get(unit, 1) <= days <= most)

    def shift_days(self, now: int, zone: ZoneInfo) -> int | None:
        """How many days earlier the period of the comparison is, None without one."""
        if self.versus == NOTHING:
            return None
        if self.versus == YEAR:
            return _YEAR_DAYS
        first, last = self._dates(now, zone)
        return -(-((last - first).days + 1) // WEEK) * WEEK

    def _usual(self, first: date, last: date) -> Unit:
        preset = PRESETS.get(self.period)
        if preset:
            return preset.unit
        days = (last - first).days + 1
        return Unit.HOUR if days <= 2 else Unit.DAY if days <= 62 else Unit.WEEK

    def _dates(self, now: int, zone: ZoneInfo) -> tuple[date, date]:
        today = date_of(now, zone)
        preset = PRESETS.get(self.period)
        if not preset:
            if self.first is None or self.last is None:
                raise WrongPeriod("Choose the first and the last day of the period.")
            if self.last < self.first:
                raise WrongPeriod("The last day of the period is before the first: exchange them.")
            if self.first > today:
                raise WrongPeriod("The period has not begun yet: choose earlier days.")
            if (self.last - self.first).days + 1 > MOST_DAYS:
                raise WrongPeriod(f"A period has at most {MOST_DAYS} days: choose a shorter one.")
            return self.first, self.last
        if preset.days > 62:
            # Full weeks, so that the first slot is not shorter than the others.
            monday = today - timedelta(days=today.weekday())
            return monday - timedelta(days=preset.days - WEEK), today
        return today - timedelta(days=max(preset.days, 1) - 1), today


def comparison_text(days: int) -> str:
    """The compared period in words: "7 days before"."""
    return "a year before" if days == _YEAR_DAYS else f"{days} days before"


def cameras_of(site: str | None, chosen: Iterable[str], sites: dict[str, str]) -> frozenset[str] | None:
    """The selected cameras: those `chosen`, limited to a site; None for all. `sites` are by camera."""
    picked = frozenset(chosen)
    if site is None:
        return picked or None
    of_site = frozenset(camera for camera, its_site in sites.items() if its_site == site)
    return (picked & of_site) or of_site
