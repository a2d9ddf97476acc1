"""Detection of the processor's INT8 instructions."""

from __future__ import annotations

import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}
"""Linux' names of the instructions that sum products of 8-bit numbers in 32 bits, on x86 and on ARM."""


def runs_int8_faster(cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor runs the INT8 networks that ship faster than the float32 ones, as exactly.

    With dot products they are two to three times as fast, with AVX2 alone one and a half times (AMD EPYC of
    2021). There ONNX Runtime adds pairs of products in 16 bits, which may saturate (its guide to
    quantisation): the networks that ship do not come that far, and a test compares them on the processor at
    hand with their exact result.
    """
    return has_int8_dot_products(cpu_info) or "avx2" in _flags(cpu_info)


def has_int8_dot_products(cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor sums products of 8-bit numbers in 32 bits.

    All ARM processors from Apple do. False on any other system that has no file like Linux' `cpu_info`.
    """
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return not _DOT_PRODUCTS.isdisjoint(_flags(cpu_info))


def _flags(cpu_info: Path) -> list[str]:
    """Linux' names of the processor's instructions; none on other systems."""
    try:
        lines = cpu_info.read_text().splitlines()
    except OSError:
        return []
    return next((line for line in lines if line.lower().startswith(("flags", "features"))), "").split()
