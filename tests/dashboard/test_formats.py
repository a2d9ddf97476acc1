from __future__ import annotations

import pytest

from dashboard import formats
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
def test_a_duration_is_shown_in_its_largest_fitting_unit(seconds: float, text: str) -> None:
    assert formats.duration(round(seconds * 1e6)) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.004, "< 1 %"), (0.01, "1 %"), (0.416, "42 %"), (0.996, "> 99 %"), (1, "100 %")],
)
def test_a_percentage_is_0_or_100_only_where_it_is_exact(share: float, text: str) -> None:
    assert formats.percent(share) == text


def test_a_narrow_range_has_a_decimal() -> None:
    assert formats.percent_range(Interval(0.4, 0.38, 0.44, 900)) == "38 to 44 %"
    assert formats.percent_range(Interval(0.4, 0.394, 0.406, 9000)) == "39.4 to 40.6 %"


def test_a_mood_index_has_a_sign() -> None:
    assert [formats.mood(value) for value in (12.4, -3.2, 0.3, -0.3)] == ["+12", "−3", "0", "0"]
    assert formats.mood_range(Interval(0, -4.4, 4.4, 50)) == "−4 to +4"


def test_markdown_in_text_from_outside_is_escaped() -> None:
    joiner = "\u2060"
    assert formats.as_plain_text(" a_b\n![c](d) \u202e") == r"a\_b \!\[c\]\(d\)"
    assert formats.as_plain_text("http://x `y`") == rf"http\:{joiner}\/\/x \`y\`"
    assert formats.as_plain_text("") == ""


def test_code_in_a_message_stays_code() -> None:
    assert formats.escape_markdown("run `mien *x*`, *then* `y`") == r"run `mien *x*`\, \*then\* `y`"
    assert formats.escape_markdown("an open ` stays") == r"an open \` stays"
