"""The list of cameras as HTML: a table on a wide screen, a card for each camera on a narrow one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from dashboard import formats, theme
from storage.camera_status import CameraStatus, Condition

SLOW = 0.8
"""The part of the expected frame rate below which a rate is marked as slow."""

_COLUMNS = {
    "Camera": "Name, site and zone",
    "State": "What the camera is doing, since when and why",
    "Frames a second": "The rate of the last seconds, and the expected rate",
    "Last frame": "The age of the newest picture, according to the newest report",
    "Reconnects": "How often the source was opened again within the last hour",
    "Delay": "From capture to result: mean of the frames analysed in the last hour",
    "Frames of the last hour": (
        "How many of the sampled frames were analysed or showed no change, and why others were not analysed"
    ),
}


def camera_list(cameras: Sequence[CameraStatus], now: int, default_fps: float) -> str:
    """The markup of a list of cameras. `default_fps` is expected of those without a rate of their own."""
    heads = "".join(
        f'<th scope="col" title="{escape(about)}">{name}</th>' for name, about in _COLUMNS.items()
    )
    body = "".join(_row(camera, now, default_fps) for camera in cameras)
    return f'<table class="mien cameras"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def summary(cameras: Iterable[CameraStatus]) -> str:
    """How many cameras are in which condition: "3 online, 1 retrying"."""
    conditions = [camera.condition for camera in cameras]
    counts = [(conditions.count(condition), condition.value) for condition in Condition]
    return ", ".join(f"{count} {name}" for count, name in counts if count)


def _row(camera: CameraStatus, now: int, default_fps: float) -> str:
    cells = (
        _camera(camera),
        _state(camera, now),
        _rate(camera, default_fps),
        _last_frame(camera, now),
        f'{formats.count(camera.recent_reconnects)}<span class="quiet"> in 1 h</span>',
        formats.NO_VALUE if camera.frame_age_us is None else f"{camera.frame_age_us / 1000:.0f} ms",
        _frames(camera),
    )
    columns = [
        f'<td data-label="{name}"><div>{cell}</div></td>' for name, cell in zip(_COLUMNS, cells, strict=True)
    ]
    return f"<tr>{''.join(columns)}</tr>"


def _camera(camera: CameraStatus) -> str:
    place = " · ".join(escape(part) for part in (camera.site, camera.zone) if part)
    about = (place, escape(camera.purpose), _policy(camera))
    return f"<b>{escape(camera.name)}</b>{''.join(map(_small, about))}"


def _policy(camera: CameraStatus) -> str:
    """What is limited: masks, switches, and whether visitors are informed."""
    parts = [formats.counted(camera.masks, "mask")] * bool(camera.masks)
    parts += ["expression off"] * (not camera.read_expression) + ["gender off"] * (not camera.read_gender)
    parts += [f"notice since {escape(camera.notice_at)}"] * bool(camera.notice_at)
    return " · ".join(parts)


def _state(camera: CameraStatus, now: int) -> str:
    since = ""
    if camera.since is not None:
        since = f'<span class="quiet"> for {formats.duration(now - camera.since)}</span>'
    captured = camera.captured_by and camera.condition.expected
    by = f"captured by {camera.captured_by}" if captured else ""
    about = "".join(_small(escape(text)) for text in (camera.reason, by))
    return f"{_dot(camera.condition)}{camera.condition.value}{since}{about}"


def _dot(condition: Condition) -> str:
    """A dot in the colour of a condition; a ring where no pictures are expected."""
    series = (
        theme.CAUTION if condition.down else theme.ACCENT if condition is Condition.ONLINE else theme.QUIET
    )
    shape = "dot" if condition.expected else "dot ring"
    return f'<span class="{shape}" style="color:{theme.css_colour(series)}"></span>'


def _last_frame(camera: CameraStatus, now: int) -> str:
    if camera.last_frame_at is None:
        return formats.NO_VALUE
    return f"{formats.duration(now - camera.last_frame_at)} ago"


def _rate(camera: CameraStatus, default_fps: float) -> str:
    if camera.condition is not Condition.ONLINE:
        return formats.NO_VALUE
    expected = camera.fps_expected or default_fps
    rate = f'{camera.fps:.1f}<span class="quiet"> of {expected:g}</span>'
    return rate if camera.fps >= SLOW * expected else f"{rate}{_small('slow')}"


def _frames(camera: CameraStatus) -> str:
    if not camera.captured:
        return formats.NO_VALUE
    lost = {
        "unchanged": camera.unchanged,
        "too old": camera.stale,
        "unreadable": camera.failed,
        **camera.dropped,
    }
    others = ", ".join(f"{formats.count(n)} {escape(reason)}" for reason, n in lost.items() if n)
    analysed = formats.percent((camera.analysed + camera.unchanged) / camera.captured)
    return f'{analysed}<span class="quiet"> of {formats.count(camera.captured)}</span>{_small(others)}'


def _small(text: str) -> str:
    return f"<small>{text}</small>" if text else ""
