"""Training samples: a grey 256x256 picture with its faces, made anew each time.

Five kinds, drawn by `KINDS`: real scenes (around a face, or anywhere), mosaics of four scenes, grids
of FairFace portraits among goods and objects cut to the same tiles, faces and other things pasted
into face-free photographs with soft edges, and photographs without faces.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from training.detector.scenes import Scene

Picture = NDArray[np.uint8]
Boxes = NDArray[np.float32]

KINDS = {"around_face": 0.34, "anywhere": 0.14, "mosaic": 0.16, "grid": 0.13, "pasted": 0.12, "empty": 0.11}
FACE_SIZES = (9.0, 150.0)
LARGEST_ZOOM = 2.5
"""A face is not enlarged further: there is no detail in it to learn from."""


@dataclass
class Sample:
    """A picture (h, w) uint8 and its faces: boxes (n, 4) x y w h in pixels, sure (n,)."""

    pixels: Picture
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    sure: list[bool] = field(default_factory=list)

    def add(self, box: tuple[float, float, float, float], sure: bool) -> None:
        """Keep a face; what is seen of one mostly outside the picture becomes a doubtful place."""
        x, y, w, h = box
        height, width = self.pixels.shape
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
        if right - left < 3 or bottom - top < 3:
            return
        inside = 0 <= x + w / 2 < width and 0 <= y + h / 2 < height
        seen = (right - left) * (bottom - top) / (w * h)
        sure = sure and inside and seen > 0.55
        self.boxes.append(box if sure else (left, top, right - left, bottom - top))
        self.sure.append(sure)

    def arrays(self) -> tuple[Boxes, NDArray[np.bool_]]:
        return np.array(self.boxes, np.float32).reshape(-1, 4), np.array(self.sure, bool)


class Synthesis:
    """Draws samples of `size` x `size` pixels from the photographs; safe to share among threads."""

    def __init__(
        self, scenes: list[Scene], groceries: list[Scene], portraits: list[Scene], size: int = 256
    ) -> None:
        self.size = size
        self.scenes, self.groceries, self.portraits = scenes, groceries, portraits
        self.face_free = [s for s in scenes if len(s.boxes) == 0]
        self.empty = groceries + self.face_free
        faces = [
            (float(np.sqrt(box[2] * box[3])), scene, index)
            for scene in scenes
            for index, box in enumerate(scene.boxes)
            if scene.sure[index]
        ]
        faces.sort(key=lambda face: face[0])
        self.faces = faces
        self.face_sizes = np.array([face[0] for face in faces], np.float32)
        noise = np.random.default_rng(0)
        self.noise = noise.normal(0, 32, (2 * size, 2 * size)).astype(np.int8)

    def sample(self, rng: np.random.Generator) -> Sample:
        kind = rng.choice(len(KINDS), p=list(KINDS.values()))
        make = (self._around_face, self._anywhere, self._mosaic, self._grid, self._pasted, self._empty)
        sample: Sample = make[kind](rng)
        if rng.random() < 0.5:
            _flip(sample)
        sample.pixels = self._degrade(sample.pixels, rng)
        return sample

    def _around_face(self, rng: np.random.Generator) -> Sample:
        return self._face_crop(self.size, self.size, FACE_SIZES, rng)

    def _face_crop(
        self, height: int, width: int, sizes: tuple[float, float], rng: np.random.Generator
    ) -> Sample:
        wanted = _log_uniform(*sizes, rng)
        first = int(np.searchsorted(self.face_sizes, wanted / LARGEST_ZOOM))
        first = min(first, len(self.faces) - 20)
        size, scene, index = self.faces[int(rng.integers(first, len(self.faces)))]
        zoom = min(wanted / size, LARGEST_ZOOM)
        x, y, w, h = scene.boxes[index]
        # The face comes to lie anywhere in the picture, the picture where it fits the photograph best.
        at = rng.uniform(0.12, 0.88, 2) * (width, height)
        return _crop(scene, height, width, zoom, (x + w / 2, y + h / 2), (at[0], at[1]), rng)

    def _anywhere(self, rng: np.random.Generator) -> Sample:
        scene = self.scenes[int(rng.integers(len(self.scenes)))]
        return _crop_anywhere(scene, self.size, self.size, _log_uniform(0.6, 1.6, rng), rng)

    def _empty(self, rng: np.random.Generator) -> Sample:
        pool = self.groceries if rng.random() < 0.65 else self.face_free
        scene = pool[int(rng.integers(len(pool)))]
        return _crop_anywhere(scene, self.size, self.size, _log_uniform(0.5, 2.5, rng), rng)

    def _mosaic(self, rng: np.random.Generator) -> Sample:
        size = self.size
        sample = Sample(np.zeros((size, size), np.uint8))
        split_x, split_y = (int(v) for v in rng.integers(96, size - 95, 2))
        for top, bottom in ((0, split_y), (split_y, size)):
            for left, right in ((0, split_x), (split_x, size)):
                if rng.random() < 0.65:
                    tile = self._face_crop(bottom - top, right - left, (9.0, 60.0), rng)
                else:
                    scene = self.empty[int(rng.integers(len(self.empty)))]
                    zoom = _log_uniform(0.4, 1.3, rng)
                    tile = _crop_anywhere(scene, bottom - top, right - left, zoom, rng)
                sample.pixels[top:bottom, left:right] = tile.pixels
                for (x, y, w, h), sure in zip(tile.boxes, tile.sure, strict=True):
                    sample.add((x + left, y + top, w, h), sure)
        return sample

    def _grid(self, rng: np.random.Generator) -> Sample:
        tile = int(_log_uniform(28, 190, rng))
        offset_x, offset_y = (int(v) for v in rng.integers(0, tile, 2))
        board = np.zeros((self.size + 2 * tile, self.size + 2 * tile), np.uint8)
        window = board[offset_y : offset_y + self.size, offset_x : offset_x + self.size]
        sample = Sample(window)
        portraits = rng.uniform(0.15, 0.7)
        for top in range(0, offset_y + self.size, tile):
            for left in range(0, offset_x + self.size, tile):
                scene, box = self._tile(rng.random() < portraits, rng)
                interpolation = cv2.INTER_AREA if scene.shape[0] > tile else cv2.INTER_LINEAR
                board[top : top + tile, left : left + tile] = cv2.resize(
                    scene, (tile, tile), interpolation=interpolation
                )
                if box is not None:
                    x, y, w, h = (float(v) * tile / scene.shape[0] for v in box)
                    sample.add((x + left - offset_x, y + top - offset_y, w, h), True)
        return sample

    def _tile(self, portrait: bool, rng: np.random.Generator) -> tuple[Picture, Boxes | None]:
        """A square picture: a portrait with its face's box, or a piece of a face-free photograph."""
        if portrait:
            scene = self.portraits[int(rng.integers(len(self.portraits)))]
            return scene.pixels, scene.boxes[0]
        pixels = self.empty[int(rng.integers(len(self.empty)))].pixels
        side = int(min(pixels.shape) * rng.uniform(0.35, 1.0))
        top = int(rng.integers(0, pixels.shape[0] - side + 1))
        left = int(rng.integers(0, pixels.shape[1] - side + 1))
        return pixels[top : top + side, left : left + side], None

    def _pasted(self, rng: np.random.Generator) -> Sample:
        sample = self._empty(rng)
        taken = np.zeros((0, 4), np.float32)
        for _ in range(int(rng.integers(1, 7))):
            is_face = rng.random() < 0.65
            patch, box = self._tile(is_face, rng)
            if box is None:
                box = np.array([0.12, -0.05, 0.76, 0.98], np.float32) * patch.shape[0]
            zoom = _log_uniform(8, 150, rng) / float(np.sqrt(box[2] * box[3]))
            side = max(int(round(patch.shape[0] * zoom)), 8)
            zoom = side / patch.shape[0]
            at = rng.uniform(-0.2 * side, self.size - 0.8 * side, 2)
            left, top = int(at[0]), int(at[1])
            x, y, w, h = (float(v) * zoom for v in box)
            placed = np.array([x + left, y + top, w, h], np.float32)
            if _overlaps(placed, taken):
                continue
            taken = np.vstack([taken, placed])
            _paste(sample.pixels, patch, side, left, top, (x, y, w, h), rng)
            if is_face:
                sample.add((x + left, y + top, w, h), True)
        return sample

    def _degrade(self, pixels: Picture, rng: np.random.Generator) -> Picture:
        """Light, blur, noise and compression as cameras make them."""
        contrast, gamma = rng.uniform(0.55, 1.25), _log_uniform(0.6, 1.7, rng)
        light = np.linspace(0, 1, 256, dtype=np.float32) ** gamma - 0.5
        table = (light * contrast + 0.5 + rng.uniform(-0.18, 0.18)) * 255
        pixels = cv2.LUT(pixels, np.clip(table, 0, 255).astype(np.uint8))
        if rng.random() < 0.12:
            side = int(self.size * rng.uniform(0.5, 0.85))
            small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
            pixels = cv2.resize(small, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.2:
            pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.4))
        if rng.random() < 0.3:
            top, left = (int(v) for v in rng.integers(0, self.size, 2))
            grain = self.noise[top : top + self.size, left : left + self.size]
            strength = rng.uniform(0.03, 0.35)
            pixels = cv2.addWeighted(pixels, 1.0, grain, strength, 0.0, dtype=cv2.CV_8U)
        if rng.random() < 0.25:
            quality = int(rng.integers(25, 90))
            _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
            pixels = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)
        return pixels


