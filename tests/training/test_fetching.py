"""Downloads from a local web server that behaves well or badly."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.file_server import FileServer, serving
from training.data.fetching import ATTEMPTS, download
from training.data.sources import SETS, Download
from training.errors import FetchError

CONTENT = os.urandom(300_000)


def published(server: FileServer, content: bytes = CONTENT) -> Download:
    return Download(server.url, "file.csv", len(content), hashlib.sha256(content).hexdigest())


def fetch(server: FileServer, target: Path) -> list[int]:
    """Download what was published; how many bytes were there at each report."""
    there: list[int] = []
    assert download(published(server), target, there.append, pause=0.0)
    return there


def refused(server: FileServer, target: Path) -> str:
    with pytest.raises(FetchError) as refusal:
        fetch(server, target)
    return str(refusal.value)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "fer2013" / "file.csv"


def test_a_file_comes_whole_and_alone(target: Path) -> None:
    with serving(FileServer(CONTENT)) as server:
        there = fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert there[-1] == len(CONTENT)
    assert there == sorted(there)
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_is_there_is_not_fetched_again(target: Path) -> None:
    with serving(FileServer(CONTENT)) as server:
        fetch(server, target)
        assert not download(published(server), target, lambda _: None)
        assert len(server.asked) == 1


def test_another_file_that_is_there_stays(target: Path) -> None:
    target.parent.mkdir()
    target.write_text("my own")
    with serving(FileServer(CONTENT)) as server:
        assert refused(server, target) == (
            f"{target}: is not the published file; move it away to fetch that one"
        )
        assert server.asked == []
    assert target.read_text() == "my own"


def test_a_connection_that_is_cut_goes_on_where_it_ended(target: Path) -> None:
    with serving(FileServer(CONTENT, cuts=[100_000, 50_000])) as server:
        fetch(server, target)
        assert server.asked == [None, "bytes=100000-", "bytes=150000-"]
    assert target.read_bytes() == CONTENT


def test_a_cut_is_noticed_where_no_length_was_announced(target: Path) -> None:
    with serving(FileServer(CONTENT, cuts=[100_000], announced=-1)) as server:
        fetch(server, target)
        assert server.asked == [None, "bytes=100000-"]
    assert target.read_bytes() == CONTENT


def test_a_later_run_goes_on_where_an_earlier_one_ended(target: Path) -> None:
    with serving(FileServer(CONTENT, cuts=[100_000], statuses=[])) as server:
        server.cuts += [0] * (ATTEMPTS - 1)
        assert "the connection ended after 100,000 of 300,000 bytes, 5 times in a row" in refused(
            server, target
        )
        assert not target.exists()
        fetch(server, target)
        assert server.asked[-1] == "bytes=100000-"
    assert target.read_bytes() == CONTENT


def test_a_server_that_cannot_go_on_begins_anew(target: Path) -> None:
    with serving(FileServer(CONTENT, cuts=[100_000], ranges=False)) as server:
        fetch(server, target)
        assert server.asked == [None, "bytes=100000-"]
    assert target.read_bytes() == CONTENT


def test_a_beginning_of_another_file_is_thrown_away(target: Path) -> None:
    target.parent.mkdir()
    target.with_name("file.csv.part").write_bytes(b"x" * 1000)
    with serving(FileServer(CONTENT)) as server:
        fetch(server, target)
        assert server.asked == ["bytes=1000-", None]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) + 1])
def test_a_part_that_is_as_long_as_the_file_but_wrong_is_thrown_away(target: Path, length: int) -> None:
    target.parent.mkdir()
    target.with_name("file.csv.part").write_bytes(b"x" * length)
    with serving(FileServer(CONTENT)) as server:
        fetch(server, target)
        assert server.asked == [None]
    assert target.read_bytes() == CONTENT


def test_a_part_that_is_whole_is_only_given_its_name(target: Path) -> None:
    target.parent.mkdir()
    target.with_name("file.csv.part").write_bytes(CONTENT)
    with serving(FileServer(CONTENT)) as server:
        assert download(published(server), target, lambda _: None)
        assert server.asked == []
    assert target.read_bytes() == CONTENT


def test_a_wrong_checksum_keeps_nothing(target: Path) -> None:
    with serving(FileServer(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))) as server:
        line = refused(server, target)
    assert line.startswith(f"{server.url}: SHA-256 is ")
    assert f"expected {hashlib.sha256(CONTENT).hexdigest()}; nothing was kept" in line
    assert list(target.parent.iterdir()) == []


def test_a_file_of_another_size_is_refused_before_it_is_read(target: Path) -> None:
    with serving(FileServer(CONTENT + b"more")) as server:
        assert refused(server, target) == f"{server.url}: 300,004 bytes, expected 300,000"
    assert not target.parent.exists()


def test_more_than_was_published_is_not_written(target: Path) -> None:
    with serving(FileServer(CONTENT * 3, announced=-1)) as server:
        assert refused(server, target) == f"{server.url}: more than 300,000 bytes, expected as many"
    assert target.with_name("file.csv.part").stat().st_size <= len(CONTENT)
    assert not target.exists()


def test_a_server_that_has_less_than_is_there_is_asked_from_the_beginning(target: Path) -> None:
    with serving(FileServer(CONTENT, statuses=[])) as server:
        target.parent.mkdir()
        target.with_name("file.csv.part").write_bytes(CONTENT[:1000])
        server.statuses.append(416)
        fetch(server, target)
        assert server.asked == ["bytes=1000-", None]
    assert target.read_bytes() == CONTENT


def test_an_answer_that_will_not_change_is_final(target: Path) -> None:
    with serving(FileServer(CONTENT, statuses=[404])) as server:
        assert refused(server, target) == f"{server.url}: the server answers 404 Not Found"
        assert len(server.asked) == 1


def test_a_server_that_is_busy_is_asked_again(target: Path) -> None:
    with serving(FileServer(CONTENT, statuses=[503, 429])) as server:
        fetch(server, target)
        assert len(server.asked) == 3
    assert target.read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_named(target: Path) -> None:
    with serving(FileServer(CONTENT, statuses=[503] * ATTEMPTS)) as server:
        line = refused(server, target)
        assert len(server.asked) == ATTEMPTS
    assert "the server answers 503 Service Unavailable, 5 times in a row" in line


def test_a_server_that_is_not_there_is_named(target: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = FileServer(CONTENT, url=f"http://127.0.0.1:{free.getsockname()[1]}/file.csv")
        line = refused(server, target)
    assert line.startswith(f"{server.url}: no connection (")
    assert "Connection refused" in line


def test_waits_grow_between_attempts(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("training.data.fetching.time.sleep", waits.append)
    with serving(FileServer(CONTENT, statuses=[503, 503, 503])) as server:
        download(published(server), target, lambda _: None)
    assert waits == [1, 2, 4]


def test_ferplus_is_the_file_of_that_name(tmp_path: Path) -> None:
    ferplus = SETS["ferplus"].download
    assert ferplus is not None
    assert ferplus.url.startswith("https://")
    assert ferplus.url.endswith(f"/{ferplus.name}")
    assert len(ferplus.sha256) == 64
    data = os.environ.get("MIEN_DATA")
    if data is None:
        pytest.skip("MIEN_DATA names no data folder")
    found = Path(data, "datasets", "fer2013", ferplus.name)
    # It is taken for the published one: nothing is fetched from an address that does not exist.
    assert not download(replace(ferplus, url="http://127.0.0.1:1/"), found, lambda _: None)
