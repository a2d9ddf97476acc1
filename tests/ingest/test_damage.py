"""Pictures that cannot be decoded: a few need no attention, more are a problem with a likely cause."""

from __future__ import annotations

from ingest.damage import DamageMonitor


def test_a_few_damaged_pictures_are_no_problem() -> None:
    monitor = DamageMonitor()
    for number in range(200):
        if number % 20:
            monitor.add_decoded()
        else:
            monitor.add_failed("a hole")
        assert monitor.reason == ""


def test_more_than_a_few_are_a_problem_until_they_have_passed() -> None:
    monitor = DamageMonitor()
    for _ in range(4):
        monitor.add_decoded()
        monitor.add_failed("a hole")
    assert monitor.reason.startswith("many pictures cannot be decoded, such as a hole; likely cause: ")
    for _ in range(60):
        monitor.add_decoded()
    assert monitor.reason == ""
