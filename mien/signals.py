"""Ctrl-C, SIGTERM and a closed terminal as one event."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that the first signal sets; a second one acts as if this were not here."""
    stop = threading.Event()
    # A handler interrupts the main thread anywhere, in `stop.wait` too, whose lock `stop.set` would wait for
    # without end. The queue's `put` alone may be called there.
    heard: SimpleQueue[bool] = SimpleQueue()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        heard.put(True)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def listen() -> None:
        if heard.get():
            stop.set()

    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    for number in _SIGNALS:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()
        heard.put(False)
        listener.join()
