"""The audit: what was not checked is never reported as safe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supply_chain.audit import (
    FILES,
    UNCHECKED,
    VULNERABLE,
    Audit,
    audit_file,
    format_audit,
    merge,
    read_report,
)
from tests.test_dependencies import ROOT

SAFE = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "rich", "skip_reason": "not found and could not be audited"}
BAD = {
    "name": "jinja2",
    "version": "3.1.0",
    "vulns": [{"id": "CVE-2024-1", "fix_versions": ["3.1.3"]}, {"id": "CVE-2024-2", "fix_versions": []}],
}


def report(*dependencies: object) -> Audit:
    return read_report({"dependencies": list(dependencies), "fixes": []})


@pytest.mark.parametrize(
    ("audit", "code"),
    [
        (report(SAFE), 0),
        (report(SAFE, SKIPPED), UNCHECKED),
        (report(SAFE, SKIPPED, BAD), VULNERABLE),
        (report(), UNCHECKED),
        (Audit(), UNCHECKED),
    ],
)
def test_the_exit_code_distinguishes_safe_vulnerable_and_unchecked(audit: Audit, code: int) -> None:
    assert audit.exit_code == code
    assert ("no clean result" in format_audit(audit)) == bool(audit.unchecked or not audit.checked)


def test_a_vulnerability_is_named_with_its_fix() -> None:
    text = format_audit(report(BAD))
    assert "vulnerable: jinja2 3.1.0: CVE-2024-1 (fixed in 3.1.3), CVE-2024-2 (fixed in no version)" in text


def test_results_of_several_files_are_merged() -> None:
    merged = merge([report(SAFE), report(SAFE, BAD), report(SKIPPED)])
    assert merged.checked == ("jinja2", "numpy")
    assert len(merged.vulnerable) == len(merged.unchecked) == 1


@pytest.mark.parametrize(
    ("program", "unchecked"),
    [
        (f"print({json.dumps({'dependencies': [SAFE], 'fixes': []})!r})", ()),
        ("raise SystemExit('the network is unreachable')", ("a.txt: the network is unreachable",)),
        ("print('half of a rep')", ("a.txt: no output",)),
    ],
)
def test_an_audit_without_a_report_checked_nothing(program: str, unchecked: tuple[str, ...]) -> None:
    assert audit_file(Path("a.txt"), ("-c", program)).unchecked == unchecked


def test_all_locks_are_audited() -> None:
    """Those of the runtime are a part of those of the development environment."""
    assert {Path(file).name for file in FILES} == {
        path.name for path in (ROOT / "requirements").glob("*.txt")
    } - {"runtime.txt"}
    assert all((ROOT / file).is_file() for file in FILES)
