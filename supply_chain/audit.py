"""`python -m supply_chain.audit`: known vulnerabilities of the locked packages, by pip-audit.

pip-audit needs data from the network. A package without data was not checked, and is never reported as safe.
Runs in the environment of `requirements/tools.txt`.

Exit codes: 0: every package was checked, none has a known vulnerability. 1: there are vulnerabilities.
3: data could not be reached for at least one package; no vulnerability is known of the others.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILES = ("requirements/build.txt", "requirements/dev.txt", "requirements/tools.txt")
"""All that is installed for building, running, testing and auditing."""
VULNERABLE = 1
UNCHECKED = 3

_OPTIONS = ("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off")
_COMMAND = ("-m", "pip_audit", *_OPTIONS)


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known of the packages of one or several files."""

    checked: tuple[str, ...] = ()
    vulnerable: tuple[str, ...] = ()
    """Package, version, identifiers of its vulnerabilities, and versions that fix them."""
    unchecked: tuple[str, ...] = ()
    """Package and reason, or the file that could not be audited at all and the reason."""

    @property
    def exit_code(self) -> int:
        """See the top of this module."""
        if self.vulnerable:
            return VULNERABLE
        return UNCHECKED if self.unchecked or not self.checked else 0


def read_report(report: dict[str, Any]) -> Audit:
    """Read the JSON that pip-audit prints."""
    found = report["dependencies"]
    skipped = [each for each in found if "skip_reason" in each]
    audited = [each for each in found if "skip_reason" not in each]
    return Audit(
        tuple(each["name"] for each in audited),
        tuple(_describe(each) for each in audited if each["vulns"]),
        tuple(f"{each['name']}: {each['skip_reason']}" for each in skipped),
    )


def _describe(package: dict[str, Any]) -> str:
    vulnerabilities = ", ".join(
        f"{each['id']} (fixed in {' or '.join(each['fix_versions']) or 'no version'})"
        for each in package["vulns"]
    )
    return f"{package['name']} {package['version']}: {vulnerabilities}"


def audit_file(path: Path, command: Sequence[str] = _COMMAND) -> Audit:
    """Audit the packages of one file of locked versions."""
    done = subprocess.run(
        [sys.executable, *command, "-r", str(path)], capture_output=True, text=True, check=False
    )
    try:
        return read_report(json.loads(done.stdout))
    except (json.JSONDecodeError, KeyError):
        lines = done.stderr.strip().splitlines() or ["no output"]
        return Audit(unchecked=(f"{path}: {lines[-1][:300]}",))


def merge(audits: Iterable[Audit]) -> Audit:
    """All packages of several files, each once."""
    every = list(audits)
    return Audit(
        tuple(sorted({name for audit in every for name in audit.checked})),
        tuple(sorted({line for audit in every for line in audit.vulnerable})),
        tuple(sorted({line for audit in every for line in audit.unchecked})),
    )


def format_audit(audit: Audit) -> str:
    """What a person needs to know, one finding in a line."""
    lines = [f"vulnerable: {line}" for line in audit.vulnerable]
    lines += [f"not checked: {line}" for line in audit.unchecked]
    lines.append(
        f"{len(audit.checked)} packages checked, {len(audit.vulnerable)} vulnerable, "
        f"{len(audit.unchecked)} not checked"
    )
    if audit.unchecked or not audit.checked:
        lines.append("The data of pip-audit could not be reached for all packages: this is no clean result.")
    return "\n".join(lines)


def main() -> None:
    """Audit all files and exit with the code of the result."""
    audit = merge(audit_file(Path(file)) for file in FILES)
    sys.stdout.write(f"{format_audit(audit)}\n")
    sys.exit(audit.exit_code)


if __name__ == "__main__":
    main()
