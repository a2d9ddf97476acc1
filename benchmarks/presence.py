"""Visits that are found and wrong ones: at low rates, with the motion gate, of people who sit, of posters.

The truth of the clips was written down by a person who looked at them; that of the demo cameras is their
schedule. People who sit are faces of FairFace's validation part in front of the validation part's photographs
of goods, which sway by a few per cent of their size; posters are the same without a movement. The detector is
trained on neither.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from typing_extensions import override

from benchmarks import clips
from benchmarks.clips import Gray
from benchmarks.recorded import EPOCH
from benchmarks.throughput import QUALITY
from bus.messages import MICROSECONDS, Visit
from inference.analyser import Analyser, FaceDetector
from inference.classifier import Classifier
from inference.detector import Detector, Faces
from ingest.demo.render import Renderer
from ingest.demo.schedule import scheduled_visits
from ingest.motion import MotionGate
from media.images import decode_gray

RATES = (0.2, 0.5, 1.0, 2.0, 5.0, 12.0)
"""Frames per second."""
PEOPLE = {
    "face-demographics-walking-and-pause": 3,
    "face-demographics-walking": 2,
    "head-pose-face-detection-female": 1,
    "head-pose-face-detection-male": 1,
    "store-aisle-detection": 0,
    "one-by-one-person-detection": 0,
}
"""People with a readable face in each clip; in the last two all are seen from behind."""
DEMO = ("entrance", "shelf", "till")

_CLIP_S = {"one-by-one-person-detection": 10.0, "store-aisle-detection": 15.0}
_CLIP_FPS = 12.0
_DEMO_START = 1_700_000_000.0
_SEATED_FPS, _SEATED_S = 5.0, 5.0
_SIZES = (20.0, 80.0)
_NOISES = (1.0, 3.0, 6.0)
_SWAYS = (0.01, 0.04)
"""Standard deviation of the sway, as a share of the face's size; it changes within `_TURN_S` seconds."""
_TURN_S = 1.5

Pictures = Sequence[tuple[float, Gray]]
"""Times in seconds and grey pictures."""


@dataclass(frozen=True, slots=True)
class Found:
    """How many visits there were, how many were found, and how many others were counted."""

    visits: int
    found: int
    wrong: int
    published: float
    """Share of the pictures that were published."""


@dataclass(frozen=True, slots=True)
class Presence:
    """All measurements; the keys of `demo` and `clips` are frames per second."""

    demo: dict[str, Found] = field(default_factory=dict)
    demo_gated: dict[str, Found] = field(default_factory=dict)
    clips: dict[str, Found] = field(default_factory=dict)
    clips_gated: dict[str, Found] = field(default_factory=dict)
    seated: dict[str, Found] = field(default_factory=dict)
    """By the kind of picture: people who sit, posters."""


class Remembering(FaceDetector):
    """A detector that examines each picture once, however often it is shown."""

    def __init__(self) -> None:
        self._detector = Detector()
        self.levels = self._detector.levels
        self._faces: dict[int, Faces] = {}

    @override
    def detect(self, gray: Gray, lowest: float | None = None) -> Faces:
        key = hash(gray.tobytes())
        if key not in self._faces:
            self._faces[key] = self._detector.detect(gray, lowest)
        return self._faces[key]


def measure(data: Path, demo_s: float, seated: int) -> Presence:
    """Measure `demo_s` seconds of each demo camera, the clips, and so many people who sit and posters."""
    cv2.setNumThreads(1)
    detector, classifier = Remembering(), Classifier()
    result = Presence()
    shows = [
        (
            [(visit.first_seen, visit.last_seen) for visit in scheduled(name, demo_s)],
            record_demo(name, demo_s),
        )
        for name in DEMO
    ]
    known = [([(0.0, np.inf)] * count, record_clip(data, name)) for name, count in PEOPLE.items()]
    for rate in RATES:
        for gated in (False, True):
            for seen, into in (
                (shows, result.demo_gated if gated else result.demo),
                (known, result.clips_gated if gated else result.clips),
            ):
                each = [
                    compare(truth, *watch(detector, classifier, sample(pictures, rate), gated))
                    for truth, pictures in seen
                ]
                into[f"{rate:g}"] = add(each)
    for name, sways in (("people who sit", True), ("posters", False)):
        each = []
        for pictures in make_seated(data, seated, sways):
            each.append(compare([(0.0, np.inf)] * sways, *watch(detector, classifier, pictures, True)))
        result.seated[name] = add(each)
    return result


def to_dict(presence: Presence) -> dict[str, Any]:
    """The measurement as JSON types."""
    return asdict(presence)


def from_dict(stored: dict[str, Any]) -> Presence:
    """The measurement from JSON types."""
    parts = {name: {key: Found(**found) for key, found in part.items()} for name, part in stored.items()}
    return Presence(**parts)


def make_seated(data: Path, count: int, sways: bool, seed: int = 0) -> Iterator[Pictures]:
    """Clips of five seconds of one face in front of goods; the same seed gives the same faces and places."""
    sources = zip(_read_faces(data), _read_goods(data), strict=False)
    for number, (face, goods) in zip(range(count), sources, strict=False):
        random = np.random.default_rng([seed, number])
        yield _film(face, goods, random, random.uniform(*_SWAYS) if sways else 0.0)


