"""The software bill of materials: complete, the same for the same installation, without addresses."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

from inference.model_file import MODELS, read_checksums
from mien.sbom import build_sbom, normalize
from tests.support.processes import mien


def test_every_installed_package_and_every_model_is_a_component() -> None:
    found = build_sbom()
    components = {each["name"]: each for each in found["components"]}
    installed = {normalize(each.name) for each in metadata.distributions() if each.name}
    assert installed - {"mien"} <= components.keys()
    for file, checksum in read_checksums(MODELS).items():
        assert components[file]["hashes"] == [{"alg": "SHA-256", "content": checksum}]
    assert components["numpy"]["purl"] == f"pkg:pypi/numpy@{metadata.version('numpy')}"
    assert found["metadata"]["component"]["licenses"] == [{"expression": "Apache-2.0"}]


def test_most_packages_name_their_licence() -> None:
    libraries = [each for each in build_sbom()["components"] if each["type"] == "library"]
    named = [each for each in libraries if each.get("licenses")]
    assert len(named) > 0.9 * len(libraries)


def test_dependencies_refer_to_components() -> None:
    found = build_sbom()
    known = {each["bom-ref"] for each in (*found["components"], found["metadata"]["component"])}
    assert len(known) == len(found["components"]) + 1, "every reference is unique"
    graph = {each["ref"]: each["dependsOn"] for each in found["dependencies"]}
    assert graph.keys() <= known
    assert {each for needed in graph.values() for each in needed} <= known
    ours = graph[found["metadata"]["component"]["bom-ref"]]
    assert {"numpy", "streamlit", "kafka-python"} <= {each.split("/")[1].split("@")[0] for each in ours}


def test_the_same_installation_gives_the_same_text_as_a_file_and_as_output(tmp_path: Path) -> None:
    printed = mien(tmp_path, "sbom")
    written = mien(tmp_path, "sbom", "--out", "sbom.json")
    assert (printed.returncode, written.returncode) == (0, 0), printed.stderr + written.stderr
    assert (tmp_path / "sbom.json").read_text() == printed.stdout
    parsed = json.loads(printed.stdout)
    assert (parsed["bomFormat"], parsed["specVersion"]) == ("CycloneDX", "1.6")
    assert "://" not in printed.stdout
