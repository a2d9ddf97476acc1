"""Detection of the processor's INT8 instructions."""

from __future__ import annotations

import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}
"""Linux' names of the instructions that sum products of 8-bit numbers in 32 bits, on x86 and on ARM."""


def has_int8_dot_products(cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor computes INT8 networks exactly, and faster than float32 networks.

    Without these instructions INT8 networks are slower, and on x86 their sums saturate at 16 bits (ONNX
    Runtime's guide to quantisation). All ARM processors from Apple have them. False on any other system that
    has no file like Linux' `cpu_info`.
    """
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    try:
        lines = cpu_info.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return not _DOT_PRODUCTS.isdisjoint(flags.split())
