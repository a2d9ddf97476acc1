"""The texts of the page Live as HTML: facts about the newest frame, and what the tracker follows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dashboard import formats, theme
from dashboard.live_pictures import LivePicture, LiveTrack

OLD_S = 10.0
"""Age of a frame from which it is marked; of a still scene one is analysed every three seconds."""
MOST_TRACKS = 12

_GENDERS = {"female": "woman", "male": "man"}
_NO_LABEL = {"unknown", "off"}
_HEADS = ("Track", "State", "Face", "Score", "Faces", "Followed", "Estimate")


def frame_facts(picture: LivePicture, analysed_by: str) -> str:
    """Age and rate of the frame, and how many are followed and counted."""
    old = picture.age_s >= OLD_S
    colour = theme.css_colour(theme.CAUTION if old else theme.ACCENT)
    counted = sum(track.counted for track in picture.tracks)
    facts = [
        f'<span class="dot" style="color:{colour}"></span>Frame {_seconds(picture.age_s)} old',
        "rate not known yet" if picture.fps is None else f"{picture.fps:.1f} frames a second analysed",
        f"{len(picture.tracks)} followed, {counted} counted",
    ]
    if picture.unchanged:
        facts.append("the scene is still: pictures without a change are left out")
    about = f"analysed by {escape(analysed_by)}"
    return f'<div class="mien live">{" · ".join(facts)}<small>{about}</small></div>'


def track_table(tracks: Sequence[LiveTrack]) -> str:
    """What the tracker follows and why it is or is not counted; people who are counted first."""
    if not tracks:
        return '<div class="mien"><small>Nothing that could be a face is followed now.</small></div>'
    heads = "".join(f'<th scope="col">{name}</th>' for name in _HEADS)
    rows = "".join(_row(track) for track in tracks[:MOST_TRACKS])
    more = len(tracks) - MOST_TRACKS
    rest = f"<small>and {more} more that are not counted</small>" if more > 0 else ""
    table = f'<table class="mien compared"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="mien">{table}{rest}</div>'


def _row(track: LiveTrack) -> str:
    state = escape(track.explanation)
    if track.absent_s:
        state += f'<span class="quiet"> · not seen for {_seconds(track.absent_s)}, expected in the box</span>'
    cells = (
        f"#{track.number}",
        state,
        f"{track.size:.0f} px",
        f"{track.score:.2f}",
        formats.count(track.faces),
        _seconds(track.age_s),
        escape(_estimate(track)),
    )
    columns = [
        f'<td data-label="{name}"><div>{cell}</div></td>' for name, cell in zip(_HEADS, cells, strict=True)
    ]
    return f"<tr>{''.join(columns)}</tr>"


def _estimate(track: LiveTrack) -> str:
    """Both labels in words, as far as there are any: "happiness, perceived woman"."""
    if track.expression is None or track.gender is None:
        return formats.NO_VALUE
    gender = f"perceived {_GENDERS[track.gender]}" if track.gender in _GENDERS else ""
    expression = "" if track.expression in _NO_LABEL else track.expression
    return ", ".join(filter(None, (expression, gender))) or track.expression


def _seconds(seconds: float) -> str:
    """A duration that changes while one looks: "0.4 s", "12 s", "3 min"."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    return formats.duration(round(seconds * 1e6))
