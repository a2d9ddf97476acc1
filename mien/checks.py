"""Checks of `mien doctor`: one function for each thing that Mien needs; none changes anything."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2

from bus.errors import BusError
from bus.kafka.retention import CHECK_INTERVAL, DiskTime
from bus.kafka.settings import parse_url
from bus.kafka.topics import disk_times, partition_count
from common.timezones import find_local_timezone
from inference.classifier import Classifier
from inference.detector import Detector
from inference.errors import ModelError
from mien.dashboard_process import check_port
from mien.errors import StartError
from mien.installation import HOME, PACKAGES, check_installation
from mien.protection import effective_settings
from mien.settings import EMBEDDED, Settings
from storage.engine import open_database, redact_url, sqlite_file
from storage.errors import StorageError
from storage.protection import NAMES

_LEAST_FREE = 1_000_000_000
_LONGEST_CHECK_S = 60.0
"""A longer interval of the brokers is a hint: it is a part of the time that pictures lie on disks."""

State = Literal["ok", "optional", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement: what is needed, what was found, and how to get it where it is missing."""

    state: State
    what: str
    found: str
    fix: str = ""


def all_checks(settings: Settings, folder: Path) -> list[Check]:
    """Every check, for the given settings and the folder that Mien is started in."""
    return [
        python(),
        packages(),
        video(),
        models(),
        database(settings),
        *protection(settings),
        *kafka(settings),
        timezone(settings),
        port(settings),
        disk(_folder_of_rows(settings, folder)),
        webcams(),
        package("tensorflow", "training (`mien train`)", "make install-train, in the clone"),
        program("chromium", "browser for tests of the dashboard", "apt-get install chromium"),
        data(),
    ]


def python() -> Check:
    """Version of the interpreter and size of the machine."""
    found = f"Python {platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores"
    return Check("ok", "Python", found)


def packages() -> Check:
    """Whether `inference` and the other top-level packages are those of this installation."""
    try:
        check_installation()
    except StartError as error:
        return Check("missing", "packages", str(error), "install Mien in an environment of its own")
    return Check("ok", "packages", f"{', '.join(PACKAGES)} in {HOME}")


def video() -> Check:
    """Whether OpenCV reads network cameras and video files."""
    lines = [line.split() for line in cv2.getBuildInformation().splitlines()]
    if ["FFMPEG:", "YES"] in [words[:2] for words in lines]:
        return Check("ok", "video", f"OpenCV {cv2.__version__} with FFmpeg")
    return Check("missing", "video", f"OpenCV {cv2.__version__} without FFmpeg", "pip install opencv-python")


def models(detector: Path | None = None, classifier: Path | None = None) -> Check:
    """Whether both model files are complete and can be loaded."""
    try:
        loaded = Detector(detector).metadata, Classifier(classifier).metadata
    except ModelError as error:
        return Check("missing", "models", str(error), "install Mien again")
    names = (f"{each.name} {each.version}" for each in loaded)
    return Check("ok", "models", ", ".join(names))


def database(settings: Settings) -> Check:
    """Whether the database can be opened or created."""
    try:
        url = redact_url(settings.database)
        path = sqlite_file(settings.database)
        if path and not path.exists():
            return _new_file(path, f"{url}: does not exist yet")
        open_database(settings.database, read_only=True).dispose()
    except StorageError as error:
        return Check("missing", "database", str(error), "--database URL or MIEN_DATABASE")
    return Check("ok", "database", url)


def protection(settings: Settings) -> list[Check]:
    """k and retention as they apply; nothing while the database does not exist or cannot be opened."""
    try:
        path = sqlite_file(settings.database)
        if path and not path.exists():
            return []
        engine = open_database(settings.database, read_only=True)
        try:
            applied = effective_settings(engine, settings)
        finally:
            engine.dispose()
    except StorageError:
        return []
    stricter = [name for name in NAMES if getattr(applied, name) != getattr(settings, name)]
    note = f"; stricter than configured: {', '.join(stricter)}" if stricter else ""
    days = (
        f"visits {applied.keep_visits_days}, observations {applied.keep_observations_days}, "
        f"coverage {applied.keep_coverage_days}, audit log {applied.keep_audit_days} days"
    )
    return [Check("ok", "retention and k", f"k = {applied.suppress_below}; {days}{note}")]


