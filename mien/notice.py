"""The notice for the entrance as PDF: who watches, what for, what is stored and for how long, whom to ask.

It states what this system does and stores, and claims nothing about law.
"""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Protocol

from fpdf import FPDF
from fpdf.fonts import TTFFont

from mien.errors import SettingsError
from mien.settings import Settings

_CORE_FONT = "Helvetica"
_CORE_ENCODING = "latin-1"
_FOUND_FONT = "Found"
_FONT_FILES = tuple(
    Path(folder) / name
    for folder, name in (
        ("/usr/share/fonts/truetype/dejavu", "DejaVuSans.ttf"),
        ("/usr/share/fonts/truetype/noto", "NotoSans-Regular.ttf"),
        ("/usr/share/fonts/TTF", "DejaVuSans.ttf"),
        ("/usr/share/fonts/dejavu-sans-fonts", "DejaVuSans.ttf"),
        ("/Library/Fonts", "Arial Unicode.ttf"),
        ("C:/Windows/Fonts", "arial.ttf"),
    )
)
"""Fonts of the machine, for names that the fonts of every PDF reader cannot show."""

_INK, _QUIET, _ACCENT = (28, 32, 36), (92, 98, 104), (16, 98, 98)
_MARGIN = 20.0


class Language(StrEnum):
    """The languages of the notice."""

    EN = "en"
    DE = "de"


class WatchedCamera(Protocol):
    """What the notice says of a camera; registered cameras and their status have it."""

    @property
    def site(self) -> str:
        """The shop."""

    @property
    def purpose(self) -> str:
        """What the camera is for."""

    @property
    def read_expression(self) -> bool:
        """Whether expressions are estimated."""

    @property
    def read_gender(self) -> bool:
        """Whether the perceived gender is estimated."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What the notice says.

    `frames_s`: for how long frames lie on the disks of a server at most, in seconds; 0 where they are in
    memory alone, None where they are on disks for a time that is not known here.
    """

    operator: str
    contact: str
    purposes: tuple[str, ...]
    cameras: int
    expression: bool
    gender: bool
    visits_days: int
    observations_days: int
    frames_s: float | None
    printed_on: date


def create_notice(
    settings: Settings, cameras: Iterable[WatchedCamera], frames_s: float | None, printed_on: date
) -> Notice:
    """What the notice says of these cameras.

    Raises SettingsError where the settings do not say who is responsible and how to reach them.
    """
    for name in ("operator_name", "contact"):
        if not getattr(settings, name).strip():
            raise SettingsError(
                f"{name}: is empty; the notice has to name it: set MIEN_{name.upper()} or {name} in mien.yaml"
            )
    watched = list(cameras)
    return Notice(
        settings.operator_name.strip(),
        settings.contact.strip(),
        tuple(dict.fromkeys(each.purpose.strip() for each in watched if each.purpose.strip())),
        len(watched),
        any(each.read_expression for each in watched),
        any(each.read_gender for each in watched),
        settings.keep_visits_days,
        min(settings.keep_observations_days, settings.keep_visits_days),
        frames_s,
        printed_on,
    )


def render_notice(notice: Notice, language: Language) -> tuple[bytes, str]:
    """The notice as PDF of A4 pages, and the characters that no font of this machine has.

    Such characters are written as "?".
    """
    title, sections = _TEXTS[language](notice)
    everything = "".join([title, *(f"{head}{text}" for head, text in sections)])
    pdf = _Page(format="A4")
    pdf.set_lang(language.value)
    pdf.set_title(title)
    pdf.set_creator("Mien")
    pdf.set_creation_date(datetime.combine(notice.printed_on, time(), UTC))
    font, missing = _choose_font(pdf, everything)
    pdf.draw(title, sections, font, missing)
    file = io.BytesIO()
    pdf.output(file)
    for each in pdf.fonts.values():
        if isinstance(each, TTFFont):
            each.close()  # Otherwise the file of the font stays open.
    return file.getvalue(), "".join(sorted(missing))


