from __future__ import annotations

import platform
from pathlib import Path

import pytest

from inference.processor import has_int8_dot_products

X86 = "processor\t: 0\nmodel name\t: some\nflags\t\t: fpu sse2 avx2 {} sha_ni\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd {}\nCPU part\t: 0xd0b\n"


@pytest.mark.parametrize(("text", "has"), [
    (X86.format("avx512_vnni"), True),
    (X86.format("avx_vnni"), True),
    (X86.format("avx512f"), False),
    (ARM.format("asimddp"), True),
    (ARM.format("crc32"), False),
    ("", False),
])  # fmt: skip
def test_flags_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, has: bool) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert has_int8_dot_products(path) is has


def test_an_unknown_system_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert not has_int8_dot_products(tmp_path / "none")


@pytest.mark.parametrize(("machine", "has"), [("arm64", True), ("x86_64", False)])
def test_apple(monkeypatch: pytest.MonkeyPatch, machine: str, has: bool) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert has_int8_dot_products() is has