def kafka(settings: Settings) -> list[Check]:
    """Whether the topics exist, and how long pictures lie on the brokers' disks; nothing without Kafka."""
    if settings.bus == EMBEDDED:
        return []
    try:
        cluster = parse_url(settings.bus, os.environ)
        count = partition_count(cluster)
        frames, letters = disk_times(cluster)
    except BusError as error:
        return [Check("missing", "Kafka", str(error), "check MIEN_BUS, then `mien topics create`")]
    return [
        Check("ok", "Kafka", f"topic {cluster.topic} with {count} partitions at {cluster.where}"),
        disk_time(frames, settings.topic_minutes * 60),
        dead_letter_time(letters, settings),
    ]


def disk_time(found: DiskTime, retention_s: float) -> Check:
    """Whether frames leave the disks as soon as `retention_s` and the brokers allow."""
    what = f"time on disk, {found.topic}"
    if found.unexpected or found.retention_s > retention_s:
        reasons = ", ".join(found.unexpected) or f"topic_minutes asks for {retention_s / 60:g} min"
        return Check("missing", what, f"{found}; {reasons}", "`mien topics create` sets the topic")
    if found.check_s is None or found.check_s > _LONGEST_CHECK_S:
        return Check("optional", what, str(found), f"{CHECK_INTERVAL}=30000 on every broker")
    return Check("ok", what, str(found))


def dead_letter_time(found: DiskTime, settings: Settings) -> Check:
    """What rejected frames leave in the dead-letter queue."""
    what = f"time on disk, {found.topic}"
    if settings.dead_letter_originals:
        return Check("optional", what, f"rejected PICTURES: {found}", "dead_letter_originals: false")
    return Check("ok", what, "no pictures: reasons, sizes and checksums")


def timezone(settings: Settings) -> Check:
    """The time zone of hours and days."""
    if "timezone" not in settings.model_fields_set and (problem := find_local_timezone().problem):
        found = f"{settings.timezone}: {problem}"
        return Check("optional", "time zone", found, "MIEN_TIMEZONE=Europe/Berlin")
    return Check("ok", "time zone", settings.timezone)


def port(settings: Settings) -> Check:
    """Whether the dashboard's address is one of this machine, and its port is free."""
    where = f"{settings.dashboard_address}:{settings.dashboard_port}"
    try:
        check_port(settings.dashboard_address, settings.dashboard_port)
    except StartError as error:
        reason, _, fix = str(error).partition("; ")
        return Check("missing", "dashboard port", reason, fix)
    return Check("ok", "dashboard port", f"{where} is free")


def _folder_of_rows(settings: Settings, folder: Path) -> Path:
    """The nearest folder there is of SQLite's file; `folder` for other databases and wrong URLs."""
    try:
        file = sqlite_file(settings.database)
    except StorageError:
        return folder
    if file is None:
        return folder
    return next(each for each in file.absolute().parents if each.is_dir())


def disk(folder: Path) -> Check:
    """Whether the disk has free space for rows."""
    free = shutil.disk_usage(folder).free
    state: State = "ok" if free >= _LEAST_FREE else "missing"
    return Check(
        state, "disk", f"{free / 1e9:,.1f} GB free in {folder}", "" if state == "ok" else "free 1 GB"
    )


def webcams() -> Check:
    """The webcams of this machine."""
    found = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video[0-9]*"))
    if found:
        return Check("ok", "webcams", f"--source {' or '.join(found)}")
    return Check("optional", "webcams", "none", "connect one, or use rtsp://, http://, a file or demo://")


def package(name: str, what: str, fix: str) -> Check:
    """A Python package that only some commands need."""
    installed = importlib.util.find_spec(name) is not None
    return Check("ok", what, name) if installed else Check("optional", what, f"no {name}", fix)


def program(name: str, what: str, fix: str) -> Check:
    """A program that only some commands need."""
    path = shutil.which(name)
    return Check("ok", what, name) if path else Check("optional", what, f"no {name}", fix)


def data() -> Check:
    """The data folder for training, tests and benchmarks."""
    folder = os.environ.get("MIEN_DATA")
    if folder and Path(folder, "datasets").is_dir():
        return Check("ok", "data for training and tests", folder)
    fix = "MIEN_DATA=DIR, see docs/models.md"
    return Check("optional", "data for training and tests", folder or "MIEN_DATA is not set", fix)


def _new_file(path: Path, found: str) -> Check:
    if os.access(path.resolve().parent, os.W_OK):
        return Check("ok", "database", found)
    return Check("missing", "database", found, "choose a folder")