class _Page(FPDF):
    def draw(
        self, title: str, sections: Sequence[tuple[str, str]], font: str, missing: frozenset[str]
    ) -> None:
        """A title with a sign of a camera, then heads and texts."""

        def shown(text: str) -> str:
            return "".join("?" if letter in missing else letter for letter in text)

        bold = "B" if font == _CORE_FONT else ""
        self.set_margin(_MARGIN)
        self.set_auto_page_break(True, _MARGIN)
        self.add_page()
        self._draw_camera()
        self.set_xy(_MARGIN + 30, _MARGIN + 1)
        self.set_text_color(*_INK)
        self.set_font(font, bold, 24)
        self.multi_cell(0, 11, shown(title), align="L", new_x="LMARGIN", new_y="NEXT")
        self.set_y(max(self.get_y(), _MARGIN + 26) + 6)
        for head, text in sections:
            self.set_font(font, bold, 15)
            self.set_text_color(*_ACCENT)
            self.multi_cell(0, 8, shown(head), align="L", new_x="LMARGIN", new_y="NEXT")
            self.set_font(font, "", 13.5)
            self.set_text_color(*_INK)
            self.multi_cell(0, 7, shown(text), align="L", new_x="LMARGIN", new_y="NEXT")
            self.ln(3.6)

    def _draw_camera(self) -> None:
        """The sign of a camera: a body, a lens and its cone."""
        left, top = _MARGIN, _MARGIN + 2
        self.set_fill_color(*_ACCENT)
        self.rect(left, top + 3, 17, 12, style="F", round_corners=True, corner_radius=2)
        self.polygon([(left + 17, top + 7.5), (left + 23, top + 4), (left + 23, top + 14)], style="F")
        self.set_fill_color(255, 255, 255)
        self.circle(left + 8.5, top + 9, 3.2, style="F")


def _choose_font(pdf: FPDF, text: str) -> tuple[str, frozenset[str]]:
    """A font for a text, and the characters of it that the font does not have."""
    letters = {letter for letter in text if not letter.isspace()}
    missing = frozenset(letter for letter in letters if not _is_core(letter))
    best, best_file = missing, None
    for file in _FONT_FILES if missing else ():
        if not file.is_file():
            continue
        known = _characters_of(file)
        lacking = frozenset(letter for letter in letters if ord(letter) not in known)
        if len(lacking) < len(best):
            best, best_file = lacking, file
    if best_file is None:
        return _CORE_FONT, missing
    pdf.add_font(_FOUND_FONT, "", best_file)
    return _FOUND_FONT, best


@cache
def _characters_of(file: Path) -> Collection[int]:
    """The code points that a font has."""
    pdf = FPDF()
    pdf.add_font(_FOUND_FONT, "", file)
    (font,) = pdf.fonts.values()
    assert isinstance(font, TTFFont)
    known = frozenset(font.cmap)
    font.close()
    return known


def _is_core(letter: str) -> bool:
    try:
        letter.encode(_CORE_ENCODING)
    except UnicodeEncodeError:
        return False
    return unicodedata.category(letter)[0] != "C"


def _english(notice: Notice) -> tuple[str, list[tuple[str, str]]]:
    estimates = _join(
        [
            *(["the facial expression"] if notice.expression else []),
            *(["the perceived gender"] if notice.gender else []),
        ],
        " and ",
    )
    title = f"Cameras estimate {estimates} of visitors here" if estimates else "Cameras count visitors here"
    what = (
        "A computer finds faces in the pictures of "
        f"{_count(notice.cameras, 'one camera', 'cameras')} and counts visits. "
    )
    if estimates:
        what += (
            f"For each visit it estimates {estimates}. An estimate for one person is often wrong. It does "
            "not show what a person feels or who a person is. "
        )
    what += "Nobody is identified, and nobody is recognised when they return."
    probabilities = " and the probabilities of the estimates" if estimates else ""
    stored = (
        "Of each visit: camera, time, duration, in how many pictures the face was seen, its size in them, "
        f"and how certain the program was that it is a face{probabilities}. This system stores no picture. "
        f"{_frames_in_english(notice.frames_s)}"
    )
    return title, [
        ("Who is responsible", notice.operator),
        ("Purpose", _lines(notice.purposes) or "Not stated: please ask."),
        ("What happens", what),
        ("What is stored", stored),
        (
            "For how long",
            f"Visits: {_days(notice.visits_days, 'day', 'days')}. Estimates of single seconds: "
            f"{_days(notice.observations_days, 'day', 'days')}. Then they are deleted.",
        ),
        ("Questions and requests", notice.contact),
    ]


