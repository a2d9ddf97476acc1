from __future__ import annotations

import re
import tomllib

import pytest

from common import palette
from dashboard import theme
from storage.tables import EXPRESSIONS, GENDERS

UNKNOWN = "unknown"


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2, 1 to 21."""

    def luminance(colour: str) -> float:
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_every_label_of_the_database_has_a_colour() -> None:
    assert set(theme.EXPRESSIONS) == {*EXPRESSIONS, UNKNOWN}
    assert set(GENDERS) <= set(theme.SERIES)


def test_streamlit_uses_the_common_palette() -> None:
    schemes = tomllib.loads(theme.CONFIG.read_text())["theme"]
    assert schemes["light"]["chartCategoricalColors"] == list(palette.LIGHT.values())
    assert schemes["dark"]["chartCategoricalColors"] == list(palette.DARK.values())
    assert list(palette.DARK) == list(palette.LIGHT)


@pytest.mark.parametrize(("colours", "ground"), [(palette.LIGHT, "#FFFFFF"), (palette.DARK, "#0F1319")])
def test_colours_have_enough_contrast(colours: dict[str, str], ground: str) -> None:
    least = dict.fromkeys((*EXPRESSIONS, *GENDERS, theme.ACCENT), 3.0) | {
        theme.INK: 7.0,
        theme.QUIET: 4.5,
    }
    assert {name: contrast(colours[name], ground) >= ratio for name, ratio in least.items()} == dict.fromkeys(
        least, True
    )
    assert len(set(colours.values())) >= len(colours) - 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast_on_both_grounds(scheme: str) -> None:
    found = tomllib.loads(theme.CONFIG.read_text())["theme"][scheme]
    for ground in (found["backgroundColor"], found["secondaryBackgroundColor"]):
        # Streamlit draws captions and placeholders with 60 % of the colour of texts.
        faded = mixed(found["textColor"], ground, 0.6)
        texts = (
            found["textColor"],
            faded,
            found["grayTextColor"],
            found["codeTextColor"],
            found["primaryColor"],
        )
        assert [text for text in texts if contrast(text, ground) < 4.5] == []


def mixed(colour: str, ground: str, share: float) -> str:
    """`share` of a colour over a ground."""
    pairs = ((int(each[i : i + 2], 16) for each in (colour, ground)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(share * over + (1 - share) * under):02X}" for over, under in pairs)


def test_the_stylesheet_defines_every_colour_that_it_uses() -> None:
    sheet = theme.stylesheet()
    defined = set(re.findall(r"(--mien-[a-z-]+):", sheet))
    assert {f"var({name})" for name in defined} >= {theme.css_colour(series) for series in theme.SERIES}
    assert set(re.findall(r"var\((--mien-[a-z-]+)\)", sheet)) <= defined
