"""An attacker who reads every page at many moments learns nothing about groups of few visits.

The attacker knows the rules, and notes every figure of one choice of cameras: of periods of all kinds, at
many moments. Each figure is a sum over a set of visits. What can be computed from all of them by adding and
subtracting is the linear span of these sets, so a group of visits is revealed if it lies in the span. Visits
with an estimate are noted as well: where a switch is off, these are others.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from bus.messages import MINUTE_US
from storage.figures.change import settled_part
from storage.figures.release import Counts, Group, find_groups, find_runs
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit, day_timeline, rolling_timeline, shifted
from storage.local_time import HOUR_US, day_start

K = 10
ZONE = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 3, 27)
"""Three days before clocks are set forward."""
START = day_start(FIRST, ZONE)
DAYS = 4
WORLDS = 25
Visit = tuple[int, str]
"""The start of a visit and its camera."""


def make_visits(dice: random.Random) -> list[Visit]:
    """Four days of a shop: opening hours with a rate of its own, some visits at night, two cameras."""
    by_hour = dice.choice([2, 6, 15, 60])
    found = []
    for hour in range(24 * DAYS):
        rate = by_hour * dice.choice([0.5, 1, 2]) if 9 <= hour % 24 < 20 else dice.choice([0, 0, 0, 0.7])
        for _ in range(np.random.default_rng(dice.randrange(2**32)).poisson(rate)):
            at = START + hour * HOUR_US + dice.randrange(HOUR_US)
            found.append((at, dice.choice(["door", "door", "till"])))
    return sorted(found)


NOON = START + 36 * HOUR_US
SWITCHES: dict[str, Callable[[Visit], bool]] = {
    "the shelf's is off": lambda visit: visit[1] != "shelf",
    "the shelf's is put off at noon": lambda visit: visit[1] != "shelf" or visit[0] < NOON,
    "all are put off at noon and on the day after": lambda visit: not NOON <= visit[0] < NOON + 27 * HOUR_US,
}
"""Whether a visit has an estimate."""


def with_shelf(dice: random.Random, visits: list[Visit]) -> list[Visit]:
    """The same visits, some of them at a third camera."""
    part = dice.choice([0.05, 0.3, 0.6])
    return [(at, "shelf" if dice.random() < part else camera) for at, camera in visits]


class World:
    """The visits of a shop, as a database that stores each at its start has them at a moment.

    `is_estimated` tells whether a visit has an estimate.
    """

    def __init__(self, visits: list[Visit], is_estimated: Callable[[Visit], bool] = lambda _: True) -> None:
        self.visits = visits
        self.estimated = np.asarray([is_estimated(each) for each in visits])
        self.times = np.asarray([at for at, _ in visits], np.int64)
        self.cameras = tuple(sorted({camera for _, camera in visits}))
        self.of = {camera: np.asarray([each == camera for _, each in visits]) for camera in self.cameras}

    def read(self, timeline: Timeline) -> Counts:
        return Counts(self.cameras, self.count(timeline, np.ones(len(self.visits), bool)))

    def read_estimated(self, timeline: Timeline) -> Counts:
        counts = (self.count(timeline, which) for which in (self.estimated, ~self.estimated))
        return Counts(self.cameras, *counts)

    def count(self, timeline: Timeline, which: NDArray[np.bool_]) -> NDArray[np.float64]:
        known = which & (self.times <= timeline.now)
        columns = [
            np.histogram(self.times[known & self.of[each]], bins=np.asarray(timeline.edges))[0]
            for each in self.cameras
        ]
        return np.stack(columns, axis=1).astype(np.float64)

    def members(self, groups: Iterable[Group], choice: Choice) -> frozenset[int]:
        """The visits in some groups."""
        inside = np.zeros(len(self.visits), bool)
        for group in groups:
            inside |= (self.times >= group.start) & (self.times < group.end)
        chosen = np.asarray([choice.has(camera) for _, camera in self.visits])
        return frozenset(np.flatnonzero(inside & chosen).tolist())


def timelines(now: int) -> list[Timeline]:
    """What can be chosen on the pages at a moment."""
    rolling = [
        (15, Unit.MINUTE),
        (60, Unit.FIVE_MINUTES),
        (180, Unit.FIVE_MINUTES),
        (1440, Unit.HOUR),
        (2880, Unit.HOUR),
    ]
    found = [rolling_timeline(minutes, unit, now, ZONE) for minutes, unit in rolling]
    today = (now - START) // (24 * HOUR_US)
    for first in range(today + 1):
        begin, end = date(2026, 3, 27 + first), date(2026, 3, 27 + today)
        found += [day_timeline(begin, end, unit, now, ZONE) for unit in (Unit.HOUR, Unit.DAY, Unit.WEEK)]
        if first:
            found.append(shifted(day_timeline(begin, end, Unit.DAY, now, ZONE), 1))
    return found


def published(world: World, timeline: Timeline, choice: Choice) -> list[frozenset[int]]:
    """The sets of visits of all figures of a page: of the whole period and of each slot."""
    return [
        world.members(each, choice) for each in drawn(find_groups(world.read, timeline, choice), timeline)
    ]


def published_estimates(world: World, timeline: Timeline, choice: Choice) -> list[frozenset[int]]:
    """The sets of visits of all expressions, or genders, of a page."""
    groups = find_groups(world.read_estimated, timeline, choice, estimated=True)
    estimated = frozenset(np.flatnonzero(world.estimated).tolist())
    return [world.members(each, choice) & estimated for each in drawn(groups, timeline)]


def drawn(groups: list[Group], timeline: Timeline) -> list[list[Group]]:
    """The groups of the whole period and of each slot."""
    slots: defaultdict[int, list[Group]] = defaultdict(list)
    edges = np.asarray(timeline.edges)
    for group in groups:
        slot = int(np.searchsorted(edges, group.start, side="right")) - 1
        if group.end <= edges[slot + 1]:
            slots[slot].append(group)
    return [groups, *slots.values()]


def find_revealed(sets: Iterable[frozenset[int]], k: int) -> list[frozenset[int]]:
    """The groups of fewer than k visits that the attacker can compute.

    Visits that are in the same sets cannot be told apart: they form an atom. Atoms and unions of two of them
    are tried.
    """
    different = sorted({each for each in sets if each}, key=len)
    signatures: defaultdict[frozenset[int], set[int]] = defaultdict(set)
    by_visit: defaultdict[int, set[int]] = defaultdict(set)
    for number, each in enumerate(different):
        for visit in each:
            by_visit[visit].add(number)
    for visit, numbers in by_visit.items():
        signatures[frozenset(numbers)].add(visit)
    atoms = list(signatures.items())
    matrix = np.asarray(
        [[number in signature for signature, _ in atoms] for number in range(len(different))], float
    )
    if not matrix.size:
        return []
    _, sizes, rows = np.linalg.svd(matrix, full_matrices=False)
    span = rows[sizes > 1e-9]
    small = [place for place, (_, visits) in enumerate(atoms) if len(visits) < k]
    wanted = [(place,) for place in small]
    wanted += [(a, b) for a in small for b in small if a < b and len(atoms[a][1]) + len(atoms[b][1]) < k]
    revealed = []
    for places in wanted:
        target = np.zeros(len(atoms))
        target[list(places)] = 1
        if np.linalg.norm(target - span.T @ (span @ target)) < 1e-6:
            revealed.append(frozenset().union(*(atoms[place][1] for place in places)))
    return revealed


def moments(dice: random.Random, count: int) -> list[int]:
    """Random moments, each with a refresh some seconds later, and the ends of days."""
    found = []
    for _ in range(count):
        at = START + dice.randrange(HOUR_US, DAYS * 24 * HOUR_US)
        found += [at, at + dice.randrange(1, 600) * 1_000_000]
    return sorted(found)


def compared(world: World, timeline: Timeline, choice: Choice) -> list[frozenset[int]]:
    """The sets of visits of which a change of the number of visits may consist."""
    settled = settled_part(timeline)
    found = find_groups(world.read, settled, choice) if settled else []
    return [world.members([group], choice) for group in found]


@pytest.mark.parametrize("seed", range(WORLDS))
def test_no_figures_of_any_periods_and_moments_reveal_few_visits(seed: int) -> None:
    dice = random.Random(seed)
    world = World(make_visits(dice))
    for choice in (Choice(K), Choice(K, frozenset({"door"}))):
        sets = [
            each
            for now in moments(dice, 6)
            for timeline in timelines(now)
            for each in (*published(world, timeline, choice), *compared(world, timeline, choice))
        ]
        assert all(not each or len(each) >= K for each in sets)
        assert find_revealed(sets, K) == []


@pytest.mark.parametrize("seed", range(WORLDS))
@pytest.mark.parametrize("switch", SWITCHES)
def test_no_estimates_reveal_few_visits_together_with_the_numbers_of_visits(seed: int, switch: str) -> None:
    dice = random.Random(seed)
    world = World(with_shelf(dice, make_visits(dice)), SWITCHES[switch])
    choice = Choice(K, dice.choice([None, frozenset({"door"}), frozenset({"door", "shelf"})]))
    sets = [
        each
        for now in moments(dice, 6)
        for timeline in timelines(now)
        for attack in (published, published_estimates)
        for each in attack(world, timeline, choice)
    ]
    assert all(not each or len(each) >= K for each in sets)
    assert find_revealed(sets, K) == []


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_attack_finds_what_estimates_reveal_in_the_groups_of_all_visits(switch: str) -> None:
    successes = 0
    for seed in range(5):
        dice = random.Random(seed)
        world = World(with_shelf(dice, make_visits(dice)), SWITCHES[switch])
        estimated = frozenset(np.flatnonzero(world.estimated).tolist())
        sets = [
            part
            for now in moments(dice, 6)
            for timeline in timelines(now)
            for each in published(world, timeline, Choice(K))
            for part in (each, each & estimated)
            if len(part) >= K
        ]
        successes += bool(find_revealed(sets, K))
    assert successes


def test_groups_with_estimates_are_those_of_all_visits_where_no_switch_is_off() -> None:
    dice = random.Random(1)
    world = World(make_visits(dice))
    for now in moments(dice, 6):
        for timeline in timelines(now):
            for choice in (Choice(K), Choice(K, frozenset({"door"}))):
                groups = find_groups(world.read_estimated, timeline, choice, estimated=True)
                assert groups == find_groups(world.read, timeline, choice)


def test_the_attack_finds_what_plain_sums_reveal() -> None:
    """Without groups, two refreshes and two periods reveal single visits in every world."""
    successes = 0
    for seed in range(WORLDS):
        dice = random.Random(seed)
        world = World(make_visits(dice))
        sets = []
        for now in moments(dice, 6):
            for timeline in timelines(now):
                begin, end = timeline.start, min(timeline.end, now)
                inside = np.flatnonzero((world.times >= begin) & (world.times < end))
                if len(inside) >= K:
                    sets.append(frozenset(inside.tolist()))
        successes += bool(find_revealed(sets, K))
    assert successes == WORLDS


@pytest.mark.parametrize("seed", range(5))
def test_a_day_that_is_over_has_all_its_visits_in_every_unit(seed: int) -> None:
    world = World(make_visits(random.Random(seed)))
    now = START + DAYS * 24 * HOUR_US
    for unit in (Unit.HOUR, Unit.DAY, Unit.WEEK):
        timeline = day_timeline(FIRST, date(2026, 3, 29), unit, now, ZONE)
        (whole, *_) = published(world, timeline, Choice(K))
        days = [
            np.flatnonzero(
                (world.times >= day_start(each, ZONE)) & (world.times < day_start(following, ZONE))
            )
            for each, following in zip(
                (date(2026, 3, 27), date(2026, 3, 28), date(2026, 3, 29)),
                (date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)),
                strict=True,
            )
        ]
        assert whole == frozenset(visit for day in days if len(day) >= K for visit in day.tolist())


@pytest.mark.parametrize(
    ("counts", "closed", "runs"),
    [
        ([], True, []),
        ([3, 4], True, []),
        ([10, 12], True, [range(1), range(1, 2)]),
        ([10, 12], False, [range(1)]),
        ([10, 12, 3], True, [range(1), range(1, 3)]),
        ([10, 12, 3], False, [range(1)]),
        ([0, 4, 0, 7, 11], True, [range(1, 4), range(4, 5)]),
        ([0, 4, 0, 7, 11], False, [range(1, 4)]),
        ([12, 0, 0], True, [range(1)]),
    ],
)
def test_runs_of_few_visits(counts: list[int], closed: bool, runs: list[range]) -> None:
    assert find_runs(counts, K, closed) == runs


@pytest.mark.parametrize(
    ("counts", "off", "closed", "runs"),
    [
        ([10, 12, 11], [0, 0, 0], False, [range(1), range(1, 2)]),
        ([10, 12, 11], [3, 7, 0], False, []),
        ([10, 12, 11], [3, 7, 12], False, [range(2)]),
        ([10, 12, 11], [3, 7, 0], True, [range(3)]),
        ([10, 12, 11], [3, 7, 12], True, [range(2), range(2, 3)]),
        ([10, 0, 11], [0, 12, 0], True, [range(1), range(1, 3)]),
        ([10, 12, 0], [0, 0, 3], True, [range(1), range(1, 3)]),
        ([10, 2], [3, 2], True, []),
    ],
)
def test_runs_have_enough_of_the_visits_without_an_estimate_too(
    counts: list[int], off: list[int], closed: bool, runs: list[range]
) -> None:
    assert find_runs(counts, K, closed, off) == runs


def test_minutes_are_parts_of_shown_groups() -> None:
    world = World(sorted((START + 10 * HOUR_US + second * 3_000_000, "door") for second in range(1200)))
    now = START + 11 * HOUR_US + 10 * MINUTE_US
    five = find_groups(world.read, rolling_timeline(60, Unit.FIVE_MINUTES, now, ZONE), Choice(K))
    minutes = find_groups(world.read, rolling_timeline(15, Unit.MINUTE, now, ZONE), Choice(K))
    assert five
    assert all(any(part.start <= each.start and each.end <= part.end for part in five) for each in minutes)
