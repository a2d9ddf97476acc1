"""Description of the machine on which figures were measured."""

from __future__ import annotations

import os
import platform
import sqlite3
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inference.model_file import MODELS, read_checksums
from inference.processor import has_int8_dot_products

_PACKAGES = ("onnxruntime", "opencv-python", "numpy", "sqlalchemy")
_KIB, _GIB = 2**10, 2**30


@dataclass(frozen=True, slots=True)
class Machine:
    """Hardware, system and versions; figures are comparable only if all of them are equal."""

    cpu: str
    cores: int
    int8: bool
    """Whether the processor has instructions for INT8 networks; the INT8 models are used only then."""
    memory_gb: float
    system: str
    python: str
    packages: dict[str, str]
    models: dict[str, str]
    """First digits of the SHA-256 of each shipped model."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON types."""
        return asdict(self)


def describe_machine() -> Machine:
    """Describe this machine; Linux only."""
    return Machine(
        cpu=_processor(),
        cores=len(os.sched_getaffinity(0)),
        int8=has_int8_dot_products(),
        memory_gb=round(_memory_bytes() / _GIB, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: version(name) for name in _PACKAGES} | {"sqlite": sqlite3.sqlite_version},
        models={name: digest[:12] for name, digest in read_checksums(MODELS).items()},
    )


def load_average() -> float:
    """Mean number of processes over the last minute that ran or waited for a core."""
    return os.getloadavg()[0]


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * _KIB / 1e6
    raise ValueError(f"process {pid} has ended")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
