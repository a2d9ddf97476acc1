"""Cameras of `mien ingest`: each that is captured has a partition, whatever operators do meanwhile."""

from __future__ import annotations

from typing import Any, cast

from ingest.cameras import Camera
from mien.wiring.scaled import PartitionedCameras


class Shop:
    """Registered cameras, of which an operator adds one and removes one between any two transactions."""

    def __init__(self) -> None:
        self.ids = ["camera-0", "camera-1"]
        self._next = 2

    def cameras(self) -> list[Camera]:
        listed = [Camera(each, "demo://till", 5) for each in self.ids]
        self._change()
        return listed

    def assign_partitions(self, count: int) -> dict[str, int]:
        assigned = {each: int(each.removeprefix("camera-")) % count for each in self.ids}
        self._change()
        return assigned

    def _change(self) -> None:
        self.ids = [*self.ids[1:], f"camera-{self._next}"]
        self._next += 1


def test_every_captured_camera_has_a_partition_whenever_it_was_added_or_removed() -> None:
    shop, heartbeats = Shop(), list[None]()
    cameras = PartitionedCameras(cast(Any, shop), cast(Any, shop), 3, lambda: heartbeats.append(None))
    for number in range(10):
        listed = cameras.cameras()
        assert listed
        for camera in listed:
            assert cameras.partition_of(camera.id) == int(camera.id.removeprefix("camera-")) % 3
        assert len(heartbeats) == number + 1
