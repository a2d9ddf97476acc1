"""Visitors of a demo camera and their positions: pure functions of the camera's name and the time."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ingest.demo.bodies import Outfit
from ingest.demo.mix import MIXES
from ingest.demo.routes import ROUTES, Pose, Route
from ingest.demo.sheet import load_sheet

SLOT = 6.0
"""Seconds per slot in the stream of visitors; a slot is taken or free."""
LONGEST = 26.0
"""Seconds that the longest route takes."""


_CLOTHES = (
    ("coat", 62, 190, 44),
    ("jumper", 132, 0, 56),
    ("jacket", 58, 170, 100),
    ("coat", 150, 84, 56),
    ("jumper", 72, 0, 110),
    ("coat", 104, 205, 44),
    ("jacket", 142, 64, 40),
    ("jumper", 172, 0, 56),
    ("coat", 48, 170, 56),
    ("jacket", 92, 205, 110),
    ("coat", 178, 64, 44),
    ("jumper", 44, 0, 100),
)
"""Style and tones of coat, lining and trousers."""
_BUILDS = {"female": 0.92, "male": 1.02}
_HEIGHTS = {"female": (1.66, 0.05), "male": (1.76, 0.06)}
"""Mean and standard deviation in metres."""


@dataclass(frozen=True, eq=False)
class Visitor:
    """One simulated person and their route; `arrives` in seconds since the epoch."""

    number: int
    gender: str
    expression: str
    head: int
    """Index into the sheet's heads."""
    height: float
    """In metres."""
    outfit: Outfit
    arrives: float
    route: Route

    def at(self, time: float) -> Pose:
        """Where the visitor is at a time."""
        return self.route.at(time - self.arrives)


def kind_of(camera: str) -> str:
    """The kind of place that a camera of this name watches; every name has one."""
    return camera if camera in ROUTES else tuple(ROUTES)[zlib.crc32(camera.encode()) % len(ROUTES)]


def present(camera: str, time: float) -> list[Visitor]:
    """The visitors who are present at a time, in seconds since the epoch."""
    last = math.floor(time / SLOT)
    first = math.floor((time - LONGEST) / SLOT)
    candidates = (visitor for slot in range(first, last + 1) for visitor in arriving(camera, slot))
    return [v for v in candidates if v.arrives <= time < v.arrives + v.route.duration]


@lru_cache(maxsize=512)
def arriving(camera: str, slot: int) -> tuple[Visitor, ...]:
    """The visitors who arrive in one slot: nobody, one, or two together."""
    rng = np.random.default_rng((zlib.crc32(camera.encode()), slot & 0xFFFFFFFF))
    kind = kind_of(camera)
    mix = MIXES[kind]
    start = slot * SLOT
    if rng.random() > mix.busyness(start):
        return ()
    arrives = start + float(rng.uniform(0, 0.7 * SLOT))
    together = 1 + int(rng.random() < 0.12)
    return tuple(
        _visitor(camera, slot * 2 + follower, arrives + 1.1 * follower, rng) for follower in range(together)
    )


def _visitor(camera: str, number: int, arrives: float, rng: np.random.Generator) -> Visitor:
    kind, crc = kind_of(camera), zlib.crc32(camera.encode())
    mix = MIXES[kind]
    gender = "female" if rng.random() < mix.share_of_women(arrives) else "male"
    heads = load_sheet().numbers(gender)
    weights = {name: weight for name, weight in mix.expressions(arrives).items() if name in heads}
    shares = np.array(list(weights.values())) / sum(weights.values())
    expression = str(rng.choice(list(weights), p=shares))
    style, coat, lining, trousers = _CLOTHES[int(rng.integers(len(_CLOTHES)))]
    return Visitor(
        number=number,
        gender=gender,
        expression=expression,
        head=heads[expression][(number // 2 + number % 2 + crc) % len(heads[expression])],
        height=float(rng.normal(*_HEIGHTS[gender])),
        outfit=Outfit(style, coat, lining, trousers, _BUILDS[gender]),
        arrives=arrives,
        route=ROUTES[kind](number // 2 + 3 * (number % 2), rng),
    )
