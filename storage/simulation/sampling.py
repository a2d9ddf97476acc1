"""Rows of one simulated day, drawn by chance: the same seed and day give the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, MINUTE_US, UNKNOWN
from storage.local_time import HOUR_US, hour_edges, to_local_time
from storage.open_hours import open_intervals
from storage.simulation.scenario import Scenario, SimulatedCamera
from storage.sums import SIMULATED_MODEL
from storage.tables import COUNTS, EXPRESSIONS

_FPS = 5
_DAY_NOISE = 0.08
"""The standard deviation of the logarithm of a day's level: visits of one day are alike."""

_OTHERS = {"surprise": 0.1, "sadness": 0.13, "fear": 0.04, "disgust": 0.03, "anger": 0.12}
"""Shares of the expressions beside happiness and neutral, of what is not happiness."""

_SURE = 0.5
"""The probability from which on a label is given."""


@dataclass(frozen=True, slots=True)
class Day:
    """The rows of one day as tuples: of `VISIT_ORDER` and of minute, camera and `COUNTS`."""

    visits: list[tuple[Any, ...]]
    minutes: list[tuple[Any, ...]]


VISIT_ORDER = (
    *("visit_id", "first_seen", "camera_id", "last_seen", "frames", "face_size", "quality"),
    *(f"p_{name}" for name in EXPRESSIONS),
    *("p_female", "expression", "gender", "model", "closed"),
)
MINUTE_ORDER = ("minute", "camera_id", *COUNTS)


def sample_day(scenario: Scenario, day: date, zone: ZoneInfo, now_us: int) -> Day:
    """Draw the rows of one local day up to `now_us`."""
    dice = np.random.default_rng([scenario.seed, day.toordinal()])
    levels: dict[str, float] = {}
    visits: list[tuple[Any, ...]] = []
    minutes: list[tuple[Any, ...]] = []
    for camera in scenario.cameras:
        level = levels.setdefault(camera.site, float(np.exp(dice.normal(0, _DAY_NOISE))))
        watched = _watched(scenario, camera, day, zone, now_us)
        visits += _visits(scenario, camera, day, zone, dice, watched, level)
        minutes += _minutes(camera, dice, watched)
    minutes.sort(key=lambda row: row[:2])
    visits.sort(key=lambda row: row[1])
    # Ids in the order of time, since an index is filled fastest in its order.
    numbers = dice.integers(2**63, size=len(visits)).tolist()
    named = [(f"{row[1]:016x}{number:016x}", *row[1:]) for row, number in zip(visits, numbers, strict=True)]
    return Day(named, minutes)


def _watched(
    scenario: Scenario, camera: SimulatedCamera, day: date, zone: ZoneInfo, now_us: int
) -> NDArray[np.int64]:
    """The minutes in which the camera watched: the open hours without the outage, until now."""
    start = hour_edges(day, zone)[0]
    down_from, down_to = (start + round(hour * HOUR_US) for hour in scenario.outage(camera, day))
    found = [
        np.arange(begin, min(end, now_us - MINUTE_US), MINUTE_US)
        for begin, end in open_intervals(camera.open_hours, day, zone)
    ]
    minutes = np.concatenate(found) if found else np.zeros(0, np.int64)
    return minutes[(minutes < down_from) | (minutes >= down_to)]


def _minutes(
    camera: SimulatedCamera, dice: np.random.Generator, watched: NDArray[np.int64]
) -> Iterator[tuple[Any, ...]]:
    n = len(watched)
    captured = 60 * _FPS
    stale = np.where(dice.random(n) < 0.03, 2, 0)
    analysed = captured - stale
    counts = dict.fromkeys(COUNTS, np.zeros(n, np.int64)) | {
        "captured": np.full(n, captured),
        "analysed": analysed,
        "stale": stale,
        "faces": np.minimum(dice.poisson(camera.visits_per_hour * 0.7, n), captured),
        "watched_us": np.full(n, MINUTE_US),
        "age_sum_us": analysed * dice.integers(60_000, 110_000, n),
    }
    columns = [counts[name].tolist() for name in COUNTS]
    return zip(watched.tolist(), [camera.id] * n, *columns, strict=True)


def _visits(
    scenario: Scenario,
    camera: SimulatedCamera,
    day: date,
    zone: ZoneInfo,
    dice: np.random.Generator,
    watched: NDArray[np.int64],
    level: float,
) -> Iterator[tuple[Any, ...]]:
    first_seen = _times(scenario, camera, day, zone, dice, level)
    first_seen = first_seen[np.isin(first_seen - first_seen % MINUTE_US, watched)]
    n = len(first_seen)
    mix = _mix(scenario.happiness(camera, day))
    looks = dice.choice(len(EXPRESSIONS), n, p=mix)
    sure = dice.beta(6, 2.5, n)
    rest = dice.random((n, len(EXPRESSIONS))) ** 2
    rest[np.arange(n), looks] = 0
    probabilities = rest * ((1 - sure) / rest.sum(axis=1))[:, None]
    probabilities[np.arange(n), looks] += sure
    female = np.where(dice.random(n) < camera.female, dice.beta(6, 1.4, n), dice.beta(1.4, 6, n))
    seconds = np.minimum(0.6 + dice.lognormal(1.75, 0.9, n), 900)
    names = np.array(EXPRESSIONS)[looks]
    expressions = np.where(sure >= _SURE, names, UNKNOWN)
    genders = np.where(female >= 0.7, "female", np.where(female <= 0.3, "male", UNKNOWN))
    columns: list[list[Any]] = [
        [""] * n,
        first_seen.tolist(),
        [camera.id] * n,
        (first_seen + np.round(seconds * MICROSECONDS).astype(np.int64)).tolist(),
        np.maximum(np.round(seconds * _FPS), 3).astype(np.int64).tolist(),
        dice.uniform(34, 120, n).round(1).tolist(),
        dice.uniform(0.6, 0.99, n).round(3).tolist(),
        *probabilities.T.round(4).tolist(),
        female.round(4).tolist(),
        expressions.tolist(),
        genders.tolist(),
        [SIMULATED_MODEL] * n,
        [True] * n,
    ]
    return zip(*columns, strict=True)


def _times(
    scenario: Scenario,
    camera: SimulatedCamera,
    day: date,
    zone: ZoneInfo,
    dice: np.random.Generator,
    level: float,
) -> NDArray[np.int64]:
    """The times at which visits start, hour by hour."""
    edges = hour_edges(day, zone)
    found = []
    for start, end in pairwise(edges):
        hour = to_local_time(start, zone) // HOUR_US % 24
        count = dice.poisson(level * scenario.expected_visits(camera, day, hour))
        found.append(dice.integers(start, end, count))
    return np.concatenate(found)


def _mix(happiness: float) -> list[float]:
    shares = {name: share * (1 - happiness) for name, share in _OTHERS.items()}
    shares |= {"happiness": happiness, "neutral": (1 - happiness) * (1 - sum(_OTHERS.values()))}
    return [shares[name] for name in EXPRESSIONS]
