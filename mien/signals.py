"""Signals that stop a process (Ctrl-C, SIGTERM, a closed terminal) as one event."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """An event that the first signal sets; for a second signal the previous handlers are in force again.

    A closed terminal (SIGHUP) stays without effect where the process was started so, as by `nohup`.
    """
    stop = threading.Event()
    # A handler interrupts the main thread anywhere, also within `stop.wait`, which holds the lock that
    # `stop.set` needs: a deadlock. Only the queue's `put` is safe there.
    received: SimpleQueue[bool] = SimpleQueue()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]  # `nohup` asks to go on after the terminal is closed.

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        received.put(True)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def listen() -> None:
        if received.get():
            stop.set()

    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    for number in before:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()
        received.put(False)
        listener.join()
