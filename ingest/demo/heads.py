"""Heads that turn: the sprite is projected onto a column, and its back is drawn."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ingest.demo.sheet import Head, load_sheet
from ingest.demo.sprites import Gray, Plane, Sprite

YAW_STEP = 8
"""Degrees between the turned heads that are cached."""

_NAPE = 168
"""Row at which short hair ends at the back of the neck."""
_COLLAR = 205
_CROWN = 62
"""Row above which hair and caps look the same from all sides."""


def turned_head(number: int, yaw: float) -> Sprite:
    """Head `number` of the sheet, turned by `yaw` degrees to the viewer's right; 180 shows its back."""
    return _turned(number, round(yaw / YAW_STEP) * YAW_STEP % 360)


def from_behind(yaw: float) -> bool:
    """Whether a head turned by `yaw` degrees shows its back."""
    return bool(np.cos(np.radians(yaw)) < 0)


def is_long_haired(number: int) -> bool:
    """Whether hair hangs down over the shoulders of head `number`."""
    return _is_long(load_sheet().heads[number])


@lru_cache(maxsize=256)
def _turned(number: int, yaw: int) -> Sprite:
    sheet = load_sheet()
    head = sheet.heads[number]
    luminance = head.luminance if yaw == 0 else _wound(head, np.radians(yaw))
    alpha = (head.alpha * _hair_ends(head.alpha)).astype(np.uint8) if from_behind(yaw) else head.alpha
    return Sprite.of(luminance, alpha, sheet.eyes)


def _wound(head: Head, yaw: float) -> Gray:
    """The front and the back as the halves of a column that is as wide as the head in every row."""
    height, width = head.alpha.shape
    middle = load_sheet().eyes[0]
    across = np.arange(width, dtype=np.float32) - middle
    radius = np.maximum((np.abs(across) * (head.alpha > 127)).max(axis=1), 20) + 1
    radius = cv2.GaussianBlur(radius.astype(np.float32)[:, None], (1, 0), 0, sigmaY=4)
    angle = np.arcsin(np.clip(across / radius, -1, 1)) - yaw
    column = (middle + radius * np.sin(angle)).astype(np.float32)
    row = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    front, back = (
        cv2.remap(picture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for picture in (head.luminance, _back(head))
    )
    facing = np.clip(np.cos(angle) * 6 + 0.5, 0, 1)
    return np.asarray(front * facing + back * (1 - facing), np.uint8)


def _is_long(head: Head) -> bool:
    return bool((head.alpha[_COLLAR] > 127).mean() > 0.55)


def _hair_ends(alpha: Gray) -> Plane:
    """Long hair is cut round and thins out at its ends."""
    height, width = alpha.shape
    rows = np.arange(height, dtype=np.float32)[:, None]
    across = (np.arange(width, dtype=np.float32) - load_sheet().eyes[0])[None] / (width / 2)
    return np.asarray(np.clip((height - 6 - 14 * across**2 - rows) / 18, 0, 1), np.float32)


def _back(head: Head) -> Gray:
    """The head from behind, as wide as from the front: hair, and the neck below where it is short."""
    height, width = head.alpha.shape
    rows = np.arange(height, dtype=np.float32)[:, None]
    across = np.abs(np.arange(width, dtype=np.float32) - load_sheet().eyes[0])[None] / 70
    rng = np.random.default_rng(round(head.hair_tone))
    locks = cv2.GaussianBlur(rng.normal(size=(1, width)).astype(np.float32), (0, 1), 1.2, sigmaY=0.1)
    hair = head.hair_tone * (1.15 - 0.4 * across**2 + 0.12 * locks) * np.ones((height, 1), np.float32)
    own = np.asarray(head.luminance, np.float32)
    low = np.clip((_CROWN + 10 - rows) / 20, 0, 1)
    hair += (own - hair) * low
    if not _is_long(head):
        skin = float(np.median(own[_COLLAR + 5 :, width // 2 - 20 : width // 2 + 20]))
        hair += (skin * (1.05 - 0.3 * across**2) - hair) * np.clip((rows - _NAPE) / 8 + 0.5, 0, 1)
    return np.asarray(np.clip(hair, 0, 255), np.uint8)
