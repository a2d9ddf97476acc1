"""What this processor does well."""

from __future__ import annotations

import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}
"""Linux' names of instructions that add up products of 8-bit numbers into 32 bits, on x86 and on ARM."""


def has_int8_dot_products(cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor multiplies 8-bit integers faster than floats, and exactly.

    Without such instructions INT8 networks are slower than float32 ones, and on x86 their sums saturate at
    16 bits (onnxruntime's guide to quantisation). Apple's ARM processors all have them; of any other system
    without a file like Linux' `cpu_info` nothing is known, and the answer is no.
    """
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    try:
        lines = cpu_info.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return not _DOT_PRODUCTS.isdisjoint(flags.split())
