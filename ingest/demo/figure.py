"""One visitor in a frame: shadow, legs, torso and head."""

from __future__ import annotations

import math

import numpy as np

from ingest.demo import bodies, sheet
from ingest.demo.heads import from_behind, is_long_haired, turned_head
from ingest.demo.routes import Pose
from ingest.demo.sprites import Gray, Sprite
from ingest.demo.view import HEIGHT, WIDTH, View
from ingest.demo.visitors import Visitor

EYES_BELOW_CROWN = 0.125
"""In metres."""

Area = tuple[slice, slice]
"""Rows and columns of a frame."""

_STRIDE = 1.35
"""Length of a stride in metres: one step of each foot."""
_BOB = 0.018
"""Metres by which the head moves down between two steps."""
_SHADOW_SCALE = 100.0
_REACH = 0.45
"""Metres from the middle line of a figure to its edge."""


def draw_figure(frame: Gray, view: View, visitor: Visitor, pose: Pose, time: float, shadow: Sprite) -> Area:
    """Draw a visitor into a frame, in place; returns the area that was changed.

    `time` in seconds moves those who stand: nobody stands quite still.
    """
    scale = view.scale(pose.z)
    air = view.haziness(pose.z)
    light, shine = 1 - air, air * view.haze
    phase = 2 * math.pi * pose.walked / _STRIDE
    sway = math.sin(0.9 * time + visitor.number)
    tilt = 0.025 * math.sin(phase) + 0.02 * sway
    crown = visitor.height - _BOB * math.sin(phase) ** 2
    collar = view.project(pose.x, crown - bodies.COLLAR, pose.z)
    eyes = view.project(pose.x + 0.01 * sway, crown - EYES_BELOW_CROWN, pose.z)
    feet = view.project(pose.x, 0, pose.z)
    shadow.paste(frame, feet, scale / _SHADOW_SCALE)
    _draw_legs(frame, view, visitor, pose, crown, light, shine)
    yaw = pose.yaw + 4 * math.sin(0.7 * time + 2 * visitor.number)
    torso = bodies.torso(visitor.outfit, from_behind(yaw))
    torso_first = from_behind(yaw) and is_long_haired(visitor.head)
    if torso_first:
        torso.paste(frame, collar, scale / bodies.TORSO_SCALE, 0.3 * tilt, light, shine)
    turned_head(visitor.head, yaw).paste(frame, eyes, scale / sheet.HEAD_SCALE, tilt, light, shine)
    if not torso_first:
        torso.paste(frame, collar, scale / bodies.TORSO_SCALE, 0.3 * tilt, light, shine)
    reach = _REACH * scale
    return _area(collar[0] - reach, eyes[1] - reach, collar[0] + reach, feet[1] + 0.1 * scale)


def foot_shadow() -> Sprite:
    """The soft shadow under a pair of feet."""
    y, x = np.mgrid[-1:1:24j, -1:1:90j]
    alpha = 140 * np.clip(1 - np.hypot(x, y), 0, 1) ** 1.2
    return Sprite.of(np.full(alpha.shape, 24, np.uint8), alpha.astype(np.uint8), (45.0, 12.0))


def _draw_legs(
    frame: Gray, view: View, visitor: Visitor, pose: Pose, crown: float, light: float, shine: float
) -> None:
    height = crown - bodies.COLLAR - bodies.TORSO_TO_HIPS
    hips = view.project(pose.x, height, pose.z)
    step = round(pose.walked / _STRIDE * bodies.STEPS) % bodies.STEPS
    scale = height / bodies.LEG * view.scale(pose.z) / bodies.LEGS_SCALE
    if hips[1] < HEIGHT:
        legs = bodies.legs(visitor.outfit.trousers, visitor.outfit.build, step)
        legs.paste(frame, hips, scale, 0.0, light, shine)


def _area(left: float, top: float, right: float, bottom: float) -> Area:
    rows = np.clip([top, bottom + 1], 0, HEIGHT).astype(int).tolist()
    columns = np.clip([left, right + 1], 0, WIDTH).astype(int).tolist()
    return slice(*rows), slice(*columns)