def _crop_anywhere(scene: Scene, height: int, width: int, zoom: float, rng: np.random.Generator) -> Sample:
    h, w = scene.pixels.shape
    # Only so much of the photograph is left out, or of the picture left empty, as has to be.
    spare_x, spare_y = abs(w - width / zoom) / 2, abs(h - height / zoom) / 2
    centre = (w / 2 + rng.uniform(-spare_x, spare_x), h / 2 + rng.uniform(-spare_y, spare_y))
    return _crop(scene, height, width, zoom, centre, (width / 2, height / 2), rng)


def _crop(
    scene: Scene,
    height: int,
    width: int,
    zoom: float,
    source: tuple[float, float],
    at: tuple[float, float],
    rng: np.random.Generator,
) -> Sample:
    """The scene enlarged by `zoom`, slightly turned, its point `source` laid on the picture's `at`."""
    angle = rng.normal(0, 5) if rng.random() < 0.5 else 0.0
    stretch = rng.uniform(0.92, 1.08)
    pixels, reduced = scene.pixels, 1.0
    if zoom < 0.6:
        reduced = zoom / 0.8
        pixels = cv2.resize(pixels, None, fx=reduced, fy=reduced, interpolation=cv2.INTER_AREA)
    cos, sin = np.cos(np.radians(angle)) * zoom, np.sin(np.radians(angle)) * zoom
    linear = np.array([[cos * stretch, sin * stretch], [-sin, cos]])
    shift = np.array(at) - linear @ np.array(source)
    matrix = np.hstack([linear / reduced, shift[:, None]])
    border = int(rng.integers(0, 256)) if rng.random() < 0.5 else int(pixels[0, 0])
    sample = Sample(
        cv2.warpAffine(
            pixels,
            matrix,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=border,
        )  # fmt: skip
    )
    for (x, y, w, h), sure in zip(scene.boxes.tolist(), scene.sure.tolist(), strict=True):
        cx, cy = linear @ (x + w / 2, y + h / 2) + shift
        w, h = w * zoom * stretch, h * zoom
        sample.add((cx - w / 2, cy - h / 2, w, h), sure)
    return sample


