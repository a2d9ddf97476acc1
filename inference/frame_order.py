"""Order of the frames of each camera: which are new, and which came before or are superseded.

A producer that misses an acknowledgement sends the same frames again, frames in the socket of a broker that
hung arrive after newer ones, and a capture that another one has replaced may still send. Within one epoch
only a sequence number above all earlier ones is new. The sink stores the last frame of each epoch in the
transaction of the results, so this holds however long ago the earlier frame was, and for every worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from bus.messages import LastFrame

_MAX_EPOCHS = 1000
"""Epochs of one camera in memory; the earliest ones are forgotten."""


class Order(Enum):
    """The place of a frame among the earlier frames of its camera."""

    NEW = auto()
    REPEATED = auto()
    """At or before the last frame of its epoch."""
    SUPERSEDED = auto()
    """New in its epoch, but a frame of a later epoch has been analysed."""


class FrameOrder:
    """The last frame of each epoch of the cameras that one worker reads."""

    def __init__(self) -> None:
        self._cameras: dict[str, dict[int, LastFrame]] = {}

    def has(self, camera_id: str) -> bool:
        """Whether the stored frames of this camera have been given."""
        return camera_id in self._cameras

    def restore(self, camera_id: str, stored: Iterable[LastFrame]) -> None:
        """Continue after the frames that the sink has stored."""
        self._cameras[camera_id] = {each.epoch: each for each in stored}

    def clear(self) -> None:
        """Forget all cameras."""
        self._cameras.clear()

    def classify(self, camera_id: str, epoch: int, seq: int) -> Order:
        """The order of a frame of a camera that was restored."""
        epochs = self._cameras[camera_id]
        if epoch in epochs and seq <= epochs[epoch].seq:
            return Order.REPEATED
        if any(each.analysed and each.epoch > epoch for each in epochs.values()):
            return Order.SUPERSEDED
        return Order.NEW

    def note(self, camera_id: str, epoch: int, seq: int, analysed: bool) -> LastFrame:
        """Note a processed frame that is not a repetition; the last frame of its epoch, to be stored."""
        epochs = self._cameras[camera_id]
        known = epochs.get(epoch)
        last = LastFrame(camera_id, epoch, seq, analysed or (known is not None and known.analysed))
        epochs[epoch] = last
        if len(epochs) > _MAX_EPOCHS:
            del epochs[min(epochs)]
        return last