def _german(notice: Notice) -> tuple[str, list[tuple[str, str]]]:
    estimates = _join(
        [
            *(["den Gesichtsausdruck"] if notice.expression else []),
            *(["das wahrgenommene Geschlecht"] if notice.gender else []),
        ],
        " und ",
    )
    title = (
        f"Kameras schätzen hier {estimates} von Besuchern" if estimates else "Kameras zählen hier Besucher"
    )
    what = (
        f"Ein Computer findet in den Bildern von {_count(notice.cameras, 'einer Kamera', 'Kameras')} "
        "Gesichter und zählt Besuche. "
    )
    if estimates:
        what += (
            f"Zu jedem Besuch schätzt er {estimates}. Die Schätzung für eine einzelne Person ist oft falsch. "
            "Sie zeigt nicht, was jemand fühlt oder wer jemand ist. "
        )
    what += "Niemand wird identifiziert, und niemand wird beim nächsten Besuch wiedererkannt."
    probabilities = " und die Wahrscheinlichkeiten der Schätzungen" if estimates else ""
    stored = (
        "Zu jedem Besuch: Kamera, Zeitpunkt, Dauer, in wie vielen Bildern das Gesicht zu sehen war, wie groß "
        f"es darin war, und wie sicher das Programm war, dass es ein Gesicht ist{probabilities}. "
        f"Dieses System speichert kein Bild. {_frames_in_german(notice.frames_s)}"
    )
    return title, [
        ("Wer verantwortlich ist", notice.operator),
        ("Zweck", _lines(notice.purposes) or "Nicht angegeben: bitte fragen Sie nach."),
        ("Was geschieht", what),
        ("Was gespeichert wird", stored),
        (
            "Wie lange",
            f"Besuche: {_days(notice.visits_days, 'Tag', 'Tage')}. Schätzungen einzelner Sekunden: "
            f"{_days(notice.observations_days, 'Tag', 'Tage')}. Danach werden sie gelöscht.",
        ),
        ("Fragen und Anliegen", notice.contact),
    ]


_TEXTS = {Language.EN: _english, Language.DE: _german}


def _frames_in_english(seconds: float | None) -> str:
    if seconds == 0:
        return "Pictures are in working memory only, for seconds."
    if seconds is None:
        return "Pictures lie on the disk of a server for minutes, then they are deleted."
    minutes = math.ceil(seconds / 60)
    return f"Pictures lie on the disk of a server for at most {_days(minutes, 'minute', 'minutes')}."


def _frames_in_german(seconds: float | None) -> str:
    if seconds == 0:
        return "Bilder sind nur im Arbeitsspeicher, für Sekunden."
    if seconds is None:
        return "Bilder liegen für Minuten auf der Festplatte eines Servers, dann werden sie gelöscht."
    minutes = math.ceil(seconds / 60)
    return f"Bilder liegen höchstens {_days(minutes, 'Minute', 'Minuten')} auf der Festplatte eines Servers."


def _join(parts: Sequence[str], last: str) -> str:
    return last.join(parts)


def _lines(purposes: Sequence[str]) -> str:
    return "\n".join(" ".join(each.split()) for each in purposes)


def _days(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _count(count: int, one: str, many: str) -> str:
    return one if count == 1 else f"{count} {many}"


def file_name(language: Language) -> str:
    """The name of the file that a browser saves."""
    return {Language.EN: "notice.pdf", Language.DE: "hinweis.pdf"}[language]


LANGUAGES: Mapping[Language, str] = {Language.EN: "English", Language.DE: "Deutsch"}
"""The languages by their own names."""
