"""Documents are true: figures were measured; links, paths and commands exist; camera sources are accepted."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from benchmarks.readme import CLASSIFIER, DETECTOR, SPEED, render_documents
from ingest.errors import SourceError
from ingest.sources import SCHEMES, SourceRules, check_source
from mien.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def test_figures_in_documents_are_the_measured_ones() -> None:
    made = render_documents(ROOT)
    assert {path.name for path in made} == {"README.md", "operations.md", "benchmarks.md"}
    for path, text in made.items():
        assert path.read_text() == text, f"{path.name}: run `python -m benchmarks.readme`"


def test_a_figure_that_was_not_measured_is_detected(tmp_path: Path) -> None:
    for path in ("README.md", "docs/operations.md", CLASSIFIER, DETECTOR, SPEED):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    figures = json.loads((tmp_path / SPEED).read_text())
    figures["throughput"][0]["chain"] *= 2
    (tmp_path / SPEED).write_text(json.dumps(figures))
    made = render_documents(tmp_path)
    assert made[tmp_path / "README.md"] != (ROOT / "README.md").read_text()
    (tmp_path / "README.md").write_text("# Mien\n")
    with pytest.raises(ValueError, match="figures"):
        render_documents(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_have_a_target(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


def missing_paths(text: str, page: Path) -> list[str]:
    """Paths such as `a/b.py` in a text that exist neither in the repository nor beside the page."""
    paths = set(re.findall(r"`([\w.-]+(?:/[\w.*-]+)+\.(?:py|md|json|toml|yaml|txt|sh))`", text))
    return sorted(path for path in paths if not any(any(each.glob(path)) for each in (ROOT, page.parent)))


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_paths_exist(page: Path) -> None:
    assert missing_paths(page.read_text(), page) == []


def test_a_missing_path_is_detected() -> None:
    text = "See `mien/wiring/parts.py`, `docs/adr/*.md` and `mien/wirings.py`, which does not exist."
    assert missing_paths(text, ROOT / "README.md") == ["mien/wirings.py"]


def test_paths_of_documents_in_code_exist() -> None:
    folders = [path.parent for path in ROOT.glob("*/__init__.py")]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    named = {(file, path) for file in files for path in re.findall(r"\bdocs/[\w/.-]+\w", file.read_text())}
    assert len(named) > 5
    assert sorted(f"{file}: {path}" for file, path in named if not (ROOT / path).exists()) == []


def test_every_camera_source_of_the_documentation_is_accepted() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    table = text.partition("| source |")[2].partition("\n\n")[0]
    documented = set(re.findall(r"`([a-z]+)://[^`]*`", table))
    assert documented == set(SCHEMES)
    for scheme in documented:
        check_source(
            f"{scheme}://{'entrance' if scheme == 'demo' else '192.168.1.10/stream1'}", SourceRules()
        )
    with pytest.raises(SourceError, match="scheme"):
        check_source("gopher://192.168.1.10/stream1", SourceRules())


def test_the_glossary_defines_the_words_of_messages_and_metrics() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    words = {word for row in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) for word in row.split(", ")}
    assert {
        "visit",
        "track",
        "observation",
        "coverage",
        "partition",
        "offset",
        "epoch",
        "fence",
        "outage",
        "stale",
        "dropped",
    } <= words


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
