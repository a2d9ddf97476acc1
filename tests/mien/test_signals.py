"""A signal sets the event, wherever it interrupts the main thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mien.signals import stop_on_signal


@pytest.fixture(autouse=True)
def terminal() -> Iterator[None]:
    """The tests may run under `nohup`; here a closed terminal ends a process as usual."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


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


def test_a_closed_terminal_stays_without_effect_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop_on_signal() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(30)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


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
