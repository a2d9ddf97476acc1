"""Training samples: a grey 256x256 picture with its faces, generated each time.

Six kinds, drawn by `KINDS`: real scenes (around a face, or anywhere), mosaics of four scenes, grids
of FairFace portraits among goods and objects cut to the same tiles, faces and other objects pasted
into face-free photographs with soft edges, and photographs without faces.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.detector.camera_effects import degrade
from training.detector.samples import (
    Boxes,
    Picture,
    Sample,
    crop,
    crop_anywhere,
    flip,
    log_uniform,
    overlaps,
    paste,
    resize,
)
from training.detector.scenes import Scene, without_faces

KINDS = {"around_face": 0.36, "anywhere": 0.14, "mosaic": 0.20, "grid": 0.08, "pasted": 0.06, "empty": 0.16}
FACE_SIZES = (11.0, 170.0)
TILE_SIZES = (10.0, 70.0)
"""Of the faces in a quarter of a mosaic."""
LEAST_FACES = 20
"""So many faces, the largest, are drawn from for a size that hardly any face has."""
LARGEST_ZOOM = 2.5
"""A face is not enlarged further: there is no detail in it to learn from."""
SMALLEST_ZOOM = 0.6
"""Photographs are not reduced further while there are faces of the size wanted: most of the sample would be
empty."""
BACKGROUND = 0.15
"""A photograph where the teacher sees nothing from this score on holds no face."""
HARD = 0.35
"""Share of the photographs without faces that show a place which looks like a face: to the teacher, or to the
detector with whose weights the run starts."""


class Place(NamedTuple):
    """A box (4,) float32, x y w h in pixels, in a photograph."""

    scene: Scene
    box: NDArray[np.float32]


class Synthesis:
    """Draws samples of `size` x `size` pixels from the photographs; safe to share among threads."""

    def __init__(
        self, scenes: list[Scene], groceries: list[Scene], portraits: list[Scene], size: int = 256
    ) -> None:
        self.size = size
        self.scenes, self.portraits = scenes, portraits
        self.groceries = [without_faces(scene) for scene in groceries]
        self.hard = [Place(scene, box) for scene in groceries for box in scene.boxes]
        self.face_free = [scene for scene in scenes if (scene.scores < BACKGROUND).all()]
        self.empty = self.groceries + self.face_free
        faces = [
            (float(np.sqrt(box[2] * box[3])), scene, index)
            for scene in scenes
            for index, box in enumerate(scene.boxes)
            if scene.sure[index]
        ]
        faces.sort(key=lambda face: face[0])
        self.faces = faces
        self.face_sizes = np.array([face[0] for face in faces], np.float32)
        # A crowd of a hundred faces is drawn ten times as often as a single face is, not a hundred times.
        shares = np.array([float(scene.sure.sum()) ** -0.5 for _, scene, _ in faces])
        self._chances = np.concatenate([[0.0], np.cumsum(shares)])

    def add_hard(self, places: Iterable[Place]) -> None:
        """Draw these places, which hold no face, like those that the teacher takes for faces."""
        self.hard += places

    def sample(self, rng: np.random.Generator) -> Sample:
        """A new sample, all of whose chances come from `rng`."""
        kind = rng.choice(len(KINDS), p=list(KINDS.values()))
        make = (self._around_face, self._anywhere, self._mosaic, self._grid, self._pasted, self._empty)
        sample: Sample = make[kind](rng)
        if rng.random() < 0.5:
            flip(sample)
        sample.pixels = degrade(sample.pixels, rng)
        return sample

    def _around_face(self, rng: np.random.Generator) -> Sample:
        return self._face_crop(self.size, self.size, FACE_SIZES, rng)

    def _face_crop(
        self, height: int, width: int, sizes: tuple[float, float], rng: np.random.Generator
    ) -> Sample:
        wanted = log_uniform(*sizes, rng)
        first = int(np.searchsorted(self.face_sizes, wanted / LARGEST_ZOOM))
        first = min(first, len(self.faces) - LEAST_FACES)
        last = max(int(np.searchsorted(self.face_sizes, wanted / SMALLEST_ZOOM)), first + LEAST_FACES)
        chance = rng.uniform(self._chances[first], self._chances[last])
        drawn = int(np.searchsorted(self._chances, chance, side="right")) - 1
        size, scene, index = self.faces[min(drawn, last - 1)]
        zoom = min(wanted / size, LARGEST_ZOOM)
        x, y, w, h = scene.boxes[index]
        # The face may be anywhere in the picture, and the picture where it fits the photograph best.
        at = rng.uniform(0.12, 0.88, 2) * (width, height)
        centre = (float(x + w / 2), float(y + h / 2))
        return crop(scene, height, width, zoom, centre, (at[0], at[1]), rng, self._around(rng))

    def _anywhere(self, rng: np.random.Generator) -> Sample:
        scene = self.scenes[int(rng.integers(len(self.scenes)))]
        zoom = log_uniform(0.7, 2.0, rng)
        return crop_anywhere(scene, self.size, self.size, zoom, rng, self._around(rng))

    def _empty(self, rng: np.random.Generator) -> Sample:
        if self.hard and rng.random() < HARD:
            return self._hard(rng)
        pool = self.groceries if rng.random() < 0.65 else self.face_free
        scene = pool[int(rng.integers(len(pool)))]
        zoom = log_uniform(0.7, 2.5, rng)
        sample = crop_anywhere(scene, self.size, self.size, zoom, rng, self._around(rng))
        if not sample.boxes and rng.random() < 0.5:
            # What holds no face holds none upside down. Where something may be one, its box is upright.
            sample.pixels = np.ascontiguousarray(np.rot90(sample.pixels, int(rng.integers(1, 4))))
        return sample

    def _hard(self, rng: np.random.Generator) -> Sample:
        """A photograph without faces around a place that looks like one, in the size of a face."""
        scene, (x, y, w, h) = self.hard[int(rng.integers(len(self.hard)))]
        zoom = min(log_uniform(*FACE_SIZES, rng) / float(np.sqrt(w * h)), LARGEST_ZOOM)
        at = rng.uniform(0.12, 0.88, 2) * self.size
        centre = (float(x + w / 2), float(y + h / 2))
        without = without_faces(scene)
        return crop(without, self.size, self.size, zoom, centre, (at[0], at[1]), rng, self._around(rng))

    def _around(self, rng: np.random.Generator) -> Picture:
        """A photograph without faces, for where another one ends."""
        return self.empty[int(rng.integers(len(self.empty)))].pixels

    def _mosaic(self, rng: np.random.Generator) -> Sample:
        size = self.size
        sample = Sample(np.zeros((size, size), np.uint8))
        split_x, split_y = (int(v) for v in rng.integers(96, size - 95, 2))
        for top, bottom in ((0, split_y), (split_y, size)):
            for left, right in ((0, split_x), (split_x, size)):
                if rng.random() < 0.65:
                    tile = self._face_crop(bottom - top, right - left, TILE_SIZES, rng)
                else:
                    scene = self.empty[int(rng.integers(len(self.empty)))]
                    zoom = log_uniform(0.4, 1.3, rng)
                    tile = crop_anywhere(scene, bottom - top, right - left, zoom, rng)
                sample.pixels[top:bottom, left:right] = tile.pixels
                for (x, y, w, h), score in zip(tile.boxes, tile.scores, strict=True):
                    sample.add((x + left, y + top, w, h), score)
        return sample

    def _grid(self, rng: np.random.Generator) -> Sample:
        tile = int(log_uniform(28, 190, rng))
        offset_x, offset_y = (int(v) for v in rng.integers(0, tile, 2))
        board = np.zeros((self.size + 2 * tile, self.size + 2 * tile), np.uint8)
        window = board[offset_y : offset_y + self.size, offset_x : offset_x + self.size]
        sample = Sample(window)
        portraits = rng.uniform(0.15, 0.7)
        for top in range(0, offset_y + self.size, tile):
            for left in range(0, offset_x + self.size, tile):
                pixels, box = self._tile(rng.random() < portraits, rng)
                board[top : top + tile, left : left + tile] = resize(pixels, tile, tile)
                if box is not None:
                    x, y, w, h = (float(v) * tile / len(pixels) for v in box)
                    sample.add((x + left - offset_x, y + top - offset_y, w, h), 1.0)
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
            zoom = log_uniform(8, 150, rng) / float(np.sqrt(box[2] * box[3]))
            side = max(round(patch.shape[0] * zoom), 8)
            zoom = side / patch.shape[0]
            at = rng.uniform(-0.2 * side, self.size - 0.8 * side, 2)
            left, top = int(at[0]), int(at[1])
            x, y, w, h = (float(v) * zoom for v in box)
            placed = np.array([x + left, y + top, w, h], np.float32)
            if overlaps(placed, taken):
                continue
            taken = np.vstack([taken, placed])
            paste(sample.pixels, patch, side, left, top, (x, y, w, h), rng)
            if is_face:
                sample.add((x + left, y + top, w, h), 1.0)
        return sample
