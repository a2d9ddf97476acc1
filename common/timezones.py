"""Time zones: by the names of the IANA database, by files, and by the rules of POSIX."""

from __future__ import annotations

import io
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOCALTIME = Path("/etc/localtime")
_BEFORE_NAME = re.compile(r".*zoneinfo/(?:posix/|right/)?")
_LONGEST = 64
"""Characters of a name; the database has a column of this size."""
_RULES = ",M3.2.0,M11.1.0"
"""Of a POSIX string with daylight saving time and without rules, as in glibc."""
_WITHOUT_RULES = re.compile(r"(?:[A-Za-z]{3,}|<[^>]+>)[-+0-9:]+(?:[A-Za-z]{3,}|<[^>]+>)[-+0-9:]*")


class UnknownTimezone(ValueError):
    """No time zone has this name, file or rule."""


@dataclass(frozen=True, slots=True)
class LocalTimezone:
    """The time zone of this machine: what `open_timezone` accepts, and what is wrong with it.

    `problem` is empty, or says why the time zone is unknown; `name` is UTC then.
    """

    name: str
    problem: str = ""


def open_timezone(name: str) -> ZoneInfo:
    """The time zone of a name, of a file or of a rule.

    Args:
        name: an IANA name such as `Europe/Berlin`; the absolute path of a file of the IANA database (TZif,
            RFC 9636); or a rule of POSIX such as `CET-1CEST,M3.5.0,M10.5.0/3`. At most 64 characters, and a
            colon may come first, as in TZ.

    Raises:
        UnknownTimezone: none of them.
    """
    name = name.removeprefix(":")
    try:
        if name.startswith("/") and len(name) <= _LONGEST:
            with Path(name).open("rb") as file:
                return ZoneInfo.from_file(file, key=name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, struct.error):
        pass
    try:
        if len(name) > _LONGEST:
            raise ValueError(name)
        return _open_rule(name)
    except ValueError:
        raise UnknownTimezone(
            f"{name[:_LONGEST]!r}: expected an IANA time zone such as Europe/Berlin, or its file or rule"
        ) from None


def find_local_timezone() -> LocalTimezone:
    """The time zone of this machine: of the variable TZ, else of /etc/localtime."""
    named = os.environ.get("TZ")
    if named is not None:
        return _named_timezone(named)
    return _linked_timezone(LOCALTIME)


def _named_timezone(named: str) -> LocalTimezone:
    name = named.removeprefix(":")
    if not name:
        return LocalTimezone("UTC")  # POSIX: an empty TZ is UTC.
    if name.startswith("/") and (shorter := _name_in_database(Path(name))):
        return LocalTimezone(shorter)
    try:
        open_timezone(name)
    except UnknownTimezone:
        return LocalTimezone("UTC", f"TZ={named!r} is not a time zone, so hours and days are in UTC")
    return LocalTimezone(name)


def _linked_timezone(link: Path) -> LocalTimezone:
    """The time zone of a file that is a link into the database, or a copy of one of its files."""
    if not link.exists():
        return LocalTimezone("UTC", f"there is no {link} and no TZ, so hours and days are in UTC")
    if name := _name_in_database(link):
        return LocalTimezone(name)
    try:
        open_timezone(str(link))
    except UnknownTimezone:
        return LocalTimezone("UTC", f"{link} is not a time zone, so hours and days are in UTC")
    return LocalTimezone(str(link))


def _name_in_database(path: Path) -> str | None:
    """The IANA name of a file below a folder `zoneinfo`, for instance the target of a link."""
    for each in (path, path.resolve()):
        name = _BEFORE_NAME.sub("", str(each))
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
        return name
    return None


def _open_rule(rule: str) -> ZoneInfo:
    """A time zone that always follows a rule of POSIX; raises ValueError for another text.

    `zoneinfo` reads such a rule only as the last line of a file, so a file without transitions is made of it.
    """
    if _WITHOUT_RULES.fullmatch(rule):
        rule += _RULES
    if not rule.isascii() or not rule.isprintable() or not re.match(r"[A-Za-z<]", rule):
        raise ValueError(rule)
    # RFC 9636, 3: two headers, each with one local time type of offset 0 and its abbreviation of 4 bytes.
    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    block = struct.pack(">lbb4s", 0, 0, 0, b"UTC\0")
    file = io.BytesIO(header + block + header + block + b"\n" + rule.encode() + b"\n")
    return ZoneInfo.from_file(file, key=rule)