def _paste(
    pixels: Picture,
    patch: Picture,
    side: int,
    left: int,
    top: int,
    box: tuple[float, float, float, float],
    rng: np.random.Generator,
) -> None:
    """Blend the ellipse around `box` of a square patch into the picture, in its light."""
    interpolation = cv2.INTER_AREA if patch.shape[0] > side else cv2.INTER_LINEAR
    patch = cv2.resize(patch, (side, side), interpolation=interpolation)
    x, y, w, h = box
    grow = rng.uniform(1.0, 1.35)
    mask = np.zeros((side, side), np.uint8)
    axes = (max(w * grow / 2, 2.0) * 2, max(h * grow / 2, 2.0) * 2)
    cv2.ellipse(mask, ((x + w / 2, y + h / 2), axes, 0.0), 255, -1)
    inset = max(side // 24, 1)
    mask[:inset] = mask[-inset:] = 0
    mask[:, :inset] = mask[:, -inset:] = 0
    mask = cv2.GaussianBlur(mask, (0, 0), max(side * rng.uniform(0.01, 0.07), 0.5))
    height, width = pixels.shape
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    there = pixels[y0:y1, x0:x1].astype(np.float32)
    piece = patch[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32)
    alpha = mask[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32) / 255
    piece += (there.mean() - piece.mean()) * rng.uniform(0.0, 0.8)
    pixels[y0:y1, x0:x1] = np.clip(there + (piece - there) * alpha, 0, 255).astype(np.uint8)


def _overlaps(box: Boxes, others: Boxes) -> bool:
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    return bool((high - low > 0).all(axis=1).any())


def _flip(sample: Sample) -> None:
    width = sample.pixels.shape[1]
    sample.pixels = np.ascontiguousarray(sample.pixels[:, ::-1])
    sample.boxes = [(width - x - w, y, w, h) for x, y, w, h in sample.boxes]


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
