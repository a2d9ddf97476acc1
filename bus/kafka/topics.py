"""Mien's two topics: frames, kept for minutes, and the dead-letter queue, kept for a day."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from bus.errors import BrokerRefused, BrokerUnavailable, TopicError
from bus.kafka.client import open_client
from bus.kafka.retention import DiskTime, read_disk_time, retention_configs
from bus.kafka.settings import KafkaSettings

MAX_RECORD_BYTES = 2 << 20
"""A frame of the largest accepted size with its headers."""

DEAD_LETTER_BYTES = 2 * MAX_RECORD_BYTES
_DEAD_LETTER_MINUTES = 24 * 60
_LOOK_EVERY_S = 0.2


def create_topics(
    settings: KafkaSettings,
    partitions: int,
    *,
    retention_minutes: float = 5,
    partition_bytes: int = 1 << 30,
    replication: int = 1,
) -> tuple[str, ...]:
    """Create missing topics and update the configuration of existing ones.

    Frames are pictures of people: they can be read for `retention_minutes`, then Kafka deletes them; sooner
    where a partition exceeds `partition_bytes`; `bus.kafka.retention` says how long they lie on disks. Dead
    letters are kept for a day. The number of partitions never changes, since cameras would move to other
    partitions while frames wait. Nor does the number of copies, which only Kafka's own tools change; a topic
    with more copies than `replication` keeps them.

    Args:
        settings: where.
        partitions: of the topic of frames, the highest possible number of workers.
        retention_minutes: how long a frame can be read.
        partition_bytes: the maximum size of a partition.
        replication: copies of each partition; with 3, a write needs 2 of them (use `acks=all`).

    Returns:
        The topics that were created.

    Raises:
        AdvertisedNameError, BrokerRefused, BrokerUnavailable: see `open_client`.
        TopicError: a topic exists with fewer partitions or copies, or the cluster has fewer brokers than
            copies.
    """
    names = frames, letters = settings.topic, settings.dead_letters
    with closing(open_client(KafkaAdminClient, settings)) as admin:
        try:
            existing = _find_topics(admin, names)
            _check_topics(settings, existing, partitions, replication)
            copies = dict.fromkeys(names, replication) | {
                name: topic.copies for name, topic in existing.items()
            }
            wanted = {
                frames: _topic(
                    partitions, copies[frames], retention_minutes, partition_bytes, 64 << 20, MAX_RECORD_BYTES
                ),
                letters: _topic(
                    1, copies[letters], _DEAD_LETTER_MINUTES, 256 << 20, 16 << 20, DEAD_LETTER_BYTES
                ),
            }
            missing = tuple(name for name in wanted if name not in existing)
            _configure(admin, {name: wanted[name] for name in existing})
            for name in missing:
                _create(admin, name, wanted[name])
        except InvalidReplicationFactorError:
            raise TopicError(
                f"{settings.where}: {replication} copies of each partition: the cluster has fewer brokers"
            ) from None
        except AuthorizationError as error:
            raise BrokerRefused(
                f"{settings.where}: user {settings.user!r} has no permission: {error}"
            ) from None
        except KafkaError as error:
            raise BrokerUnavailable(f"{settings.where}: topics cannot be created: {error}") from None
    return missing


def partition_count(settings: KafkaSettings) -> int:
    """The partitions of the topic of frames.

    Raises:
        AdvertisedNameError, BrokerRefused, BrokerUnavailable: see `open_client`.
        TopicError: there is no such topic.
    """
    with closing(open_client(KafkaAdminClient, settings)) as admin:
        try:
            found = _find_topics(admin, [settings.topic])
        except KafkaError as error:
            raise BrokerUnavailable(f"{settings.where}: topics cannot be read: {error}") from None
    if settings.topic not in found:
        raise missing_topic(settings, settings.topic)
    return found[settings.topic].partitions


def disk_times(settings: KafkaSettings, patience_s: float = 0.0) -> tuple[DiskTime, DiskTime]:
    """How long frames and dead letters lie on the disks of the brokers.

    Within `patience_s` seconds a topic that is missing is looked for again: a broker may hear later than the
    others of a topic that was just created.

    Raises:
        AdvertisedNameError, BrokerRefused, BrokerUnavailable: see `open_client`.
        TopicError: a topic does not exist.
    """
    topics = settings.topic, settings.dead_letters
    deadline = time.monotonic() + patience_s
    with closing(open_client(KafkaAdminClient, settings)) as admin:
        try:
            while missing := [topic for topic in topics if topic not in _find_topics(admin, topics)]:
                if time.monotonic() >= deadline:
                    raise missing_topic(settings, missing[0])
                time.sleep(_LOOK_EVERY_S)
            return read_disk_time(admin, settings.topic), read_disk_time(admin, settings.dead_letters)
        except AuthorizationError as error:
            raise BrokerRefused(
                f"{settings.where}: user {settings.user!r} may not read the configuration of topics: {error}"
            ) from None
        except KafkaError as error:
            raise BrokerUnavailable(f"{settings.where}: topics cannot be read: {error}") from None


def missing_topic(settings: KafkaSettings, topic: str) -> TopicError:
    """The error for a topic that does not exist."""
    return TopicError(f"{settings.where}: there is no topic {topic}: run `mien topics create`")


def _topic(
    partitions: int, replication: int, minutes: float, total_bytes: int, segment_bytes: int, record_bytes: int
) -> Mapping[str, Any]:
    return {
        "num_partitions": partitions,
        "replication_factor": replication,
        "configs": {
            **retention_configs(minutes, segment_bytes),
            "retention.bytes": str(total_bytes),
            "max.message.bytes": str(record_bytes),
            "min.insync.replicas": "2" if replication > 2 else "1",
        },
    }


class _Found(NamedTuple):
    """A topic that exists: its number of partitions, and the copies that every one of them has."""

    partitions: int
    copies: int


def _find_topics(admin: KafkaAdminClient, names: Iterable[str]) -> dict[str, _Found]:
    """Those topics that exist."""
    found = {}
    for topic in admin.describe_topics(list(names)):
        error = for_code(topic["error_code"])
        if error is UnknownTopicOrPartitionError:
            continue
        if topic["error_code"]:
            raise error(topic["name"])
        copies = min(len(partition["replica_nodes"]) for partition in topic["partitions"])
        found[topic["name"]] = _Found(len(topic["partitions"]), copies)
    return found


def _check_topics(
    settings: KafkaSettings, existing: Mapping[str, _Found], partitions: int, copies: int
) -> None:
    """Check what cannot be changed while frames flow."""
    frames = existing.get(settings.topic)
    if frames and frames.partitions < partitions:
        raise TopicError(
            f"{settings.where}: topic {settings.topic} has {frames.partitions} partitions, {partitions} are "
            f"wanted: run at most {frames.partitions} workers, or stop everything, delete the topic and "
            "create it again"
        )
    for name, topic in existing.items():
        if topic.copies < copies:
            raise TopicError(
                f"{settings.where}: topic {name}: copies of each partition: {topic.copies}, {copies} are "
                f"wanted: set topic_copies to {topic.copies}, add copies with kafka-reassign-partitions.sh, "
                "or stop everything, delete the topic and create it again"
            )


def _configure(admin: KafkaAdminClient, topics: Mapping[str, Mapping[str, Any]]) -> None:
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, dict(topic["configs"]))
        for name, topic in topics.items()
    ]
    if resources:
        admin.alter_configs(resources)


def _create(admin: KafkaAdminClient, name: str, topic: Mapping[str, Any]) -> None:
    try:
        admin.create_topics({name: dict(topic)}, wait_for_metadata=True)
    except TopicAlreadyExistsError:  # Another process created it in the meantime.
        admin.wait_for_topics([name])
