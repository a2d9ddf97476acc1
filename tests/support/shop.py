"""A generated history of a shop, stored like that of the pipeline: visits, coverage and camera states."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from bus.messages import (
    MICROSECONDS,
    MINUTE_US,
    UNKNOWN,
    CameraHealth,
    CameraMinute,
    CameraState,
    Estimate,
    Results,
    Visit,
    minute_of,
)
from common.access import LOCAL
from storage import tables
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer

CAMERAS = (
    CameraRow(
        "entrance", "rtsp://shop:${CAMERA_PASSWORD}@10.0.0.11/1", "Entrance", "Harbour Street", "door", 5
    ),
    CameraRow("aisle", "rtsp://shop:${CAMERA_PASSWORD}@10.0.0.12/1", "Aisle", "Harbour Street", "shelves", 5),
    CameraRow(
        "checkout", "rtsp://shop:${CAMERA_PASSWORD}@10.0.0.13/1", "Checkout", "Harbour Street", "queue", 5
    ),
)
_FPS = 5
_MIX = {
    "happiness": 0.30,
    "surprise": 0.07,
    "neutral": 0.38,
    "sadness": 0.10,
    "fear": 0.03,
    "disgust": 0.02,
    "anger": 0.10,
}


@dataclass(frozen=True, slots=True)
class Shop:
    """Cameras, and the number of visits a minute at each; the same seed gives the same history."""

    cameras: Sequence[CameraRow] = CAMERAS
    visits_per_minute: float = 6.0
    seed: int = 1

    def register(self, engine: sa.Engine, since: int) -> None:
        """Register the cameras as of `since`."""
        CameraRegistry(engine).sync(LOCAL, self.cameras)
        with engine.begin() as connection:
            connection.execute(sa.update(tables.cameras).values(created_at=since))

    def report(self, writer: Writer, now: int, down: str = "", reason: str = "") -> None:
        """Report every camera as online except the one that is `down`."""
        for camera in self.cameras:
            bad = camera.id == down
            writer.report(
                CameraHealth(
                    camera.id,
                    CameraState.RETRYING if bad else CameraState.ONLINE,
                    reason if bad else "",
                    since=now - (4 if bad else 190) * MINUTE_US,
                    reported_at=now,
                    fps=0.0 if bad else 4.9 + 0.1 * len(camera.id) % 0.3,
                    last_frame_at=now - (4 * MINUTE_US if bad else 180_000),
                    reconnects=6 if bad else len(camera.id) % 2,
                )
            )

    def write(self, writer: Writer, begin: int, end: int) -> int:
        """Store the history between two times in batches of an hour; the number of visits that start then."""
        visits: dict[str, Visit] = {}
        minutes: list[CameraMinute] = []
        count = 0
        for minute in range(minute_of(begin) - MINUTE_US, end, MINUTE_US):
            seen = [
                visit for visit in self._visits(minute) if visit.first_seen < end and visit.last_seen >= begin
            ]
            count += sum(visit.first_seen >= begin for visit in seen)
            visits |= {visit.visit_id: _until(visit, end) for visit in seen}
            watched = min(minute + MINUTE_US, end) - max(minute, begin)
            if watched > 0:
                minutes += [_watched(each.id, minute, watched) for each in self.cameras]
            if len(minutes) >= 60 * len(self.cameras):
                writer.write(Results(tuple(visits.values()), minutes=tuple(minutes)), {})
                visits, minutes = {}, []
        writer.write(Results(tuple(visits.values()), minutes=tuple(minutes)), {})
        return count

    def _visits(self, minute: int) -> Iterator[Visit]:
        """The visits that start in a minute, always the same ones.

        On average at least 0.4 of `visits_per_minute` at any hour, since tests run at any hour.
        """
        busy = 0.7 + 0.2 * math.sin(minute / (97 * MINUTE_US)) + 0.1 * math.sin(minute / (11 * MINUTE_US))
        mean = self.visits_per_minute * busy
        for camera in self.cameras:
            dice = random.Random(f"{self.seed} {camera.id} {minute}")
            for _ in range(max(round(dice.gauss(mean, math.sqrt(mean))), 0)):
                first = minute + dice.randrange(MINUTE_US)
                seconds = min(2 + dice.expovariate(1 / 9), 55)
                yield Visit(
                    visit_id=f"{dice.getrandbits(128):032x}",
                    camera_id=camera.id,
                    first_seen=first,
                    last_seen=first + round(seconds * MICROSECONDS),
                    frames=max(round(seconds * _FPS), 3),
                    face_size=dice.uniform(34, 120),
                    quality=dice.uniform(0.7, 0.99),
                    estimate=_estimate(dice, minute),
                    model="mien 1",
                    closed=True,
                )


def _until(visit: Visit, end: int) -> Visit:
    """A visit as it is at the time `end`: open if it lasts longer."""
    if visit.last_seen < end:
        return visit
    frames = max(round((end - visit.first_seen) / MICROSECONDS * _FPS), 3)
    return replace(visit, last_seen=end, frames=min(frames, visit.frames), closed=False)


def _watched(camera: str, minute: int, watched_us: int) -> CameraMinute:
    dice = random.Random(f"{camera} {minute} {watched_us}")
    captured = round(watched_us / MICROSECONDS * _FPS)
    dropped = dice.choice([0] * 30 + [2])
    stale = min(dice.choice([0] * 20 + [1]), captured)
    return CameraMinute(
        camera,
        minute,
        captured=captured,
        analysed=max(captured - dropped - stale, 1),
        stale=stale,
        faces=captured,
        watched_us=watched_us,
        age_sum_us=captured * round(dice.uniform(70_000, 110_000)),
        dropped={"queue full": dropped} if dropped else {},
    )


def _estimate(dice: random.Random, minute: int) -> Estimate:
    """An estimate; the mix of expressions changes in waves of some hours."""
    wave = math.sin(minute / (53 * MINUTE_US))
    weights = _MIX | {"happiness": 0.30 + 0.12 * wave, "neutral": 0.38 - 0.08 * wave}
    looks = dice.choices(list(weights), list(weights.values()))[0]
    sure = dice.betavariate(6, 2.5)
    rest = [dice.random() ** 2 for _ in _MIX]
    scale = (1 - sure) / sum(rest)
    expressions = {name: part * scale for name, part in zip(_MIX, rest, strict=True)}
    expressions[looks] += sure
    female = min(
        max(dice.betavariate(1.6, 0.5) if dice.random() < 0.54 else dice.betavariate(0.5, 1.6), 0.0), 1.0
    )
    gender = "female" if female > 0.7 else "male" if female < 0.3 else UNKNOWN
    return Estimate(expressions, female, looks if sure > 0.5 else UNKNOWN, gender)
