"""Topics that exist: what `create_topics` changes of them, and what it refuses to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from kafka.admin import ConfigResource

from bus.errors import TopicError
from bus.kafka.settings import parse_url
from bus.kafka.topics import create_topics

SETTINGS = parse_url("kafka://127.0.0.1:9092/frames", {})


class Admin:
    """A client of a cluster in which both topics exist; `copies` are those of each partition, by topic."""

    def __init__(self, copies: Mapping[str, Iterable[int]]) -> None:
        self._copies = copies
        self.configs: dict[str, Mapping[str, str]] = {}

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "error_code": 0,
                "partitions": [{"replica_nodes": list(range(each))} for each in self._copies[name]],
            }
            for name in names
        ]

    def alter_configs(self, resources: list[ConfigResource]) -> None:
        self.configs |= {each.name: each.configs for each in resources}

    def close(self) -> None:
        pass


@pytest.fixture
def admin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Admin:
    client = Admin(request.param)
    monkeypatch.setattr("bus.kafka.topics.open_client", lambda *_: client)
    return client


@pytest.mark.parametrize("admin", [{"frames": (3, 3), "frames.dlq": (1,)}], indirect=True)
def test_writes_need_as_many_copies_as_the_copies_that_exist_allow(admin: Admin) -> None:
    assert create_topics(SETTINGS, 2, replication=1) == ()
    needed = {name: configs["min.insync.replicas"] for name, configs in admin.configs.items()}
    assert needed == {"frames": "2", "frames.dlq": "1"}


@pytest.mark.parametrize(
    ("admin", "named"),
    [
        ({"frames": (1, 1), "frames.dlq": (3,)}, "topic frames: copies of each partition: 1, 3 are wanted"),
        ({"frames": (3, 2), "frames.dlq": (3,)}, "topic frames: copies of each partition: 2, 3 are wanted"),
        ({"frames": (3, 3), "frames.dlq": (1,)}, "topic frames.dlq: copies of each partition: 1, 3"),
    ],
    indirect=["admin"],
)
def test_fewer_copies_than_wanted_are_refused_and_nothing_is_changed(admin: Admin, named: str) -> None:
    with pytest.raises(TopicError, match=named):
        create_topics(SETTINGS, 2, replication=3)
    assert admin.configs == {}
