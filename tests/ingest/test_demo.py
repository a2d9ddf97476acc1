"""Demo cameras: deterministic, cheap, busy, and analysed correctly by the real pipeline."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, UNKNOWN, Visit
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.detector import Detector
from ingest.demo.camera import DemoCamera
from ingest.demo.mix import CYCLE, MIXES
from ingest.demo.render import Renderer
from ingest.demo.schedule import ScheduledVisit, scheduled_visits
from ingest.demo.sheet import load_sheet
from ingest.demo.view import HEIGHT, WIDTH
from ingest.demo.visitors import LONGEST, SLOT, arriving, kind_of, present

CAMERAS = ("entrance", "shelf", "till")
START = 1_700_000_000.0
WATCHED = (START, START + 977, START + 1954)
"""Moments in different parts of the campaign's cycle; from each on the pipeline watches for SECONDS."""
SECONDS = 40
FPS = 5


def test_the_sheet_is_small_and_every_head_is_an_average_of_many() -> None:
    folder = files("ingest.demo")
    size = sum(len(folder.joinpath(name).read_bytes()) for name in ("people.webp", "people.json"))
    assert size < 1_500_000
    entries = json.loads(folder.joinpath("people.json").read_text())["sprites"]
    assert len(entries) >= 24
    assert all(entry["faces"] >= 8 for entry in entries)
    assert len({tuple(entry["box"]) for entry in entries}) == len(entries)
    for gender in ("female", "male"):
        kinds = Counter(entry["expression"] for entry in entries if entry["gender"] == gender)
        assert kinds["happiness"] >= 3
        assert kinds["neutral"] >= 3
        assert len(kinds) >= 4


def test_heads_are_cut_out() -> None:
    for head in load_sheet().heads:
        assert head.luminance.shape == head.alpha.shape
        assert head.alpha[:, [0, -1]].mean() < 30
        assert (head.alpha > 250).mean() > 0.3


def test_a_picture_depends_on_camera_and_time_only() -> None:
    first, second = (DemoCamera("shelf", clock=lambda: START + 7.4) for _ in range(2))
    assert np.array_equal(first.read(), second.read())


def test_cameras_and_moments_differ() -> None:
    now = START
    sources = [DemoCamera(name, clock=lambda: now) for name in ("shelf", "till", "a camera of another name")]
    before = [source.read() for source in sources]
    now += 1.0
    after = [source.read() for source in sources]
    for one, other in itertools.combinations(before + after, 2):
        assert one.shape == other.shape == (HEIGHT, WIDTH)
        assert one.dtype == np.uint8
        assert np.abs(one.astype(int) - other).mean() > 1


def test_a_closed_camera_shows_nothing() -> None:
    source = DemoCamera("till")
    source.close()
    source.close()
    with pytest.raises(ValueError, match="closed"):
        source.read()


def test_no_visitor_disappears_before_the_end_of_the_route() -> None:
    routes = [
        visitor.route
        for camera in CAMERAS
        for place in range(2000)
        for visitor in arriving(camera, int(START / SLOT) + place)
    ]
    assert len(routes) > 4000
    assert max(route.duration for route in routes) < LONGEST


def test_visitors_move_no_faster_than_people_do() -> None:
    for camera in CAMERAS:
        for visitor in present(camera, START):
            poses = [visitor.at(visitor.arrives + step / 10) for step in range(int(LONGEST * 10))]
            paces = [math.hypot(b.x - a.x, b.z - a.z) * 10 for a, b in itertools.pairwise(poses)]
            assert max(paces) < 1.7


def test_the_counter_hides_the_visitors_behind_it() -> None:
    renderer = Renderer("till")
    counter = slice(HEIGHT - 12, HEIGHT), slice(220, 420)
    frames = np.stack([renderer.frame(START + number)[counter] for number in range(60)]).astype(int)
    assert np.ptp(frames.mean(axis=(1, 2))) < 8
    above = np.stack([renderer.frame(START + number)[300:400, 220:420] for number in range(60)])
    assert np.ptp(above.mean(axis=(1, 2))) > 30


