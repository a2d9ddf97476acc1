"""How long pictures of people lie on the disks of the brokers: what topics can limit, and what they cannot.

Kafka deletes whole segments. The oldest record of a segment is up to `segment.ms` older than its newest
one, and a segment expires `retention.ms` after its newest record. Brokers look for expired segments at an
interval that topics cannot set (`log.retention.check.interval.ms`), rename them, and delete the files after
`file.delete.delay.ms`. A broker that does not run deletes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import AuthorizationError

CHECK_INTERVAL = "log.retention.check.interval.ms"
"""The brokers' setting; their default is five minutes."""

_SECOND_MS = 1000
_MINUTE_MS = 60 * _SECOND_MS
_SEGMENTS = 5
"""Segments in the time of retention, so that a segment adds a fifth to it."""
_DELETE_DELAY_MS = _SECOND_MS
"""For readers that are within a file; Kafka's default is a minute."""


def retention_configs(minutes: float, segment_bytes: int) -> dict[str, str]:
    """The configuration of a topic whose records can be read for `minutes` and are then deleted."""
    retention_ms = round(minutes * _MINUTE_MS)
    segment_ms = min(max(retention_ms // _SEGMENTS, _SECOND_MS), _MINUTE_MS)
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_ms),
        "segment.ms": str(segment_ms),
        "segment.jitter.ms": "0",
        "segment.bytes": str(segment_bytes),
        "file.delete.delay.ms": str(_DELETE_DELAY_MS),
        # By the time of the broker: a record cannot postpone its deletion.
        "message.timestamp.type": "LogAppendTime",
    }


@dataclass(frozen=True, slots=True)
class DiskTime:
    """The longest time that a record lies on the disk of a broker that runs, in seconds, by its parts.

    `check_s` is None where this user may not read the configuration of the brokers.
    """

    topic: str
    retention_s: float
    segment_s: float
    delete_s: float
    check_s: float | None
    unexpected: tuple[str, ...] = ()
    """Settings of the topic under which this time does not hold."""

    @property
    def total_s(self) -> float | None:
        """The sum; None where a part is unknown."""
        if self.check_s is None:
            return None
        return self.retention_s + self.segment_s + self.delete_s + self.check_s

    def __str__(self) -> str:
        known = [
            f"{_format_seconds(self.retention_s)} of retention",
            f"{_format_seconds(self.segment_s)} of a segment",
            f"{_format_seconds(self.delete_s)} until files are deleted",
        ]
        if self.check_s is None:
            return f"{', '.join(known)}, and the brokers' {CHECK_INTERVAL}, which this user may not read"
        return (
            f"at most {_format_seconds(self.total_s or 0)}: {', '.join(known)}, "
            f"{_format_seconds(self.check_s)} between two looks of a broker ({CHECK_INTERVAL})"
        )


def read_disk_time(admin: KafkaAdminClient, topic: str) -> DiskTime:
    """Read the configuration of a topic and of all brokers.

    Raises the errors of the client.
    """
    values = _read(admin, ConfigResourceType.TOPIC, topic)
    return DiskTime(
        topic,
        retention_s=int(values["retention.ms"]) / _SECOND_MS,
        segment_s=int(values["segment.ms"]) / _SECOND_MS,
        delete_s=int(values["file.delete.delay.ms"]) / _SECOND_MS,
        check_s=_read_check_interval(admin),
        unexpected=tuple(_unexpected(values)),
    )


def _unexpected(values: Mapping[str, str]) -> Iterable[str]:
    wanted = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "remote.storage.enable": "false",
    }
    for name, value in wanted.items():
        if values.get(name, value) != value:
            yield f"{name}={values[name]}"
    if int(values["retention.ms"]) < 0:
        yield f"retention.ms={values['retention.ms']}"


def _read_check_interval(admin: KafkaAdminClient) -> float | None:
    """The longest interval of all brokers in seconds; None where this user may not read it."""
    brokers = [str(each["broker_id"]) for each in admin.describe_cluster()["brokers"]]
    try:
        intervals = [int(_read(admin, ConfigResourceType.BROKER, each)[CHECK_INTERVAL]) for each in brokers]
    except (AuthorizationError, KeyError):
        return None
    return max(intervals) / _SECOND_MS


def _read(admin: KafkaAdminClient, kind: ConfigResourceType, name: str) -> Mapping[str, str]:
    found: Mapping[str, Any] = admin.describe_configs([ConfigResource(kind, name)], config_filter="all")
    return {key: str(each["value"]) for key, each in found[kind.name.lower()][name].items()}


def _format_seconds(seconds: float) -> str:
    """A duration in the largest unit in which it is a short number."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
