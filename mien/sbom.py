"""Software bill of materials (SBOM) of an installation, as CycloneDX 1.6: packages, licences, models.

Made of the metadata of what is installed; the same installation always gives the same text. Libraries inside
of packages, such as FFmpeg in PyAV and OpenCV, and the system below Python are not listed.
"""

from __future__ import annotations

import json
import platform
import re
import uuid
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

from inference.model_file import MODELS, read_checksums

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LICENCE = "License :: "
_LONGEST_LICENCE = 100
"""Characters of a licence's name; some packages give the whole text instead."""


def build_sbom() -> dict[str, Any]:
    """The bill of materials of the environment of this process."""
    packages = {normalize(each.name): each for each in metadata.distributions() if each.name}
    ours = packages.pop("mien")
    models = list(_models())
    content = {
        "metadata": {"component": _component(ours, "application")},
        "components": [
            {"type": "platform", "bom-ref": "python", "name": "python", "version": platform.python_version()},
            *(_component(packages[name], "library") for name in sorted(packages)),
            *models,
        ],
        "dependencies": [
            {"ref": _reference(each), "dependsOn": _dependencies(each, packages)}
            for each in (ours, *(packages[name] for name in sorted(packages)))
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content, sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "serialNumber": f"urn:uuid:{serial}",
    } | content


def normalize(name: str) -> str:
    """The name of a package as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _component(package: metadata.Distribution, kind: str) -> dict[str, Any]:
    licences = _licences(package)
    return {
        "type": kind,
        "bom-ref": _reference(package),
        "name": normalize(package.name),
        "version": package.version,
        "purl": _reference(package),
    } | ({"licenses": licences} if licences else {})


def _reference(package: metadata.Distribution) -> str:
    return f"pkg:pypi/{normalize(package.name)}@{package.version}"


def _licences(package: metadata.Distribution) -> list[dict[str, Any]]:
    if expressions := _values(package, "License-Expression"):
        return [{"expression": expressions[0]}]
    classifiers = _values(package, "Classifier")
    names = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith(_LICENCE)]
    named = [each.strip() for each in _values(package, "License")]
    if not names:
        names = [each for each in named if 0 < len(each) <= _LONGEST_LICENCE and "\n" not in each]
    return [{"license": {"name": name}} for name in sorted(set(names))]


def _values(package: metadata.Distribution, field: str) -> list[str]:
    return package.metadata.get_all(field) or []


def _dependencies(
    package: metadata.Distribution, installed: Mapping[str, metadata.Distribution]
) -> list[str]:
    """References of the installed packages that a package requires, without those of its extras."""
    found = set()
    for requirement in package.requires or ():
        name = _NAME.match(requirement)
        if name and "extra ==" not in requirement and normalize(name[0]) in installed:
            found.add(_reference(installed[normalize(name[0])]))
    return sorted(found)


def _models() -> Iterable[dict[str, Any]]:
    """The model files that ship, with their checksums."""
    for file, checksum in sorted(read_checksums(MODELS).items()):
        yield {
            "type": "machine-learning-model",
            "bom-ref": f"model/{file}",
            "name": file,
            "hashes": [{"alg": "SHA-256", "content": checksum}],
        }
