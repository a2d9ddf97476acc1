from __future__ import annotations

import pytest

from dashboard import words
from storage.intervals import Interval


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (3, "3 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_800, "2 days"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert words.age(round(seconds * 1e6)) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.004, "< 1 %"), (0.01, "1 %"), (0.416, "42 %"), (0.996, "> 99 %"), (1, "100 %")],
)
def test_percentages_never_round_to_nothing_or_all(share: float, text: str) -> None:
    assert words.percent(share) == text


def test_ranges_have_a_decimal_where_they_are_narrow() -> None:
    assert words.percent_range(Interval(0.4, 0.38, 0.44, 900)) == "38 to 44 %"
    assert words.percent_range(Interval(0.4, 0.394, 0.406, 9000)) == "39.4 to 40.6 %"


def test_mood_has_its_sign() -> None:
    assert [words.index(value) for value in (12.4, -3.2, 0.3, -0.3)] == ["+12", "−3", "0", "0"]
    assert words.index_range(Interval(0, -4.4, 4.4, 50)) == "−4 to +4"


def test_text_of_others_is_no_markdown() -> None:
    assert words.plain("a_b *c* [d](e.f) :g: `h`") == r"a\_b \*c\* \[d\](e\.f) \:g\: `h`"
