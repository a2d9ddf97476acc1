"""Where Mien's top-level packages are imported from.

Mien is an application and its packages have common names (docs/adr/0006-an-application.md). Another
distribution in the same environment may bring a package of the same name, such as `inference`, and hide ours.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mien.errors import StartError

PACKAGES = ("bus", "common", "dashboard", "inference", "ingest", "media", "mien", "storage", "training")
"""The packages of the wheel; a test compares them with pyproject.toml."""
HOME = Path(__file__).resolve().parents[1]
"""The folder that all of them are in."""


def check_installation() -> None:
    """Raise StartError where a package would be imported from another distribution."""
    for name in PACKAGES:
        spec = find_spec(name)
        path = Path(spec.origin).resolve() if spec and spec.origin else None
        if path is None or path.parents[1] != HOME:
            raise StartError(
                f"package {name}: found in {path or 'no folder'}, expected in {HOME / name}; "
                "install Mien in an environment of its own"
            )
