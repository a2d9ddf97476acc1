"""What a simulated history contains: sites, cameras, rhythms, trends, outages, events of known effect."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

_SITES = ("Harbour Street", "Market Square", "Station Arcade", "Mill Lane", "Old Town", "North Park")
_ZONES = (
    ("Entrance", 1.6),
    ("Aisle", 1.0),
    ("Shelf", 0.8),
    ("Checkout", 1.3),
    ("Window", 0.7),
    ("Café", 0.9),
)
_OPEN_HOURS = (
    "Mo-Sa 09:00-20:00",
    "Mo-Fr 08:00-19:00, Sa 09:00-18:00",
    "Mo-Sa 10:00-20:00, Su 12:00-18:00",
)
_HOUR_SHAPE = (0.0,) * 8 + (0.5, 0.6, 0.8, 0.95, 1.15, 1.1, 0.95, 1.0, 1.2, 1.45, 1.3, 0.9, 0.5) + (0.0,) * 3
_WEEKDAY_SHAPE = (0.85, 0.88, 0.92, 1.0, 1.15, 1.35, 0.8)
_VISITS_PER_HOUR = 10.0
_RARE_VISITS_PER_HOUR = 0.35
_RARE_EVERY = 10
"""One camera in so many counts little, so that suppression can be seen."""

CAMPAIGN_VISITS = 1.25
"""The factor by which the campaign raises the number of visits."""

CAMPAIGN_HAPPINESS = 0.08
"""What the campaign adds to the share of happiness; every other expression loses in proportion."""


@dataclass(frozen=True, slots=True)
class SimulatedCamera:
    """One camera: its registration, its mean number of visits in an average open hour, and its visitors.

    `growth` is the factor of visits over a year, `happiness` and `female` are shares.
    """

    id: str
    name: str
    site: str
    zone: str
    source: str
    open_hours: str
    visits_per_hour: float
    growth: float
    happiness: float
    female: float
    enabled: bool = False


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """An event with its effect on the cameras of one site, or on none; `last` is included."""

    name: str
    first: date
    last: date
    site: str
    visits: float = 1.0
    happiness: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that determines a history, apart from chance; `last` is the current day."""

    cameras: tuple[SimulatedCamera, ...]
    events: tuple[SimulatedEvent, ...]
    first: date
    last: date
    seed: int

    def expected_visits(self, camera: SimulatedCamera, day: date, hour: int) -> float:
        """The expected number of visits in a local hour."""
        years = (day - self.first).days / 365
        season = 1 + 0.12 * math.cos(2 * math.pi * (day.timetuple().tm_yday - 350) / 365)
        rate = camera.visits_per_hour * _HOUR_SHAPE[hour] * _WEEKDAY_SHAPE[day.weekday()] * season
        rate *= math.pow(camera.growth, years)
        for event in self._active(camera, day):
            rate *= event.visits
        return rate

    def happiness(self, camera: SimulatedCamera, day: date) -> float:
        """The share of happiness among the expressions of a day."""
        weekend = 0.03 if day.weekday() >= 5 else 0.0
        years = (day - self.first).days / 365
        return (
            camera.happiness
            + weekend
            + 0.03 * years
            + sum(event.happiness for event in self._active(camera, day))
        )

    def outage(self, camera: SimulatedCamera, day: date) -> tuple[float, float]:
        """The hours of a day, from and to, in which the camera delivered nothing; equal without an outage."""
        dice = random.Random(f"outage {self.seed} {camera.id} {day}")
        if dice.random() >= 1 / 40:
            return 0.0, 0.0
        start = dice.uniform(9, 18)
        return start, start + dice.choice((0.5, 1, 2, 6))

    def _active(self, camera: SimulatedCamera, day: date) -> list[SimulatedEvent]:
        return [
            event for event in self.events if event.first <= day <= event.last and event.site == camera.site
        ]


def create_scenario(days: int, cameras: int, seed: int, today: date) -> Scenario:
    """A chain of shops with `cameras` cameras, and its last `days` days.

    A campaign with a known uplift and an event without any effect are at the first site.
    """
    made = tuple(_camera(number, seed) for number in range(cameras))
    return Scenario(made, _events(made[0].site, days, today), today - timedelta(days=days - 1), today, seed)


def create_demo_scenario(names: Sequence[tuple[str, str]], site: str, days: int, today: date) -> Scenario:
    """The history of the demo's cameras, given as id and name, which deliver pictures afterwards."""
    rates = (14.0, 8.0, 11.0)
    made = tuple(
        SimulatedCamera(
            id=camera_id,
            name=name,
            site=site,
            zone="",
            source=f"demo://{camera_id}",
            open_hours="",  # They can be watched at any hour.
            visits_per_hour=rates[number % len(rates)],
            growth=1.2,
            happiness=0.44 + 0.04 * number,
            female=0.5,
            enabled=True,
        )
        for number, (camera_id, name) in enumerate(names)
    )
    return Scenario(made, _events(site, days, today), today - timedelta(days=days - 1), today, seed=1)


def _camera(number: int, seed: int) -> SimulatedCamera:
    dice = random.Random(f"camera {seed} {number}")
    zone, share = _ZONES[number % len(_ZONES)]
    branch = number // len(_ZONES)
    site = _SITES[branch] if branch < len(_SITES) else f"Branch {branch + 1}"
    rare = number % _RARE_EVERY == _RARE_EVERY - 1
    rate = _RARE_VISITS_PER_HOUR if rare else _VISITS_PER_HOUR * share * dice.uniform(0.7, 1.3)
    return SimulatedCamera(
        id=f"sim-{number + 1:02d}",
        name=f"{zone} {site}",
        site=site,
        zone=zone.lower(),
        source="demo://shelf",
        open_hours=_OPEN_HOURS[branch % len(_OPEN_HOURS)],
        visits_per_hour=rate,
        growth=dice.uniform(0.8, 1.4),
        happiness=dice.uniform(0.2, 0.36),
        female=dice.uniform(0.4, 0.62),
    )


def _events(site: str, days: int, today: date) -> tuple[SimulatedEvent, ...]:
    found = []
    if days >= 35:
        found.append(
            SimulatedEvent(
                "Loyalty campaign",
                today - timedelta(days=20),
                today - timedelta(days=7),
                site,
                visits=CAMPAIGN_VISITS,
                happiness=CAMPAIGN_HAPPINESS,
            )
        )
    if days >= 70:
        first = today - timedelta(days=48)
        found.append(SimulatedEvent("New shelf labels", first, first + timedelta(days=13), site))
    return tuple(found)
