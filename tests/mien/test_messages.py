"""Text of users in what is printed: neither the redaction nor the markup of `rich` changes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.cli.run import print_address
from mien.logs import clean
from storage.engine import open_database
from storage.errors import StorageError
from tests.support.processes import mien


def test_an_ipv6_address_of_the_dashboard_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_address("http://[fd00::5]:8501")
    assert capsys.readouterr().out == "Dashboard: http://[fd00::5]:8501   (Ctrl-C stops)\n"


@pytest.mark.parametrize("url", ["postgresql//h/d", "postgresql://u:p/w@h:x/d", "mysql://h/d"])
def test_what_a_database_url_looks_like_survives_the_redaction(url: str) -> None:
    with pytest.raises(StorageError) as caught:
        open_database(url)
    message = clean(str(caught.value))
    assert message.startswith("database ")
    assert "postgresql://HOST:PORT/NAME, with USER:PASSWORD and @ before HOST" in message
    assert "***" not in message


def test_a_database_url_that_cannot_be_read_names_its_setting(tmp_path: Path) -> None:
    done = mien(tmp_path, "cameras", "list", variables={"MIEN_DATABASE": "postgresql//h/d"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: database (MIEN_DATABASE or --database): the URL cannot be read")


def test_a_picture_that_cannot_be_decoded_is_named_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "[red]a.jpg").write_bytes(b"\xff\xd8\xff broken")
    done = mien(tmp_path, "cameras", "test", "shop", "--seconds", "1")
    assert done.returncode == 1, done.stderr
    assert "no  the camera delivered no picture that can be decoded: [red]a.jpg" in done.stdout
