"""The password file: who may sign in at the dashboard with a password, with which role and for which sites.

Passwords are stored as argon2id hashes (RFC 9106). The file is JSON, readable by its owner alone; it is
replaced as a whole, so that a reader never finds half of it, and a lock file orders those who change it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from common.access import LOCAL, Actor, Role
from storage import audit
from storage.errors import StorageError

LEAST_PASSWORD, MOST_PASSWORD = 12, 1000
"""The least and the greatest number of characters of a password."""

RESERVED_NAMES = frozenset({LOCAL.name, audit.NOBODY})
"""Names that mean something else in the audit log."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}", re.ASCII)
_MOST_BYTES = 1_000_000
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class User:
    """One user; `hash` is the argon2 hash of the password."""

    actor: Actor
    hash: str = field(repr=False)

    @property
    def credential(self) -> str:
        """Changes with the password, the role and the sites: a session with another one has ended."""
        sites = None if self.actor.sites is None else sorted(self.actor.sites)
        text = json.dumps([self.actor.name, self.actor.role, sites, self.hash])
        return hashlib.sha256(text.encode()).hexdigest()


class PasswordFile:
    """The password file at a path, which may not exist yet."""

    def __init__(self, path: Path, hasher: PasswordHasher | None = None) -> None:
        self._path = path
        self._hasher = hasher or PasswordHasher()
        self._unknown = self._hasher.hash(secrets.token_hex())

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    def users(self) -> dict[str, User]:
        """All users by name; none where the file does not exist.

        Raises StorageError where the file cannot be read, is damaged, or can be read by other users.
        """
        return read_users(self._path)

    def verify(self, name: str, password: str) -> User | None:
        """The user with this name and password, else None, after the same time for unknown users.

        Raises StorageError as `users` does.
        """
        user = self.users().get(name)
        try:
            self._hasher.verify(user.hash if user else self._unknown, password[: MOST_PASSWORD + 1])
        except (VerificationError, InvalidHashError):
            return None
        return user

    def hash(self, password: str, name: str) -> str:
        """The hash of a new password; raises StorageError where it is too short, too long or the name."""
        if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
            raise StorageError(
                f"password of {name}: has {len(password)} characters, expected {LEAST_PASSWORD} to "
                f"{MOST_PASSWORD}"
            )
        if name in password.lower() and len(password) < len(name) + LEAST_PASSWORD:
            raise StorageError(f"password of {name}: contains the name; choose another one")
        return self._hasher.hash(password)

    @contextmanager
    def changing(self) -> Iterator[dict[str, User]]:
        """The users for a change, which is written at the end of the block unless it raises.

        Raises StorageError as `users` does, and where the file cannot be written.
        """
        try:
            with _lock(self._path):
                users = self.users()
                yield users
                _replace(self._path, users)
        except OSError as error:
            raise StorageError(f"users_file {self._path}: cannot be written: {error.strerror}") from error


def read_users(path: Path) -> dict[str, User]:
    """All users of a password file by name; none where it does not exist.

    Raises StorageError where the file cannot be read, is damaged, or can be read by other users.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise StorageError(f"users_file {path}: other users may read or write it; chmod 600 it")
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"users_file {path}: cannot be read: {error.strerror}") from error
    try:
        if len(content) > _MOST_BYTES:
            raise ValueError("is larger than 1 MB")
        found = json.loads(content)
        return {name: _user(name, values) for name, values in found["users"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StorageError(
            f"users_file {path}: is damaged; restore it from a backup, or delete it and add the users again"
        ) from None


def add_user(
    engine: sa.Engine,
    actor: Actor,
    file: PasswordFile,
    new: Actor,
    password: str,
) -> None:
    """Add a user, an operator or an analyst of `new.sites`.

    Raises AccessDenied unless the actor is an operator, StorageError for a name or password that cannot be
    used, a name that exists, or a file or database that cannot be written.
    """
    actor.require_operator("add users")
    if not _NAME.fullmatch(new.name) or new.name in RESERVED_NAMES:
        raise StorageError(f"user {new.name[:64]!r}: expected 1 to 64 of a-z 0-9 . _ @ + -, not reserved")
    check_sites(new)
    hashed = file.hash(password, new.name)
    with engine.begin() as connection, file.changing() as users:
        if new.name in users:
            raise StorageError(f"user {new.name}: exists; change its password, or remove it first")
        users[new.name] = User(new, hashed)
        audit.record(connection, actor, "user.add", new.name, {"role": new.role, "sites": _sites_text(new)})


def remove_user(engine: sa.Engine, actor: Actor, file: PasswordFile, name: str) -> None:
    """Remove a user, whose sessions end. Raises as `add_user` does, and where there is no such user."""
    actor.require_operator("remove users")
    with engine.begin() as connection, file.changing() as users:
        _require(users, name)
        del users[name]
        audit.record(connection, actor, "user.remove", name, {})


def change_password(engine: sa.Engine, actor: Actor, file: PasswordFile, name: str, password: str) -> None:
    """Change a user's password; the user's sessions end.

    Raises as `add_user` does, and where there is no such user.
    """
    actor.require_operator("change passwords")
    hashed = file.hash(password, name)
    with engine.begin() as connection, file.changing() as users:
        users[name] = User(_require(users, name).actor, hashed)
        audit.record(connection, actor, "user.password", name, {})


def list_users(actor: Actor, file: PasswordFile) -> list[Actor]:
    """All users by name.

    Raises AccessDenied unless the actor is an operator, and StorageError as `PasswordFile.users` does.
    """
    actor.require_operator("list users")
    return [user.actor for _, user in sorted(file.users().items())]


def check_sites(actor: Actor) -> None:
    """Raise StorageError for sites of an operator, who reads all, or for sites without a name."""
    if actor.sites is None:
        return
    if actor.role is Role.OPERATOR:
        raise StorageError(f"user {actor.name}: an operator reads all sites; name sites of analysts alone")
    if not actor.sites or not all(actor.sites):
        raise StorageError(f"user {actor.name}: a site has no name; name the sites as the cameras do")


def _require(users: Mapping[str, User], name: str) -> User:
    if name not in users:
        raise StorageError(f"user {name[:64]!r}: there is no such user")
    return users[name]


def _sites_text(actor: Actor) -> str:
    return "all" if actor.sites is None else ", ".join(sorted(actor.sites))


def _user(name: str, values: Mapping[str, Any]) -> User:
    """A user of the file; raises KeyError, TypeError or ValueError for anything unexpected."""
    sites = values["sites"]
    if not isinstance(values["password"], str) or not (sites is None or isinstance(sites, list)):
        raise TypeError
    if sites is not None and not all(isinstance(site, str) for site in sites):
        raise TypeError
    scope = None if sites is None else frozenset(sites)
    return User(Actor(name, Role(values["role"]), scope), values["password"])


def _row(user: User) -> dict[str, object]:
    sites: Iterable[str] | None = user.actor.sites
    return {
        "role": str(user.actor.role),
        "sites": None if sites is None else sorted(sites),
        "password": user.hash,
    }


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """An exclusive lock that all who change the file hold; raises OSError where it cannot be created."""
    descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, users: Mapping[str, User]) -> None:
    """Replace the file by one with these users, mode 0600; raises OSError where that fails."""
    target = path.resolve()
    rows = {name: _row(user) for name, user in sorted(users.items())}
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"users": rows}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
