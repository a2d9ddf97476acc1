"""A signal sets the event, wherever it interrupts the main thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from mien.signals import stop_on_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_sets_the_event_and_restores_the_previous_handler(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signal() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(30)
        assert signal.getsignal(number) is before


def test_without_a_signal_the_previous_handler_is_restored_at_the_end() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signal() as stop:
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert not stop.is_set()


def test_a_signal_while_the_event_is_locked_causes_no_deadlock() -> None:
    program = """
import os, signal
from mien.signals import stop_on_signal
with stop_on_signal() as stop:
    with stop._cond:  # As `stop.wait` does at its beginning and its end.
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(20)
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == 0
