"""Tracker: matches the detections of one camera over time.

A detection is matched to the track whose predicted box it overlaps best. A detection without overlap may
still match a track nearby; the longer the track was absent, the larger the distance may be. Every detection
without a match starts a track, however weak it is: `inference.evidence` decides which tracks are people, and
it needs the weak detections too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS

Boxes = NDArray[np.float32]
"""(n, 4) float32: x, y, width, height in pixels."""


_BRIEF_S, _LONGER_S, _LONGEST_S = 0.6, 1.0, 2.0
"""Absence from which faces move faster, for how many seconds the limits then rise with it, and the absence
from which on they do not rise at all: in the meantime others may have come. Chosen on the demo cameras at 1,
0.5 and 0.2 frames per second (`benchmarks.presence`)."""
MISSED = 2.5
"""Least gap in frames: a face may be missed in one frame, and frames come late."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Limits for matching detections to tracks.

    A track ends when its face is absent for longer than `gap_us`. A face that overlaps the predicted box by
    less than `overlap` (intersection over union) still matches if its centre is within `reach` face sizes
    plus `speed` face sizes per second of absence, and its size differs at most by the factor `growth`. Faces
    that are absent for longer than `_BRIEF_S`, as between the pictures of a slow camera, move faster: `far`
    face sizes more per second, and grow by `approach` more.
    """

    gap_us: int = 2 * MICROSECONDS
    overlap: float = 0.2
    reach: float = 0.6
    speed: float = 1.6
    growth: float = 1.6
    far: float = 1.0
    approach: float = 0.4


@dataclass(slots=True, eq=False)
class Track:
    """One face over time. `number` counts from 0 within its tracker; times in microseconds."""

    number: int
    box: NDArray[np.float64]
    first_seen: int
    last_seen: int
    hits: int = 1
    step_us: int = 0
    """Time between the last two detections."""
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def predict(self, time_us: int) -> NDArray[np.float64]:
        """The box at `time_us` at constant velocity, for half a second or the last step at most."""
        seconds = min(time_us - self.last_seen, max(MICROSECONDS // 2, self.step_us)) / MICROSECONDS
        return np.concatenate([self.box[:2] + self.velocity * seconds, self.box[2:]])

    def follow(self, box: NDArray[np.float64], time_us: int) -> None:
        """Move the track to `box` at `time_us`."""
        if time_us > self.last_seen:
            seconds = (time_us - self.last_seen) / MICROSECONDS
            moved = (_centres(box) - _centres(self.box)) / seconds
            blend = 0.5 if self.hits > 1 else 1.0
            self.velocity = (1 - blend) * self.velocity + blend * moved
            self.step_us = time_us - self.last_seen
        self.box = box
        self.last_seen = time_us
        self.hits += 1


class Tracker:
    """Tracks the faces of one camera; deterministic, without a clock."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._tracks: list[Track] = []
        self._next_number = 0

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks that have not ended."""
        return tuple(self._tracks)

    def update(self, boxes: Boxes, time_us: int) -> list[Track]:
        """Match the detections of one frame; returns the track of each.

        Call `expire` first, which ends the tracks that are absent for too long.
        """
        detections = boxes.astype(np.float64)
        owners: dict[int, Track] = {}
        for track, index in self._match(detections, time_us):
            track.follow(detections[index], time_us)
            owners[index] = track
        return [
            owners[index] if index in owners else self._start_track(box, time_us)
            for index, box in enumerate(detections)
        ]

    def pause(self, duration_us: int) -> None:
        """Let no time pass for the tracks: for so long the scene showed no change, and nobody left."""
        for track in self._tracks:
            track.last_seen += duration_us

    def expire(self, time_us: int, spacing_us: int = 0) -> list[Track]:
        """End and return the tracks whose face is absent for longer than the gap at `time_us`.

        That is no time before the newest detection: where the clock was set back, call `end`.
        """
        gap = self.gap_us(spacing_us)
        ended = [track for track in self._tracks if time_us - track.last_seen > gap]
        self._tracks = [track for track in self._tracks if track not in ended]
        return ended

    def gap_us(self, spacing_us: int) -> int:
        """The gap with frames `spacing_us` apart: that of `MISSED` frames at least."""
        return max(self._settings.gap_us, round(MISSED * spacing_us))

    def end(self) -> list[Track]:
        """End and return all tracks."""
        ended, self._tracks = self._tracks, []
        return ended

    def _start_track(self, box: NDArray[np.float64], time_us: int) -> Track:
        track = Track(self._next_number, box, time_us, time_us)
        self._next_number += 1
        self._tracks.append(track)
        return track

    def _match(self, boxes: NDArray[np.float64], time_us: int) -> list[tuple[Track, int]]:
        """The best pairs first, each track and each detection at most once."""
        if not self._tracks or not len(boxes):
            return []
        costs = self._costs(boxes, time_us)
        positions, indices = np.nonzero(np.isfinite(costs))
        pairs = zip(costs[positions, indices].tolist(), positions.tolist(), indices.tolist(), strict=True)
        matches: list[tuple[Track, int]] = []
        taken_tracks: set[int] = set()
        taken_boxes: set[int] = set()
        for _, position, index in sorted(pairs):
            if position not in taken_tracks and index not in taken_boxes:
                taken_tracks.add(position)
                taken_boxes.add(index)
                matches.append((self._tracks[position], index))
        return matches

    def _costs(self, boxes: NDArray[np.float64], time_us: int) -> NDArray[np.float64]:
        """Cost of each track (rows) with each box (columns): 0 to 1 for boxes that overlap, more than 1 for
        boxes nearby, infinite for boxes out of reach.
        """
        settings = self._settings
        predicted = np.stack([track.predict(time_us) for track in self._tracks])
        seconds = np.array([time_us - track.last_seen for track in self._tracks]) / MICROSECONDS
        absence = np.minimum(seconds, _LONGEST_S)[:, None]
        longer = np.clip(absence - _BRIEF_S, 0, _LONGER_S)
        overlaps = _overlaps(predicted, boxes)
        sizes = np.sqrt(predicted[:, 2] * predicted[:, 3])[:, None]
        growth = np.sqrt(boxes[:, 2] * boxes[:, 3]) / sizes
        offsets = _centres(boxes) - _centres(predicted)[:, None]
        distances = np.hypot(offsets[..., 0], offsets[..., 1]) / sizes
        near = distances <= settings.reach + settings.speed * absence + settings.far * longer
        most = settings.growth + settings.approach * longer
        similar = (1 / most <= growth) & (growth <= most)
        nearby = np.where(near & similar, 1 + distances, np.inf)
        return np.where(overlaps >= settings.overlap, 1 - overlaps, nearby)


def _centres(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return boxes[..., :2] + boxes[..., 2:] / 2


def _overlaps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union (n, m) of boxes (n, 4) with boxes (m, 4), all x, y, w, h."""
    begin = np.maximum(a[:, None, :2], b[:, :2])
    end = np.minimum(a[:, None, :2] + a[:, None, 2:], b[:, :2] + b[:, 2:])
    common = np.prod(np.maximum(end - begin, 0), axis=2)
    areas = (a[:, 2] * a[:, 3])[:, None] + b[:, 2] * b[:, 3]
    return np.asarray(common / (areas - common))
