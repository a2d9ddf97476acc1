"""Privacy check: whether pictures or vectors are where none should be, and what was looked at.

Looked at are all tables of the database and the files of SQLite, the dead-letter queue of Kafka, log files
that the settings name, and files of this user in the folders for temporary files.
"""

from __future__ import annotations

import errno
import gzip
import os
import stat
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bus.errors import BusError
from bus.kafka.content_scan import TopicScan, scan_topics
from bus.kafka.settings import parse_url
from bus.kafka.topics import disk_times
from common.picture_traces import OVERLAP, find_traces, is_vector
from mien.settings import EMBEDDED, Settings
from storage.content_scan import TableScan, database_files, scan_tables, uses_broker
from storage.engine import open_database, redact_url
from storage.errors import StorageError

SAMPLE_BYTES = 64 << 20
"""Bytes that are read of each end of a file, unless all are."""
SAMPLE_FILES = 2000
"""Files of a folder that are read, the newest first, unless all are."""
FILES_S = 60.0
"""Seconds for the files of one folder, unless all are read."""

_PART = 1 << 20
_LARGEST_VECTOR_FILE = 1 << 20
_SHARED_MEMORY = Path("/dev/shm")


class Outcome(StrEnum):
    """What the check says of one place."""

    CLEAN = "nothing found"
    FOUND = "found"
    ALLOWED = "allowed"
    UNREAD = "not looked at"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Look:
    """One place: what was looked at and how much, with the outcome; never the content."""

    place: str
    outcome: Outcome
    details: str


def exit_code(looks: Sequence[Look]) -> int:
    """0: nothing found. 1: something found. 2: nothing found, and a place could not be looked at."""
    outcomes = {look.outcome for look in looks}
    return 1 if Outcome.FOUND in outcomes else 2 if Outcome.UNREAD in outcomes else 0


def check_privacy(
    settings: Settings, logs: Sequence[Path] = (), *, everything: bool = False
) -> Iterator[Look]:
    """Look everywhere; each place as soon as it is done.

    `logs` are files and folders in addition to the setting `log_files`. Without `everything` large places are
    sampled, the newest content first, and the details say so.
    """
    yield from _check_database(settings, everything)
    yield from _check_kafka(settings, everything)
    yield from _check_logs([*map(Path, settings.log_files), *logs], everything)
    yield from _check_temporary_files(settings, everything)


def _check_database(settings: Settings, everything: bool) -> Iterator[Look]:
    try:
        url = redact_url(settings.database)
        engine = open_database(settings.database, read_only=True)
    except StorageError as error:
        yield Look("database", Outcome.UNREAD, str(error))
        return
    try:
        if settings.bus == EMBEDDED and uses_broker(engine):
            yield Look(
                "bus", Outcome.UNREAD, "frames come from Kafka, which this process does not know: MIEN_BUS"
            )
        elif settings.bus == EMBEDDED:
            yield Look("bus", Outcome.CLEAN, "in memory: frames are in no file")
        scans: list[TableScan] = []
        for scan in scan_tables(engine, everything=everything):
            scans.append(scan)
            if scan.found or scan.problem:
                yield _describe_table(scan)
        rows, columns = sum(each.rows for each in scans), sum(each.columns for each in scans)
        sampled = [each.table for each in scans if each.has_more]
        note = f"; the newest rows of {', '.join(sampled)}, --all reads every row" if sampled else ""
        clean = not any(each.found or each.problem for each in scans)
        yield Look(
            f"database {url}",
            Outcome.CLEAN if clean else Outcome.NOTE,
            f"{len(scans)} tables, {columns} columns that could hold a picture, {rows:,} rows{note}",
        )
    except StorageError as error:
        yield Look(f"database {url}", Outcome.UNREAD, str(error))
    finally:
        engine.dispose()
    for name in database_files(settings.database):
        if Path(name).exists():
            yield _look_at_files(f"file {name}, also deleted rows", [Path(name)], everything, vectors=False)


def _describe_table(scan: TableScan) -> Look:
    place = f"table {scan.table}"
    if not scan.found:
        return Look(place, Outcome.UNREAD, scan.problem)
    traces = ", ".join(f"{trace} in column {column}" for column, trace in scan.found)
    return Look(place, Outcome.FOUND, f"{traces}; {scan.rows:,} rows read")


def _check_kafka(settings: Settings, everything: bool) -> Iterator[Look]:
    if settings.bus == EMBEDDED:
        return
    try:
        cluster = parse_url(settings.bus, os.environ)
        frames, letters = disk_times(cluster)
        yield Look(
            f"topic {cluster.topic}",
            Outcome.ALLOWED,
            f"holds frames by design; they lie on the brokers' disks for {frames}",
        )
        for scan in scan_topics(cluster, everything=everything):
            kept = f"as dead_letter_originals allows, for {letters}" if scan.topic == letters.topic else ""
            yield _describe_topic(scan, kept if settings.dead_letter_originals else "")
    except BusError as error:
        yield Look("Kafka", Outcome.UNREAD, str(error))


