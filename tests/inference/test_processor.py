"""Detection of the processor's INT8 instructions."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from inference.processor import has_int8_dot_products, runs_int8_faster

X86 = "processor\t: 0\nmodel name\t: some\nflags\t\t: fpu sse2 {} sha_ni\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd {}\nCPU part\t: 0xd0b\n"


@pytest.mark.parametrize(("text", "dots", "faster"), [
    (X86.format("avx2 avx512_vnni"), True, True),
    (X86.format("avx2 avx_vnni"), True, True),
    (X86.format("avx2 avx512f"), False, True),
    (X86.format("avx"), False, False),
    (ARM.format("asimddp"), True, True),
    (ARM.format("crc32"), False, False),
    ("", False, False),
])  # fmt: skip
def test_the_flags_of_the_processor_decide_on_linux(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, dots: bool, faster: bool
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert has_int8_dot_products(path) is dots
    assert runs_int8_faster(path) is faster


def test_an_unknown_system_has_no_int8_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert not has_int8_dot_products(tmp_path / "none")


@pytest.mark.parametrize(("machine", "has"), [("arm64", True), ("x86_64", False)])
def test_apple_processors_with_arm_have_int8_instructions(
    monkeypatch: pytest.MonkeyPatch, machine: str, has: bool
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert has_int8_dot_products() is has
