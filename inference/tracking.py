"""Faces that belong together over time: one tracker per camera.

A detection is matched to the track whose predicted box it overlaps best; what overlaps nothing may still
belong to a track nearby, the further away the longer the track has not been seen. Every detection that
finds no track begins one, however weak: what a track is worth is for `inference.evidence` to say, which
has to know its weak moments, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS

Boxes = NDArray[np.float32]
"""(n, 4) float32: x, y, width, height in pixels."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """How far a face may go.

    `gap_us` is how long a track waits for its face to come back. A face that overlaps its prediction by
    less than `overlap` (intersection over union) is matched while its centre lies within `reach` face
    sizes plus `speed` face sizes per second of absence, and its size within the factor `growth`.
    """

    gap_us: int = 2 * MICROSECONDS
    overlap: float = 0.2
    reach: float = 0.6
    speed: float = 1.6
    growth: float = 1.6


@dataclass(slots=True, eq=False)
class Track:
    """One face over time. `number` counts from 0 within its tracker; times in microseconds."""

    number: int
    box: NDArray[np.float64]
    first_seen: int
    last_seen: int
    hits: int = 1
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def predict(self, time_us: int) -> NDArray[np.float64]:
        """The box at `time_us` if the face goes on as it did, for half a second at most."""
        seconds = min(time_us - self.last_seen, MICROSECONDS // 2) / MICROSECONDS
        return np.concatenate([self.box[:2] + self.velocity * seconds, self.box[2:]])

    def follow(self, box: NDArray[np.float64], time_us: int) -> None:
        """Take `box` as the face's place at `time_us`."""
        if time_us > self.last_seen:
            seconds = (time_us - self.last_seen) / MICROSECONDS
            moved = (_centre(box) - _centre(self.box)) / seconds
            blend = 0.5 if self.hits > 1 else 1.0
            self.velocity = (1 - blend) * self.velocity + blend * moved
        self.box = box
        self.last_seen = time_us
        self.hits += 1


class Tracker:
    """Follows the faces of one camera; deterministic, without a clock."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._tracks: list[Track] = []
        self._next_number = 0

    def update(self, boxes: Boxes, time_us: int) -> list[Track]:
        """Match the detections of one frame; returns the track of each.

        Tracks that were last seen more than the gap before `time_us` end first: see `expire`.
        """
        detections = boxes.astype(np.float64)
        owners: dict[int, Track] = {}
        for track, index in self._match(detections, time_us):
            track.follow(detections[index], time_us)
            owners[index] = track
        return [
            owners[index] if index in owners else self._begin(box, time_us)
            for index, box in enumerate(detections)
        ]

    def expire(self, time_us: int) -> list[Track]:
        """End and return the tracks whose face has been away for longer than the gap at `time_us`.

        A time before the newest detection (the clock was set back) ends all.
        """
        gap = self._settings.gap_us
        ended = [t for t in self._tracks if not 0 <= time_us - t.last_seen <= gap]
        self._tracks = [track for track in self._tracks if track not in ended]
        return ended

    def end(self) -> list[Track]:
        """End and return all tracks."""
        ended, self._tracks = self._tracks, []
        return ended

    def _begin(self, box: NDArray[np.float64], time_us: int) -> Track:
        track = Track(self._next_number, box, time_us, time_us)
        self._next_number += 1
        self._tracks.append(track)
        return track

    def _match(self, boxes: NDArray[np.float64], time_us: int) -> list[tuple[Track, int]]:
        """The best pairs first, each track and each detection at most once."""
        pairs = [
            (cost, position, index)
            for position, track in enumerate(self._tracks)
            for index, box in enumerate(boxes)
            if (cost := self._cost(track, box, time_us)) is not None
        ]
        matches: list[tuple[Track, int]] = []
        taken_tracks: set[int] = set()
        taken_boxes: set[int] = set()
        for _, position, index in sorted(pairs):
            if position not in taken_tracks and index not in taken_boxes:
                taken_tracks.add(position)
                taken_boxes.add(index)
                matches.append((self._tracks[position], index))
        return matches

    def _cost(self, track: Track, box: NDArray[np.float64], time_us: int) -> float | None:
        """0 for the same place up to 1 for no overlap, above 1 for near by, None for out of reach."""
        settings = self._settings
        predicted = track.predict(time_us)
        overlap = _overlap(predicted, box)
        if overlap >= settings.overlap:
            return 1 - overlap
        size = float(np.sqrt(track.box[2] * track.box[3]))
        growth = float(np.sqrt(box[2] * box[3])) / size
        away = (time_us - track.last_seen) / MICROSECONDS
        distance = float(np.hypot(*(_centre(box) - _centre(predicted)))) / size
        near = distance <= settings.reach + settings.speed * away
        alike = 1 / settings.growth <= growth <= settings.growth
        return 1 + distance if near and alike else None


def _centre(box: NDArray[np.float64]) -> NDArray[np.float64]:
    return box[:2] + box[2:] / 2


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Intersection over union of two boxes x, y, w, h."""
    ax, ay, aw, ah = a.tolist()
    bx, by, bw, bh = b.tolist()
    width = min(ax + aw, bx + bw) - max(ax, bx)
    height = min(ay + ah, by + bh) - max(ay, by)
    if width <= 0 or height <= 0:
        return 0.0
    return float(width * height / (aw * ah + bw * bh - width * height))