def _describe_topic(scan: TopicScan, allowed: str) -> Look:
    place = f"topic {scan.topic}"
    if scan.found:
        traces = ", ".join(f"{trace} in {records} records" for trace, records in scan.found)
        return Look(place, Outcome.ALLOWED if allowed else Outcome.FOUND, f"{traces} {allowed}".strip())
    if scan.problem:
        return Look(place, Outcome.UNREAD, scan.problem)
    note = f", the newest of {scan.total:,}; --all reads all" if scan.records < scan.total else ""
    return Look(place, Outcome.CLEAN, f"{scan.records:,} records with their headers{note}")


def _check_logs(places: Sequence[Path], everything: bool) -> Iterator[Look]:
    if not places:
        yield Look(
            "logs",
            Outcome.NOTE,
            "no file is named: Mien writes to standard error. Name the files of your service manager in "
            "log_files or with --log",
        )
    for place in places:
        try:
            mode = place.stat().st_mode
        except OSError as error:
            yield Look(f"log {place}", Outcome.UNREAD, error.strerror or "cannot be read")
            continue
        if stat.S_ISDIR(mode):
            files, closed = _files_in(place, own=False)
            yield _look_at_files(f"logs in {place}", files, everything, closed=closed)
        elif stat.S_ISREG(mode):
            yield _look_at_files(f"log {place}", [place], everything)
        else:
            yield Look(f"log {place}", Outcome.UNREAD, "is no file or folder")


def _check_temporary_files(settings: Settings, everything: bool) -> Iterator[Look]:
    database = {Path(name).resolve() for name in database_files(settings.database)}
    for folder in dict.fromkeys((Path(tempfile.gettempdir()), _SHARED_MEMORY)):
        if folder.is_dir():
            # Folders of other users are closed to this one, and hold none of its files.
            found, _ = _files_in(folder, own=True)
            files = [each for each in found if each.resolve() not in database]
            place = f"temporary files of this user in {folder}, also of other programs"
            yield _look_at_files(place, files, everything)


def _files_in(folder: Path, *, own: bool) -> tuple[list[Path], list[str]]:
    """The regular files below a folder, the newest first, and what cannot be opened there, with the reason.

    With `own` the files of this user alone.
    """
    found: list[tuple[float, Path]] = []
    closed: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = [each for each in folders if not os.path.ismount(Path(parent, each))]
        for name in names:
            path = Path(parent, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            except OSError as error:
                closed.append(error)
                continue
            if stat.S_ISREG(status.st_mode) and (not own or status.st_uid == os.geteuid()):
                found.append((status.st_mtime, path))
    reasons = [f"{each.filename}: {each.strerror}" for each in closed if each.errno != errno.ENOENT]
    return [path for _, path in sorted(found, reverse=True)], reasons


def _look_at_files(
    place: str,
    files: Sequence[Path],
    everything: bool,
    *,
    vectors: bool = True,
    closed: Sequence[str] = (),
) -> Look:
    """What is in these files; `closed` are folders and files that are known to be unreadable."""
    found: list[str] = []
    unread = list(closed)
    read = whole = size = 0
    deadline = time.monotonic() + FILES_S
    for path in files:
        if not everything and (read >= SAMPLE_FILES or time.monotonic() > deadline):
            break
        try:
            traces, seen, complete = _traces_of(path, everything, vectors)
        except FileNotFoundError:
            continue
        except (OSError, EOFError, zlib.error) as error:
            unread.append(f"{path}: {getattr(error, 'strerror', None) or 'cannot be read'}")
            continue
        read, whole, size = read + 1, whole + complete, size + seen
        if traces:
            found.append(f"{', '.join(traces)} in {path}")
    amount = f"{read:,} of {len(files):,} files, {size / 1e6:,.1f} MB"
    if read < len(files) - (len(unread) - len(closed)) or whole < read:
        amount += ", the newest files and the ends of large ones; --all reads everything"
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        return Look(place, Outcome.FOUND, f"{'; '.join(found[:5])}{more}; {amount}")
    if unread:
        return Look(place, Outcome.UNREAD, f"{'; '.join(unread[:5])}; {amount}")
    return Look(place, Outcome.CLEAN, amount)


def _traces_of(path: Path, everything: bool, vectors: bool) -> tuple[list[str], int, bool]:
    """The traces in a file, the bytes that were read, and whether these are all."""
    found: dict[str, None] = {}
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as raw:
        length = os.fstat(descriptor).st_size
        packed = path.suffix == ".gz"
        file = gzip.GzipFile(fileobj=raw) if packed else raw
        most = length if everything else 2 * SAMPLE_BYTES
        if vectors and not packed and length <= _LARGEST_VECTOR_FILE:
            found |= dict.fromkeys(["vector"] if is_vector(raw.read()) else [])
            raw.seek(0)
        seen, tail, complete = 0, b"", True
        while part := file.read(_PART):
            found |= dict.fromkeys(find_traces(tail + part))
            tail = part[-OVERLAP:]
            seen += len(part)
            if not everything and seen >= most:
                complete = complete and not file.read(1)
                break
            if not packed and not everything and seen == SAMPLE_BYTES and length > most:
                raw.seek(length - SAMPLE_BYTES)
                tail, complete = b"", False
    return list(found), seen, complete
