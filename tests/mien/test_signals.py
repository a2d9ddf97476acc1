"""A signal ends what waits for it, wherever it comes in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from mien.signals import stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_sets_the_event_and_the_next_acts_as_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stopping() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(30)
        assert signal.getsignal(number) is before


def test_without_a_signal_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopping() as stop:
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert not stop.is_set()


def test_a_signal_that_comes_while_the_wait_holds_its_lock_does_not_stand_still() -> None:
    program = """
import os, signal
from mien.signals import stopping
with stopping() as stop:
    with stop._cond:  # As `stop.wait` does at its beginning and its end.
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(20)
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == 0