def test_many_visits_start_soon() -> None:
    for start in START + np.arange(0, CYCLE, 20):
        assert any(scheduled_visits(camera, start, start + 20) for camera in CAMERAS)
    visits = [visit for camera in CAMERAS for visit in scheduled_visits(camera, START, START + 3600)]
    assert len(visits) / 60 >= 20
    dwells = [visit.last_seen - visit.first_seen for visit in visits]
    assert 4 < np.mean(dwells) < 15
    assert np.mean([4 < dwell < 15 for dwell in dwells]) > 0.9


def test_a_campaign_makes_visitors_happier_and_cameras_differ() -> None:
    cycles = 8
    begin = math.ceil(START / CYCLE) * CYCLE
    shares = {}
    for camera in CAMERAS:
        delay = MIXES[kind_of(camera)].delay
        for name, part in (("usual", (0.0, 0.35)), ("campaign", (0.45, 0.85))):
            counts: Counter[str] = Counter()
            for cycle in range(cycles):
                first, last = (begin + (cycle + share) * CYCLE + delay for share in part)
                counts.update(visit.expression for visit in scheduled_visits(camera, first, last))
            shares[camera, name] = {label: count / counts.total() for label, count in counts.items()}
        assert shares[camera, "campaign"]["happiness"] > shares[camera, "usual"]["happiness"] + 0.2
    assert shares["till", "usual"]["anger"] > shares["entrance", "usual"]["anger"] + 0.05


def test_weights_are_shares() -> None:
    for mix in MIXES.values():
        for moment in START + np.arange(0, CYCLE, 10):
            assert sum(mix.expressions(moment).values()) == pytest.approx(1)
            assert 0 < mix.share_of_women(moment) < 1
            assert 0 < mix.busyness(moment) <= 1


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(Detector(), Classifier(), "shipped")


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_real_pipeline_finds_the_scheduled_visits(camera: str, analyser: Analyser) -> None:
    found: list[Visit] = []
    scheduled: list[ScheduledVisit] = []
    pairs: list[tuple[Visit, ScheduledVisit]] = []
    for start in WATCHED:
        seen = analysed(camera, analyser, start, SECONDS)
        shown = scheduled_visits(camera, start, start + SECONDS)
        found += seen
        scheduled += shown
        pairs += matched(seen, shown)
    assert len(found) == pytest.approx(len(scheduled), rel=0.25)
    assert len(pairs) >= 0.75 * len(scheduled)
    known = [(v.estimate.gender, s.gender) for v, s in pairs if v.estimate.gender != UNKNOWN]
    assert len(known) >= 0.75 * len(pairs)
    assert np.mean([read == meant for read, meant in known]) >= 0.8
    moods = [(v.estimate.expression, s.expression) for v, s in pairs if v.estimate.expression != UNKNOWN]
    assert np.mean([read == meant for read, meant in moods]) >= 0.7


def analysed(camera: str, analyser: Analyser, start: float, seconds: int) -> list[Visit]:
    renderer = Renderer(camera)
    visits: dict[str, Visit] = {}
    for number in range(seconds * FPS):
        moment = start + number / FPS
        analysis = analyser.analyse(camera, round(moment * MICROSECONDS), renderer.frame(moment))
        visits.update((visit.visit_id, visit) for visit in analysis.results.visits)
    visits.update((visit.visit_id, visit) for visit in analyser.close(camera).visits)
    return list(visits.values())


def matched(found: list[Visit], scheduled: list[ScheduledVisit]) -> list[tuple[Visit, ScheduledVisit]]:
    """Pairs that overlap most in time, each visit at most once."""
    overlaps: NDArray[np.float64] = np.array([[overlap(v, s) for s in scheduled] for v in found])
    pairs = []
    while overlaps.size and overlaps.max() > 0.3:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        pairs.append((found[row], scheduled[column]))
        overlaps[row, :] = overlaps[:, column] = 0
    return pairs


def overlap(visit: Visit, shown: ScheduledVisit) -> float:
    first, last = visit.first_seen / MICROSECONDS, visit.last_seen / MICROSECONDS
    common = min(last, shown.last_seen) - max(first, shown.first_seen)
    return max(common, 0) / (max(last, shown.last_seen) - min(first, shown.first_seen))
