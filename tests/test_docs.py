"""The documents hold: figures are those that were measured, links lead somewhere, commands exist."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from benchmarks.readme import CLASSIFIER, DETECTOR, SPEED, documents
from mien.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def test_figures_are_those_that_were_measured() -> None:
    made = documents(ROOT)
    assert {path.name for path in made} == {"README.md", "operations.md"}
    for path, text in made.items():
        assert path.read_text() == text, f"{path.name}: run `python -m benchmarks.readme`"


def test_a_figure_that_was_not_measured_is_noticed(tmp_path: Path) -> None:
    for path in ("README.md", "docs/operations.md", CLASSIFIER, DETECTOR, SPEED):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    figures = json.loads((tmp_path / SPEED).read_text())
    figures["throughput"][0]["chain"] *= 2
    (tmp_path / SPEED).write_text(json.dumps(figures))
    made = documents(tmp_path)
    assert made[tmp_path / "README.md"] != (ROOT / "README.md").read_text()
    (tmp_path / "README.md").write_text("# Mien\n")
    with pytest.raises(ValueError, match="figures"):
        documents(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_exist(page: Path) -> None:
    text = page.read_text()
    made = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    for line in code:
        if match := re.match(r"make ([a-z-]+)", line):
            assert match[1] in made, line
        if match := re.match(r"(?:\S*/)?mien ((?:[a-z]+ ?)+)", line):
            assert is_command(match[1].split()), line


def is_command(words: list[str]) -> bool:
    """Whether the words begin with a command; what follows may be its arguments."""
    command = typer.main.get_command(app)
    for word in words:
        if not isinstance(command, TyperGroup):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return True