def _film(face: Gray, goods: Gray, random: np.random.Generator, sway: float) -> Pictures:
    width, height = 640, 360
    scene = np.asarray(cv2.resize(goods, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    size, noise = random.uniform(*_SIZES), float(random.choice(_NOISES))
    # A face fills about 60 of the 96 pixels of FairFace's pictures.
    scale = size * 1.6 / face.shape[0]
    head = np.asarray(cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32)
    side = head.shape[0]
    down, right = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    mask = np.clip(6 - 6 * ((right / 0.46) ** 2 + (down / 0.5) ** 2), 0, 1).astype(np.float32)
    left, top = random.uniform(side, width - 2 * side), random.uniform(side / 2, height - 1.5 * side)
    keep = float(np.exp(-1 / _SEATED_FPS / _TURN_S))
    place = random.normal(0, 1, 2)
    pictures: list[tuple[float, Gray]] = []
    for number in range(round(_SEATED_FPS * _SEATED_S)):
        place = keep * place + np.sqrt(1 - keep**2) * random.normal(0, 1, 2)
        move = np.array([[1, 0, left + sway * size * place[0]], [0, 1, top + sway * size * place[1]]])
        alpha = cv2.warpAffine(mask, move, (width, height))
        moved = cv2.warpAffine(head, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
        shown = scene * (1 - alpha) + moved * alpha + random.normal(0, noise, scene.shape)
        pictures.append((number / _SEATED_FPS, _through_jpeg(shown.round().clip(0, 255).astype(np.uint8))))
    return pictures


def _read_faces(data: Path) -> Iterator[Gray]:
    folder = data / "datasets" / "fairface"
    with (folder / "fairface_label_val.csv").open(newline="") as table:
        names = [row["file"] for row in csv.DictReader(table)]
    (archive,) = sorted(folder.glob("*.zip"))
    with zipfile.ZipFile(archive) as pictures:
        known = {name.split("/", name.count("/") - 1)[-1]: name for name in pictures.namelist()}
        for name in names:
            yield _decode(pictures.read(known[name]))


def _read_goods(data: Path) -> Iterator[Gray]:
    """The photographs of goods in the validation part of the detector's data."""
    from training.detector.scenes import load_groceries  # noqa: PLC0415 - needs no Keras, but the extra train

    for scene in load_groceries(data, "validation"):
        yield scene.pixels


def _decode(code: bytes) -> Gray:
    return np.asarray(cv2.imdecode(np.frombuffer(code, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def scheduled(camera: str, seconds: float) -> list[Any]:
    """The visits of a demo camera in its first seconds."""
    return list(scheduled_visits(camera, _DEMO_START, _DEMO_START + seconds))


def record_demo(camera: str, seconds: float) -> Pictures:
    """A demo camera's first seconds."""
    renderer = Renderer(camera)
    times = _DEMO_START + np.arange(round(seconds * _CLIP_FPS)) / _CLIP_FPS
    return [(time, _through_jpeg(renderer.frame(time))) for time in times.tolist()]


def record_clip(data: Path, name: str) -> Pictures:
    """A real clip."""
    fps = _CLIP_S.get(name, _CLIP_FPS)
    return [(number / fps, _through_jpeg(gray)) for number, gray in enumerate(clips.read(data, name))]


def _through_jpeg(gray: Gray) -> Gray:
    return decode_gray(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())


def sample(pictures: Pictures, rate: float) -> Pictures:
    """The pictures that a capture samples at that rate."""
    sampled: list[tuple[float, Gray]] = []
    for time, gray in pictures:
        if time - pictures[0][0] >= len(sampled) / rate - 1e-6:
            sampled.append((time, gray))
    return sampled


def watch(
    detector: FaceDetector, classifier: Classifier, pictures: Pictures, gated: bool
) -> tuple[list[tuple[float, float]], float, float]:
    """Begin and end of each visit that an analyser finds, the published share, the spacing of pictures."""
    analyser, gate = Analyser(detector, classifier, "benchmark"), MotionGate()
    visits: list[Visit] = []
    unchanged = published = 0
    for time, gray in pictures:
        if gated and not gate.select(gray, time):
            unchanged += 1
            continue
        captured_at = EPOCH + round((time - pictures[0][0]) * MICROSECONDS)
        visits += analyser.analyse("camera", captured_at, gray, unchanged).results.visits
        unchanged, published = 0, published + 1
    visits += analyser.close("camera").visits
    start = pictures[0][0]
    spans = [
        (start + (each.first_seen - EPOCH) / MICROSECONDS, start + (each.last_seen - EPOCH) / MICROSECONDS)
        for each in visits
        if each.closed
    ]
    return spans, published / len(pictures), (pictures[-1][0] - start) / max(len(pictures) - 1, 1)


def compare(
    truth: Sequence[tuple[float, float]],
    spans: Iterable[tuple[float, float]],
    published: float,
    spacing: float,
) -> Found:
    """What was found of the visits of the truth; `spacing` of the pictures in seconds."""
    found, wrong = match_visits(truth, spans, spacing)
    return Found(len(truth), found, wrong, published)


def match_visits(
    truth: Sequence[tuple[float, float]], spans: Iterable[tuple[float, float]], spacing: float
) -> tuple[int, int]:
    """How many visits of the truth are found, and how many others there are.

    Visits are begin and end in seconds. Each is matched with the one of the truth that it overlaps most,
    which is matched once at most. With pictures `spacing` seconds apart they may miss each other by so much.
    """
    left, wrong = list(truth), 0
    for begin, end in sorted(spans):
        overlaps = [min(end, last) - max(begin, first) + spacing for first, last in left]
        if overlaps and max(overlaps) >= 0:
            del left[int(np.argmax(overlaps))]
        else:
            wrong += 1
    return len(truth) - len(left), wrong


def add(parts: Sequence[Found]) -> Found:
    """The sums of several parts, and their mean published share."""
    return Found(
        sum(each.visits for each in parts),
        sum(each.found for each in parts),
        sum(each.wrong for each in parts),
        float(np.mean([each.published for each in parts])),
    )
