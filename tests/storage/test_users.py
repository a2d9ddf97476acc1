"""The password file: hashes, readable by its owner, replaced as a whole; operators change it, audited."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from common.access import LOCAL, AccessDenied, Actor, Role
from storage.audit import read_audit
from storage.errors import StorageError
from storage.users import (
    PasswordFile,
    User,
    add_user,
    change_password,
    list_users,
    read_users,
    remove_user,
)

PASSWORD = "three small green apples"
OTHER = "four large yellow pears"
BEN = Actor("ben", Role.ANALYST, frozenset({"Shop"}))
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def file(tmp_path: Path) -> PasswordFile:
    return PasswordFile(tmp_path / "users.json", FAST)


def test_a_user_is_recognised_by_the_password_alone(engine: sa.Engine, file: PasswordFile) -> None:
    add_user(engine, LOCAL, file, BEN, PASSWORD)
    user = file.verify("ben", PASSWORD)
    assert user
    assert user.actor == BEN
    for name, password in (
        ("ben", OTHER),
        ("ben", ""),
        ("ben", PASSWORD + "x"),
        ("anna", PASSWORD),
        ("", ""),
    ):
        assert file.verify(name, password) is None


def test_an_unknown_user_costs_the_verification_of_a_hash_as_well(
    engine: sa.Engine, file: PasswordFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user(engine, LOCAL, file, BEN, PASSWORD)
    verified: list[str] = []
    verify = PasswordHasher.verify

    def note(hasher: PasswordHasher, hashed: str, given: str) -> bool:
        verified.append(hashed)
        return verify(hasher, hashed, given)

    monkeypatch.setattr(PasswordHasher, "verify", note)
    file.verify("ben", OTHER)
    file.verify("nobody-here", OTHER)
    parameters = [each.rsplit("$", 2)[0] for each in verified]
    assert len(verified) == 2
    assert parameters[0] == parameters[1]


def test_the_file_has_argon2id_hashes_and_is_readable_by_its_owner_alone(
    engine: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "users.json"
    add_user(engine, LOCAL, PasswordFile(path), BEN, PASSWORD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_text()
    assert PASSWORD not in content
    assert json.loads(content)["users"]["ben"]["password"].startswith("$argon2id$")
    assert sorted(each.name for each in tmp_path.iterdir() if "users" in each.name) == [
        "users.json",
        "users.json.lock",
    ]


def test_a_file_that_others_may_read_is_refused(engine: sa.Engine, file: PasswordFile) -> None:
    add_user(engine, LOCAL, file, BEN, PASSWORD)
    for mode in (0o640, 0o604, 0o620):
        file.path.chmod(mode)
        with pytest.raises(StorageError, match="chmod 600"):
            file.verify("ben", PASSWORD)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"users": []}',
        '{"users": {"ben": {}}}',
        '{"users": {"ben": {"role": "king", "sites": null, "password": "x"}}}',
        '{"users": {"ben": {"role": "operator", "sites": "Shop", "password": "x"}}}',
        '{"users": {"ben": {"role": "operator", "sites": [1], "password": "x"}}}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_damaged_file_lets_nobody_in(file: PasswordFile, content: str) -> None:
    file.path.write_text(content, encoding="latin-1")
    file.path.chmod(0o600)
    with pytest.raises(StorageError, match="is damaged"):
        file.verify("ben", PASSWORD)


def test_a_hash_of_another_kind_lets_nobody_in(file: PasswordFile) -> None:
    file.path.write_text('{"users": {"ben": {"role": "operator", "sites": null, "password": ""}}}')
    file.path.chmod(0o600)
    assert file.verify("ben", "") is None


@pytest.mark.parametrize("name", ["", "Ben", "b en", "b/en", "b" * 65, "ben\n", "local", "nobody", "<b>"])
def test_a_name_that_cannot_be_used_is_refused(engine: sa.Engine, file: PasswordFile, name: str) -> None:
    with pytest.raises(StorageError, match="user"):
        add_user(engine, LOCAL, file, Actor(name, Role.ANALYST), PASSWORD)
    assert file.users() == {}


@pytest.mark.parametrize("password", ["", "short", "x" * 1001, "ben-password"])
def test_a_password_that_is_easy_to_guess_is_refused(
    engine: sa.Engine, file: PasswordFile, password: str
) -> None:
    with pytest.raises(StorageError, match="password of ben") as caught:
        add_user(engine, LOCAL, file, BEN, password)
    assert not password or password not in str(caught.value)
    assert file.users() == {}


@pytest.mark.parametrize(
    "actor",
    [Actor("ben", Role.OPERATOR, frozenset({"Shop"})), Actor("ben", Role.ANALYST, frozenset())],
)
def test_sites_belong_to_analysts_and_have_names(engine: sa.Engine, file: PasswordFile, actor: Actor) -> None:
    with pytest.raises(StorageError, match="site"):
        add_user(engine, LOCAL, file, actor, PASSWORD)


def test_analysts_change_no_users_not_even_themselves(engine: sa.Engine, file: PasswordFile) -> None:
    add_user(engine, LOCAL, file, BEN, PASSWORD)
    anybody = Actor("ben", Role.ANALYST)
    with pytest.raises(AccessDenied):
        add_user(engine, anybody, file, Actor("eve", Role.OPERATOR), PASSWORD)
    with pytest.raises(AccessDenied):
        remove_user(engine, anybody, file, "ben")
    with pytest.raises(AccessDenied):
        change_password(engine, anybody, file, "ben", OTHER)
    with pytest.raises(AccessDenied):
        list_users(anybody, file)
    assert list(file.users()) == ["ben"]
    assert file.verify("ben", PASSWORD)


def test_every_change_is_in_the_audit_log_without_a_password(engine: sa.Engine, file: PasswordFile) -> None:
    add_user(engine, LOCAL, file, BEN, PASSWORD)
    change_password(engine, LOCAL, file, "ben", OTHER)
    remove_user(engine, LOCAL, file, "ben")
    entries = read_audit(engine, LOCAL)
    assert [entry.action for entry in entries] == ["user.remove", "user.password", "user.add"]
    assert {entry.subject for entry in entries} == {"ben"}
    assert "sites: Shop" in entries[-1].details
    assert not any(PASSWORD in str(entry) or OTHER in str(entry) for entry in entries)


def test_a_change_without_its_row_is_not_made(engine: sa.Engine, file: PasswordFile) -> None:
    add_user(engine, LOCAL, file, BEN, PASSWORD)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit_log")
    with pytest.raises(StorageError):
        remove_user(engine, LOCAL, file, "ben")
    assert list(file.users()) == ["ben"]


def test_a_user_exists_once_and_only_users_are_removed(engine: sa.Engine, file: PasswordFile) -> None:
    add_user(engine, LOCAL, file, BEN, PASSWORD)
    with pytest.raises(StorageError, match="user ben: exists"):
        add_user(engine, LOCAL, file, BEN, OTHER)
    for change in (
        lambda: remove_user(engine, LOCAL, file, "eve"),
        lambda: change_password(engine, LOCAL, file, "eve", OTHER),
    ):
        with pytest.raises(StorageError, match="there is no such user"):
            change()
    assert [user.name for user in list_users(LOCAL, file)] == ["ben"]


def test_the_credential_changes_with_password_role_and_sites(engine: sa.Engine, file: PasswordFile) -> None:
    add_user(engine, LOCAL, file, BEN, PASSWORD)
    first = file.users()["ben"].credential
    change_password(engine, LOCAL, file, "ben", PASSWORD)
    second = file.users()["ben"].credential
    assert first != second
    values = json.loads(file.path.read_text())
    for field, value in (("role", "operator"), ("sites", None)):
        changed = json.loads(json.dumps(values))
        changed["users"]["ben"][field] = value
        file.path.write_text(json.dumps(changed))
        assert file.users()["ben"].credential != second


def test_changes_at_the_same_time_are_all_kept(engine: sa.Engine, file: PasswordFile) -> None:
    names = [f"user-{number}" for number in range(8)]

    def add(name: str) -> None:
        with file.changing() as users:
            users[name] = User(Actor(name, Role.ANALYST), FAST.hash(PASSWORD))

    threads = [threading.Thread(target=add, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_users(file.path)) == names


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(engine: sa.Engine, tmp_path: Path) -> None:
    file = PasswordFile(tmp_path / "missing" / "users.json", FAST)
    with pytest.raises(StorageError, match=r"users_file .*missing.* cannot be written"):
        add_user(engine, LOCAL, file, BEN, PASSWORD)
    assert read_audit(engine, LOCAL) == []


def test_a_link_to_the_file_stays_a_link(engine: sa.Engine, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "users.json"
    os.symlink(tmp_path / "real" / "users.json", link)
    add_user(engine, LOCAL, PasswordFile(link, FAST), BEN, PASSWORD)
    assert link.is_symlink()
    assert list(read_users(link)) == ["ben"]
