"""`mien train data`: what is shown, written and refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from mien.cli.train.app import app
from tests.support.file_server import FileServer, serving
from tests.support.training_data import lit, portrait, write_data, write_picture
from training.data import sources
from training.data.importers import load_fairface, load_fer2013


def run(*arguments: object) -> Result:
    words = ["data", *(str(argument) for argument in arguments)]
    return CliRunner().invoke(app, words, env={"COLUMNS": "200"})


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> str:
    """The one line on standard error."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


def row(text: str, name: str) -> list[str]:
    """The fields of the first row of a table that begins with a name."""
    rows = [
        [field.strip() for field in line.strip("│").split("│")] for line in text.splitlines() if "│" in line
    ]
    return next(fields[1:] for fields in rows if fields[0] == name)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data", faces=56, people=40, tested=6)


class TestCheck:
    def test_classes_are_counted_by_split(self, data: Path) -> None:
        words = done("check", "--data", data)
        assert row(words, "anger") == ["4", "2", "2"]
        assert row(words, "all") == ["28", "14", "14"]
        assert row(words, "female")[2] == "3"
        assert "no picture occurs twice" in words
        assert "utkface is not there; `mien train data fetch utkface` says how to get it" in words
        assert "ck+48 is not there" in words

    def test_further_data_sets_are_found(self, data: Path) -> None:
        write_picture(data / "UTKFace" / "20_1_4_20170116174525125.jpg.chip.jpg", portrait(0, 200))
        for time in (1, 2, 3):
            picture = lit(48, 0.1, np.random.default_rng(time))
            write_picture(data / "CK+48" / "happy" / f"S010_004_{time:08}.png", picture)
        words = done("check", "--data", data)
        assert "UTKFace perceived gender" in words
        assert "CK+48 clips" in words
        assert "clips left out, as contempt is none of the seven expressions: 0" in words
        assert "is not there" not in words

    def test_image_folders_say_what_is_lost(self, tmp_path: Path) -> None:
        for split in ("train", "test"):
            write_picture(
                tmp_path / "fer2013" / split / "sad" / "1.png", lit(48, 0.1, np.random.default_rng(1))
            )
        words = done("check", "--data", tmp_path)
        assert "no FER+ votes" in words
        assert "figures are not those of the published parts" in words

    def test_samples_are_drawn(self, data: Path, tmp_path: Path) -> None:
        target = tmp_path / "samples.png"
        assert f"wrote {target}" in done("check", "--data", data, "--samples", target)
        picture = cv2.imread(str(target))
        assert picture is not None
        assert picture.std() > 20

    def test_every_file_is_read_anew(self, data: Path, tmp_path: Path) -> None:
        done("prepare", "--data", data, "--cache", tmp_path / "cache")
        table = data / "fer2013" / "fer2013.csv"
        state = table.stat()
        content = table.read_text()
        table.write_text(content.replace("\n1,", "\n9,", 1))
        os.utime(table, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert refused("check", "--data", data) == (
            "error: fer2013.csv row 3 column emotion: '9', expected a whole number from 0 to 6\n"
        )

    def test_what_is_sound_is_shown_before_what_is_damaged(self, data: Path) -> None:
        (data / "fairface" / "fairface.zip").write_text("no archive")
        result = run("check", "--data", data)
        assert result.exit_code == 2
        assert "FER2013 labels" in result.stdout
        assert result.stderr == f"error: {data / 'fairface' / 'fairface.zip'}: File is not a zip file\n"

    def test_missing_votes_name_the_command_that_fetches_them(self, data: Path) -> None:
        votes = data / "fer2013" / "fer2013new.csv"
        votes.unlink()
        assert refused("check", "--data", data) == (
            f"error: {votes}: no such file; `mien train data fetch ferplus` downloads it\n"
        )

    def test_a_folder_without_data_sets_is_named(self, tmp_path: Path) -> None:
        line = refused("check", "--data", tmp_path)
        assert line.startswith(
            f"error: {tmp_path}: none of the folders fer2013, fairface, utkface, ck+48 is in it"
        )
        assert "`mien train data fetch`" in line


class TestPrepare:
    def test_the_cache_is_what_training_reads(self, data: Path, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        words = done("prepare", "--data", data, "--cache", cache)
        assert "fer2013 is ready in " in words
        assert "fairface is ready in " in words
        before = sorted(cache.rglob("*.npy"))

        def fail() -> None:
            raise AssertionError("it is read again")

        assert len(load_fer2013(data, cache, fail).images) == 56
        assert len(load_fairface(data, cache, "train", fail).images) == 40
        assert len(load_fairface(data, cache, "val", fail).images) == 6
        assert sorted(cache.rglob("*.npy")) == before

    def test_damaged_data_are_refused(self, data: Path, tmp_path: Path) -> None:
        table = data / "fer2013" / "fer2013.csv"
        table.write_text(table.read_text().replace("Training", "Trained", 1))
        line = refused("prepare", "--data", data, "--cache", tmp_path / "cache")
        assert line == (
            "error: fer2013.csv row 2 column Usage: 'Trained', expected Training, PublicTest or PrivateTest\n"
        )


class TestFetch:
    CONTENT = b"Usage,Image name,neutral\n" * 1000

    @pytest.fixture
    def server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
        """FER+'s file at the address of a local server."""
        with serving(FileServer(self.CONTENT)) as server:
            size, sha256 = len(self.CONTENT), hashlib.sha256(self.CONTENT).hexdigest()
            local = sources.Download(server.url, "fer2013new.csv", size, sha256)
            known = dict(sources.SETS)
            known["ferplus"] = replace(known["ferplus"], download=local)
            monkeypatch.setattr(sources, "SETS", known)
            yield server

    def test_what_may_be_downloaded_is(self, server: FileServer, tmp_path: Path) -> None:
        target = tmp_path / "fer2013" / "fer2013new.csv"
        assert (
            done("fetch", "ferplus", "--data", tmp_path)
            == f"FER+ votes (MIT (Microsoft)): {target} fetched\n"
        )
        assert target.read_bytes() == self.CONTENT
        assert f"{target} is there already" in done("fetch", "ferplus", "--data", tmp_path)
        assert len(server.asked) == 1

    def test_it_goes_where_the_data_set_is(self, server: FileServer, tmp_path: Path) -> None:
        (tmp_path / "datasets" / "FER2013").mkdir(parents=True)
        done("fetch", "ferplus", "--data", tmp_path)
        assert (tmp_path / "datasets" / "FER2013" / "fer2013new.csv").read_bytes() == self.CONTENT

    def test_all_says_what_to_do_by_hand(self, server: FileServer, tmp_path: Path) -> None:
        words = done("fetch", "--data", tmp_path)
        for folder in ("fer2013", "fairface", "utkface", "ck+48"):
            assert f"{tmp_path / folder}" in words
        assert "https://www.kaggle.com/" in words
        assert (tmp_path / "fer2013" / "fer2013new.csv").is_file()

    def test_what_is_to_be_done_by_hand_is_said_even_where_a_download_fails(
        self, server: FileServer, tmp_path: Path
    ) -> None:
        server.statuses = [404]
        result = run("fetch", "--data", tmp_path)
        assert result.exit_code == 2
        assert "https://github.com/joojs/fairface" in result.stdout
        assert result.stderr == f"error: {server.url}: the server answers 404 Not Found\n"
        assert not any(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["fer2013", "fairface", "utkface", "ck+48"])
    def test_what_must_be_got_by_hand_is_explained(self, tmp_path: Path, name: str) -> None:
        result = run("fetch", name, "--data", tmp_path)
        assert result.exit_code == 2
        assert str(tmp_path / name) in result.stdout
        assert "https://" in result.stdout
        assert "{" not in result.stdout

    def test_what_is_there_already_is_not_explained(self, data: Path) -> None:
        for name in ("fer2013", "fairface"):
            words = done("fetch", name, "--data", data)
            assert f"is in {data / name}; `mien train data check` reads it" in words

    def test_votes_alone_are_not_fer2013(self, data: Path) -> None:
        (data / "fer2013" / "fer2013.csv").unlink()
        assert run("fetch", "fer2013", "--data", data).exit_code == 2

    def test_an_unknown_data_set_is_named(self, tmp_path: Path) -> None:
        assert refused("fetch", "affectnet", "--data", tmp_path) == (
            "error: data set 'affectnet' is unknown; known: fer2013, ferplus, fairface, utkface, ck+48\n"
        )
