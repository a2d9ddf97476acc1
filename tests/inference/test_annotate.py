"""Annotated pictures: labels keep clear, colours tell the class, hidden faces stay hidden."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bus.messages import UNKNOWN, Estimate
from inference.annotation.face_card import HEIGHT, PANEL, card
from inference.annotation.labels import (
    EXPRESSION_COLORS,
    GENDER_COLORS,
    Plate,
    expression_color,
    expression_text,
    gender_color,
    gender_text,
    percent,
)
from inference.annotation.picture import LEAST_SIDE, LabelledFace, annotate, enlargement
from inference.annotation.plates import place, place_far, place_within
from inference.annotation.shapes import Color, Rect, fill, outline, text_width, write

Picture = NDArray[np.uint8]
NAMES = tuple(EXPRESSION_COLORS)


def estimate(expression: str = "happiness", gender: str = "female", sure: float = 0.7) -> Estimate:
    top = expression if expression in NAMES else "neutral"
    rest = (1 - sure) / (len(NAMES) - 1)
    return Estimate(
        {name: sure if name == top else rest for name in NAMES},
        {"female": 0.9, "male": 0.1}.get(gender, 0.5),
        expression,
        gender,
    )


def face(x: float, y: float, side: float, **kind: str) -> LabelledFace:
    return LabelledFace((x, y, side, side * 1.2), 0.9, estimate(**kind))


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def has_color(picture: Picture, color: Color) -> bool:
    return bool((np.abs(picture.astype(int) - color).max(axis=2) <= 3).any())


def test_the_original_is_left_alone_and_nothing_is_drawn_without_faces() -> None:
    picture = noise(480, 640)
    before = picture.copy()
    assert np.array_equal(annotate(picture, []), before)
    annotate(picture, [face(200, 200, 80)], blur=True)
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("shape", [(96, 96), (1080, 1920), (3000, 4000), (40, 2000), (5, 5)])
def test_any_size_grey_or_coloured(shape: tuple[int, int]) -> None:
    height, width = shape
    faces = [face(width * 0.3, height * 0.3, min(shape) * 0.3), face(-10, -10, 30), face(width, height, 9)]
    gray = np.full(shape, 128, np.uint8)
    drawn = annotate(gray, faces)
    factor = enlargement(gray)
    assert drawn.shape == (height * factor, width * factor, 3)
    assert max(drawn.shape) >= LEAST_SIDE
    assert np.array_equal(drawn, annotate(cv2.merge([gray] * 3), faces))


@pytest.mark.parametrize("ground", [0, 128, 255])
@pytest.mark.parametrize("expression", NAMES)
def test_box_and_label_carry_the_colour_of_the_expression_on_any_ground(expression: str, ground: int) -> None:
    picture = np.full((720, 1280, 3), ground, np.uint8)
    drawn = annotate(picture, [face(500, 300, 150, expression=expression, gender="male")])
    box = drawn[290:490, 490:660]
    above = drawn[:290]
    for part in (box, above):
        assert has_color(part, EXPRESSION_COLORS[expression])
    assert has_color(above, GENDER_COLORS["male"])
    assert not has_color(drawn, GENDER_COLORS["female"])


def test_colours_stay_outside_boxes_and_labels() -> None:
    picture = noise(720, 1280)
    drawn = annotate(picture, [face(500, 300, 150)])
    changed = (drawn != picture).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert rows[0] > 180
    assert rows[-1] < 500
    assert columns[0] > 480
    assert columns[-1] < 800
    inside = changed[320:460, 520:630]
    assert not inside.any()


@pytest.mark.parametrize("seed", range(8))
def test_labels_overlap_no_face_and_no_label(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms: list[Rect] = []
    draw = Plate.draw

    def spy(plate: Plate, picture: Picture, room: Rect) -> None:
        rooms.append(room)
        draw(plate, picture, room)

    monkeypatch.setattr(Plate, "draw", spy)
    rng = np.random.default_rng(seed)
    faces = [
        face(*rng.uniform([0, 0], [1200, 650]), side, expression=str(rng.choice(NAMES)))
        for side in rng.uniform(12, 120, 3 + 3 * seed)
    ]
    annotate(np.zeros((720, 1280, 3), np.uint8), faces)
    assert len(rooms) >= min(len(faces), 3)
    for one, other in itertools.combinations(rooms, 2):
        assert one.overlap(other) == 0
    for room in rooms:
        assert min(room.x, room.y) >= 0
        assert room.right <= 1280
        assert room.bottom <= 720
        within = [item for item in faces if room.overlap(Rect(*item.box))]
        assert not within


def test_a_face_that_fills_the_picture_has_its_label_at_its_lower_end() -> None:
    picture = np.full((600, 600, 3), 90, np.uint8)
    drawn = annotate(picture, [LabelledFace((0, 0, 600, 600), 1.0, estimate("anger"))])
    middle = drawn[300:, 60:540]
    assert has_color(middle, EXPRESSION_COLORS["anger"])
    assert not has_color(drawn[60:290, 60:540], EXPRESSION_COLORS["anger"])


def test_places_in_order_of_preference() -> None:
    bounds = Rect(0, 0, 400, 300)
    box = Rect(100, 100, 50, 60)
    above = place(box, (80, 20), [box], bounds, 5)
    assert above == Rect(100, 75, 80, 20)
    below = place(box, (80, 20), [box, Rect(0, 0, 400, 98)], bounds, 5)
    assert below == Rect(100, 165, 80, 20)
    beside = place(box, (80, 20), [box, Rect(0, 0, 400, 98), Rect(0, 162, 400, 138)], bounds, 5)
    assert beside == Rect(155, 100, 80, 20)
    ring = [Rect(60, 60, 130, 140)]
    assert place(box, (20, 20), ring, bounds, 5) is None
    far = place_far(box, (20, 20), ring, bounds, 5)
    assert far is not None
    assert far.overlap(ring[0]) == 0
    assert place_far(box, (20, 20), [bounds], bounds, 5) is None
    assert place_within(Rect(-50, -50, 600, 600), (80, 20), bounds, 5) == Rect(210, 275, 80, 20)


def test_labels_move_along_to_stay_inside() -> None:
    bounds = Rect(0, 0, 400, 300)
    box = Rect(380, 100, 20, 20)
    assert place(box, (80, 20), [box], bounds, 5) == Rect(320, 75, 80, 20)


def test_texts() -> None:
    assert expression_text(estimate("fear", sure=0.554)) == "fear 55 %"
    assert expression_text(estimate(UNKNOWN)) == "expression unknown"
    assert gender_text(estimate(gender="male")) == "perceived man 90 %"
    assert gender_text(estimate(gender=UNKNOWN)) == "gender unknown"
    assert percent(0.9999) == "99 %"
    assert percent(0.0) == "0 %"


def test_unknown_is_grey() -> None:
    unknown = estimate(UNKNOWN, UNKNOWN)
    assert expression_color(unknown) == gender_color(unknown)
    assert max(expression_color(unknown)) - min(expression_color(unknown)) < 30


def test_a_label_with_nothing_to_tell_is_small() -> None:
    nothing = Plate(estimate(UNKNOWN, UNKNOWN), 20, bar=True)
    something = Plate(estimate(UNKNOWN, "male"), 20, bar=True)
    assert nothing.size[1] < something.size[1] / 1.5
    assert nothing.size[0] < something.size[0]


@pytest.mark.parametrize("side", [10, 60, 300])
def test_blurred_faces_keep_no_detail(side: int) -> None:
    picture = noise(720, 1280)
    drawn = annotate(picture, [face(500, 200, side)], blur=True)
    x, y = 500 + side * 0.2, 200 + side * 0.2
    left, top = round(x), round(y)
    right, bottom = round(500 + side * 0.8), round(200 + side)
    hidden = drawn[top:bottom, left:right].astype(float)
    original = picture[top:bottom, left:right].astype(float)
    steps = np.abs(np.diff(hidden, axis=1)).mean()
    assert steps < 0.25 * np.abs(np.diff(original, axis=1)).mean()


def test_what_is_hidden_does_not_depend_on_detail_beneath() -> None:
    rng = np.random.default_rng(0)
    one = np.full((720, 1280, 3), 120, np.uint8)
    other = one.copy()
    # The same mean in every cell, other pixels: a checkerboard as fine as it gets.
    other[::2, ::2] += 40
    other[1::2, 1::2] += 40
    other[::2, 1::2] -= 40
    other[1::2, ::2] -= 40
    faces = [face(500, 200, float(rng.integers(90, 150)))]
    drawn, drawn_other = annotate(one, faces, blur=True), annotate(other, faces, blur=True)
    part = np.s_[240:300, 530:570]
    assert np.abs(drawn[part].astype(int) - drawn_other[part]).max() <= 4


def test_blur_reaches_beyond_the_box_and_no_further_than_needed() -> None:
    picture = noise(720, 1280)
    changed = (annotate(picture, [face(500, 300, 100)], blur=True) != picture).any(axis=2)
    assert changed[275:300, 540:560].mean() > 0.9
    assert not changed[457:].any()
    assert not changed[:, :460].any()


@pytest.mark.parametrize("shape", [(48, 48), (96, 96, 3), (300, 100), (2, 500), (1, 1)])
def test_cards_for_crops_of_any_shape(shape: tuple[int, ...]) -> None:
    crop = np.full(shape, 200, np.uint8)
    drawn = card(crop, estimate("sadness", "male"))
    assert drawn.shape[0] == HEIGHT
    panel = drawn[:, -PANEL:]
    assert has_color(panel, EXPRESSION_COLORS["sadness"])
    assert has_color(panel, GENDER_COLORS["male"])
    assert (np.abs(drawn[:, :-PANEL].astype(int) - 200) <= 1).all()


def test_card_bars_are_as_long_as_classes_are_probable() -> None:
    def length(sure: float) -> int:
        drawn = card(np.zeros((48, 48), np.uint8), estimate("surprise", sure=sure))
        hits = np.abs(drawn.astype(int) - EXPRESSION_COLORS["surprise"]).max(axis=2) <= 3
        return int(hits.sum(axis=1).max())

    assert length(0.9) == pytest.approx(3 * length(0.3), rel=0.06)


def test_a_blurred_card_keeps_no_detail() -> None:
    crop = noise(96, 96)
    drawn = card(crop, estimate(), blur=True)[100:380, 100:380].astype(float)
    assert np.abs(np.diff(drawn, axis=1)).mean() < 2


def test_shapes_are_filled_to_the_fraction_of_a_pixel() -> None:
    picture = np.zeros((20, 20, 3), np.uint8)
    fill(picture, Rect(4, 4, 8.5, 8), 0, Color(200, 100, 50))
    assert picture[8, 8].tolist() == [200, 100, 50]
    assert picture[8, 12].tolist() == [100, 50, 25]
    assert not picture[8, 13].any()
    outline(picture, Rect(-50, -50, 10, 10), 3, 2, Color(1, 2, 3))
    assert picture[0, 0].tolist() == [0, 0, 0]


def test_text_is_as_wide_as_announced_and_smooth() -> None:
    picture = np.zeros((60, 400, 3), np.uint8)
    write(picture, "perceived woman 88 %", 10, 40, 24, Color(255, 255, 255))
    columns = np.flatnonzero(picture.any(axis=(0, 2)))
    assert columns[-1] - columns[0] == pytest.approx(text_width("perceived woman 88 %", 24), abs=4)
    assert len(np.unique(picture)) > 20
