"""The page about the models shows the figures of the files that ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference.model_file import MODELS
from training.errors import ReportError
from training.pages.report import BLOCKS, rendered

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_page_is_up_to_date() -> None:
    """`mien train report` mends it."""
    text = PAGE.read_text()
    assert rendered(text) == text


@pytest.mark.parametrize("name", BLOCKS)
def test_the_page_shows_every_block(name: str) -> None:
    assert f"<!-- {name} -->\n|" in PAGE.read_text()


def test_blocks_are_replaced_and_the_rest_is_kept() -> None:
    figure = json.loads((MODELS / "faces.json").read_text())["float32"]["test"]["headline"]["gender"]
    text = rendered("before\n<!-- classifier -->\nold\n<!-- / -->\nafter\n")
    assert text.startswith("before\n<!-- classifier -->\n| right % (95 %) |")
    assert text.endswith("|\n<!-- / -->\nafter\n")
    assert f"| {100 * figure['value']:.1f} (" in text
    assert "old" not in text


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(ReportError, match="block 'weather' is unknown; known: classifier"):
        rendered("<!-- weather -->\n<!-- / -->\n")
