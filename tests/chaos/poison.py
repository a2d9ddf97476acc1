"""Records that can never be processed, thrown among good frames, and what has to become of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from kafka import KafkaProducer

from bus import codec
from bus.kafka.dead_letters import ERROR, OFFSET, PARTITION
from bus.kafka.settings import KafkaSettings
from tests.chaos.cameras import CAMERAS, Scene, wall_clock_us
from tests.chaos.log import read_dead_letters

Headers = dict[str, bytes]
Spoil = Callable[[Headers, bytes], tuple[Headers, bytes]]

_HUGE = b"\xff\xd8\xff\xc0\x00\x11\x08\xea\x60\xea\x60\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
"""A JPEG's start that announces 60,000 x 60,000 pixels (ITU-T T.81, B.2.2)."""

KINDS: Mapping[str, Spoil] = {
    "truncated": lambda headers, jpeg: (headers, jpeg[: len(jpeg) // 2]),
    "huge by its header": lambda headers, jpeg: (headers | {"w": b"60000", "h": b"60000"}, jpeg),
    "huge by its JPEG": lambda headers, jpeg: (headers, _HUGE + jpeg[2:]),
    "not a JPEG": lambda headers, jpeg: (headers, b"<html>not a picture</html>"),
    "empty": lambda headers, jpeg: (headers, b""),
    "unknown version": lambda headers, jpeg: (headers | {"v": b"9"}, jpeg),
    "no camera": lambda headers, jpeg: ({k: v for k, v in headers.items() if k != "camera"}, jpeg),
    "no headers": lambda headers, jpeg: ({}, jpeg),
}


@dataclass
class Poison:
    """What was thrown in: `by_camera` counts those that name their camera, `lying` says what lies where."""

    by_camera: Counter[str] = field(default_factory=Counter)
    lying: dict[tuple[int, int], tuple[str, bytes]] = field(default_factory=dict)

    def pour(self, cluster: KafkaSettings, rounds: int) -> None:
        """One record of each kind into every camera's partition, `rounds` times."""
        epoch = wall_clock_us()  # Another run of the cameras, so that none is taken for a double.
        options = {"enable_idempotence": False, "acks": 1}
        with closing(KafkaProducer(**cluster.connection(), **options)) as producer:
            for camera in CAMERAS:
                scene = Scene(camera)
                for number in range(rounds):
                    for index, (kind, spoil) in enumerate(KINDS.items()):
                        seq = number * len(KINDS) + index
                        headers, value = spoil(*codec.encode(scene.frame(epoch, seq, wall_clock_us())))
                        sent = producer.send(
                            cluster.topic, value, None, list(headers.items()), CAMERAS.index(camera)
                        )
                        where = sent.get(timeout=30)
                        self.lying[where.partition, where.offset] = (kind, value)
                        self.by_camera[camera] += "camera" in headers

    def check(self, cluster: KafkaSettings) -> list[str]:
        """What does not hold of the dead letters: each record once, its bytes as they were, with a reason."""
        letters = read_dead_letters(cluster)
        found = Counter((int(h[PARTITION]), int(h[OFFSET])) for h, _ in letters)
        wrong = []
        if found != Counter(self.lying.keys()):
            wrong.append(f"{len(self.lying)} records of no use, {found.total()} dead letters")
        for headers, value in letters:
            where = int(headers[PARTITION]), int(headers[OFFSET])
            kind, sent = self.lying.get(where, ("a good frame", None))
            if value != sent or not headers[ERROR]:
                wrong.append(f"dead letter of {where} ({kind}): another value, or no reason")
        return wrong

    def reasons(self, cluster: KafkaSettings) -> dict[str, str]:
        """An example of what a dead letter says, for each kind."""
        said: dict[str, str] = {}
        for headers, _ in read_dead_letters(cluster):
            kind, _ = self.lying[int(headers[PARTITION]), int(headers[OFFSET])]
            said.setdefault(kind, headers[ERROR].decode())
        return said
