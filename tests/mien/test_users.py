"""`mien users`: passwords from standard input, never from an argument; errors are one line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from storage.users import PasswordFile
from tests.support.processes import MIEN, surroundings

PASSWORD, OTHER = "three small green apples", "four large yellow pears"


def users(folder: Path, *arguments: str, given: str = "", file: str = "users.json") -> tuple[int, str]:
    """Exit code and output of `mien users ARGUMENTS`."""
    variables = {"MIEN_USERS_FILE": file} if file else {}
    done = subprocess.run(
        [MIEN, "users", *arguments],
        cwd=folder,
        env=surroundings(folder, variables),
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert PASSWORD not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_users_are_added_listed_changed_and_removed(tmp_path: Path) -> None:
    file = PasswordFile(tmp_path / "users.json")
    assert (
        users(tmp_path, "add", "ben", "--site", "Harbour", "--site", "Airport", given=f"{PASSWORD}\n")[0] == 0
    )
    found = file.verify("ben", PASSWORD)
    assert found
    assert found.actor.sites == {"Harbour", "Airport"}
    code, output = users(tmp_path, "list")
    assert code == 0
    assert "ben" in output
    assert "Airport, Harbour" in output
    assert users(tmp_path, "password", "ben", given=f"{OTHER}\n")[0] == 0
    assert file.verify("ben", OTHER)
    assert not file.verify("ben", PASSWORD)
    assert users(tmp_path, "remove", "ben") == (0, "removed ben\n")
    assert file.users() == {}


@pytest.mark.parametrize(
    ("arguments", "given", "file", "message"),
    [
        (("add", "ben"), "short\n", "users.json", "password of ben: has 5 characters, expected 12 to 1000"),
        (("add", "Ben"), f"{PASSWORD}\n", "users.json", "user 'Ben': expected 1 to 64 of a-z"),
        (
            ("add", "ben", "--role", "operator", "--site", "X"),
            f"{PASSWORD}\n",
            "users.json",
            "reads all sites",
        ),
        (("remove", "eve"), "", "users.json", "user 'eve': there is no such user"),
        (("list",), "", "", "users_file: is not set"),
        (("add", "ben"), f"{PASSWORD}\n", "no/users.json", "users_file no/users.json: cannot be written"),
    ],
)
def test_an_error_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], given: str, file: str, message: str
) -> None:
    code, output = users(tmp_path, *arguments, given=given, file=file)
    assert code == 2
    assert output.count("\n") == 1
    assert message in output


def test_a_password_is_no_argument(tmp_path: Path) -> None:
    code, output = users(tmp_path, "add", "ben", "--password", "x")
    assert code == 2
    assert "No such option" in output
